//! Entity tags and the conditions over them (RFC 9110 sections 8.8.3 and 13.1).

use crate::domain::note::Note;
use crate::error::ApiError;
use http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};

/// One entity tag as a client sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Tag {
    weak: bool,
    opaque: String,
}

/// `If-Match` or `If-None-Match`: any representation, or one of those listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// `*`
    Any,
    /// A list of tags.
    Tags(Vec<EntityTag>),
}

/// An entity tag, opaque outside this file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EntityTag(Tag);

/// The text of the strong tag of a note as one user sees it, without quotes.
///
/// It begins with the version of the content. What hangs on the note (shares, attachments) and what the user is to it
/// follow once there is any of it, because the representation shows that too.
fn opaque(note: &Note) -> String {
    if note.detail == 0 {
        return note.version.to_string();
    }
    format!("{}-{}{}", note.version, note.detail, &note.access.as_str()[..1])
}

/// The `ETag` field of a note.
pub(super) fn of(note: &Note) -> HeaderValue {
    quoted(&opaque(note))
}

/// Text in quotes as a field value. Ours is always visible ASCII.
pub(super) fn quoted(opaque: &str) -> HeaderValue {
    HeaderValue::try_from(format!("\"{opaque}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// The client's `If-Match`.
///
/// # Errors
/// 400 when it does not follow the grammar: a writer who meant to be careful must not be taken for careless.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Option<Condition>, ApiError> {
    parse(headers, &IF_MATCH).map_err(|()| ApiError::bad_request("If-Match is not a list of entity tags"))
}

/// The client's `If-None-Match`; one that does not follow the grammar only loses its effect.
pub(super) fn if_none_match(headers: &HeaderMap) -> Option<Condition> {
    parse(headers, &IF_NONE_MATCH).unwrap_or_default()
}

/// 428: a write has to say which version it is made from (RFC 6585 section 3).
pub(super) fn required() -> ApiError {
    ApiError::new(StatusCode::PRECONDITION_REQUIRED, "precondition_required", "If-Match is needed")
        .with_detail("send the ETag of the version that you changed")
}

/// 412: somebody else was faster.
pub(super) fn conflict(current: i64) -> ApiError {
    ApiError::new(StatusCode::PRECONDITION_FAILED, "version_conflict", "The note has changed meanwhile")
        .with_detail(format!("the current version is {current}"))
}

impl Condition {
    /// Strong comparison with the version of a note's content: a weak tag never matches (RFC 9110 section 8.8.3.2).
    /// Only the part of the tag that counts what a write replaces is compared: nobody has to begin again because an
    /// attachment came.
    pub(super) fn allows_write(&self, version: i64) -> bool {
        let version = version.to_string();
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|EntityTag(tag)| {
                let seen = tag.opaque.split_once('-').map_or(tag.opaque.as_str(), |(seen, _)| seen);
                !tag.weak && seen == version
            }),
        }
    }

    /// Weak comparison with the whole tag, for `If-None-Match`.
    pub(super) fn matches(&self, note: &Note) -> bool {
        let current = opaque(note);
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|EntityTag(tag)| tag.opaque == current),
        }
    }
}

/// Reads a field that may stand on several lines. `Ok(None)` when there is none.
fn parse(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Condition>, ()> {
    let mut tags = Vec::new();
    let mut lines = 0;
    for line in headers.get_all(name) {
        lines += 1;
        if line.as_bytes().trim_ascii() == b"*" {
            // Alone or not at all.
            return if headers.get_all(name).iter().count() == 1 { Ok(Some(Condition::Any)) } else { Err(()) };
        }
        list(line.as_bytes(), &mut tags)?;
    }
    match (lines, tags.is_empty()) {
        (0, _) => Ok(None),
        (_, true) => Err(()),
        (_, false) => Ok(Some(Condition::Tags(tags))),
    }
}

/// `#entity-tag`: commas between, empty elements allowed (RFC 9110 section 5.6.1.2). A tag itself may hold commas.
fn list(mut rest: &[u8], tags: &mut Vec<EntityTag>) -> Result<(), ()> {
    loop {
        rest = rest.trim_ascii_start();
        while let Some(more) = rest.strip_prefix(b",") {
            rest = more.trim_ascii_start();
        }
        if rest.is_empty() {
            return Ok(());
        }
        let strong = rest.strip_prefix(b"W/");
        let quoted = strong.unwrap_or(rest).strip_prefix(b"\"").ok_or(())?;
        let end = quoted.iter().position(|&byte| byte == b'"').ok_or(())?;
        let (opaque, after) = (&quoted[..end], quoted[end + 1..].trim_ascii_start());
        let valid = opaque.iter().all(|&byte| byte == 0x21 || matches!(byte, 0x23..=0x7e | 0x80..));
        if !valid || !(after.is_empty() || after.starts_with(b",")) {
            return Err(());
        }
        // Bytes above ASCII are allowed in a tag, but ours has none, so that a lossy reading never matches wrongly.
        tags.push(EntityTag(Tag { weak: strong.is_some(), opaque: String::from_utf8_lossy(opaque).into_owned() }));
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::note::Content;
    use crate::domain::share::Access;
    use jiff::Timestamp;

    fn headers(name: HeaderName, lines: &[&'static str]) -> HeaderMap {
        lines.iter().map(|line| (name.clone(), HeaderValue::from_static(line))).collect()
    }

    fn note(version: i64, detail: i64, access: Access) -> Note {
        Note {
            id: uuid::Uuid::nil(),
            owner: "ann".into(),
            access,
            content: Content::default(),
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
            version,
            detail,
            attachment_count: 0,
        }
    }

    #[test]
    fn writes_compare_strongly() {
        for (lines, allowed) in [
            (&["\"3\""][..], Some(true)),
            (&["\"3-7e\""], Some(true)),
            (&["\"2\""], Some(false)),
            (&["\"33\""], Some(false)),
            (&["W/\"3\""], Some(false)),
            (&["\"1\", \"a,b\" ,, W/\"2\", \"3\""], Some(true)),
            (&["\"1\"", "\"3\""], Some(true)),
            (&["*"], Some(true)),
            (&[" * "], Some(true)),
            (&["*, \"3\""], None),
            (&["*", "\"3\""], None),
            (&["\"3\"", "*"], None),
            (&["3"], None),
            (&["\"3"], None),
            (&["\"3\" \"4\""], None),
            (&["w/\"3\""], None),
            (&["\"a b\""], None),
            (&[""], None),
        ] {
            let found = if_match(&headers(IF_MATCH, lines)).ok().map(|found| found.expect("a field").allows_write(3));
            assert_eq!(found, allowed, "{lines:?}");
        }
        assert_eq!(if_match(&HeaderMap::new()), Ok(None));
    }

    #[test]
    fn reads_compare_weakly_and_with_everything_shown() {
        let plain = note(3, 0, Access::Owner);
        let shared = note(3, 2, Access::Owner);
        for (line, same) in [("\"3\"", true), ("W/\"3\"", true), ("\"3-2o\"", false), ("*", true), ("junk", false)] {
            let found = if_none_match(&headers(IF_NONE_MATCH, &[line])).is_some_and(|found| found.matches(&plain));
            assert_eq!(found, same, "{line}");
        }
        let found = if_none_match(&headers(IF_NONE_MATCH, &["\"3\""])).expect("a tag");
        assert!(!found.matches(&shared));
        assert_eq!(of(&shared), "\"3-2o\"");
        assert_ne!(of(&shared), of(&note(3, 2, Access::Viewer)));
    }
}
