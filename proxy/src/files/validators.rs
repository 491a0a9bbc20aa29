//! Validators: what a client may hold against a file to learn whether it has changed (RFC 9110 section 8.8).

use super::stamp::Stamp;
use crate::config::Coding;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use std::time::{Duration, SystemTime};

/// Bytes of a digest that go into an entity tag: 128 bits never collide by accident.
const TAG_BYTES: usize = 16;

/// The validators of one version of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Validators {
    /// Always there for files; an application may leave it out of an internal answer.
    pub etag: Option<EntityTag>,
    /// `None` for files from before 1970.
    pub last_modified: Option<LastModified>,
}

impl Validators {
    /// For bytes at hand: the tag is made from the content, so it is the same on every server and for every copy.
    pub(super) fn of_content(content: &[u8], stamp: &Stamp, now: SystemTime) -> Self {
        Self { etag: EntityTag::strong(content), last_modified: LastModified::of_file(stamp, now) }
    }

    /// For coded bytes at hand: made from these, and marked with the coding, so that no two forms share a tag
    /// (RFC 9110 section 8.8.3.3).
    pub(super) fn of_coded_content(content: &[u8], coding: Coding, stamp: &Stamp, now: SystemTime) -> Self {
        Self { etag: EntityTag::of_coded(content, coding), last_modified: LastModified::of_file(stamp, now) }
    }

    /// For bytes that were coded here, of a file of this version.
    pub(super) fn of_made_content(etag: Option<EntityTag>, file: &Self) -> Self {
        Self { etag, last_modified: file.last_modified.clone() }.among_others()
    }

    /// Where there is more than one form of a file: they may have the same date, so it does not tell which of them a
    /// client has a part of, and is no strong validator (RFC 9110 section 8.8.2.2).
    pub(super) fn among_others(self) -> Self {
        let last_modified = self.last_modified.map(|modified| LastModified { is_strong: false, ..modified });
        Self { last_modified, ..self }
    }

    /// For a twin that is only streamed, as [`Self::of_stamp`].
    pub(super) fn of_coded_stamp(stamp: &Stamp, coding: Coding, now: SystemTime) -> Self {
        let bytes = stamp.to_bytes();
        let tag = hash(&bytes);
        let etag = match stamp.is_settled(now) {
            true => EntityTag::coded(&tag, coding),
            false => EntityTag::parse_text(&format!("W/\"{tag}-{}\"", coding.token())),
        };
        Self { etag, last_modified: LastModified::of_file(stamp, now) }
    }

    /// For a file that is only streamed: the tag is made from the stamp, hashed so that it tells nothing of the disk.
    /// It is weak while the file may still change without changing its stamp (RFC 9110 section 8.8.1).
    pub(super) fn of_stamp(stamp: &Stamp, now: SystemTime) -> Self {
        let bytes = stamp.to_bytes();
        let etag = if stamp.is_settled(now) { EntityTag::strong(&bytes) } else { EntityTag::weak(&bytes) };
        Self { etag, last_modified: LastModified::of_file(stamp, now) }
    }
}

/// An entity tag, ours or the application's (RFC 9110 section 8.8.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EntityTag(HeaderValue);

impl EntityTag {
    fn strong(facts: &[u8]) -> Option<Self> {
        Self::parse(HeaderValue::try_from(format!("\"{}\"", hash(facts))).ok()?)
    }

    fn weak(facts: &[u8]) -> Option<Self> {
        Self::parse(HeaderValue::try_from(format!("W/\"{}\"", hash(facts))).ok()?)
    }

    /// The tag of coded bytes, with the coding's name at its end.
    pub(super) fn of_coded(content: &[u8], coding: Coding) -> Option<Self> {
        Self::coded(&hash(content), coding)
    }

    fn coded(tag: &str, coding: Coding) -> Option<Self> {
        Self::parse_text(&format!("\"{tag}-{}\"", coding.token()))
    }

    fn parse_text(text: &str) -> Option<Self> {
        Self::parse(HeaderValue::try_from(text).ok()?)
    }

    /// Whether it stands for exactly one sequence of bytes.
    pub(super) fn is_strong(&self) -> bool {
        !self.0.as_bytes().starts_with(b"W/")
    }

    /// Takes a field value that is one entity tag.
    pub(super) fn parse(value: HeaderValue) -> Option<Self> {
        let bytes = value.as_bytes();
        let opaque = bytes.strip_prefix(b"W/").unwrap_or(bytes);
        let [b'"', inner @ .., b'"'] = opaque else { return None };
        inner.iter().all(|&byte| is_tag_byte(byte)).then_some(Self(value))
    }

    /// The field value.
    pub(super) fn value(&self) -> &HeaderValue {
        &self.0
    }

    /// Whether another tag, as it stands in a field, is the same (RFC 9110 section 8.8.3.2).
    pub(super) fn matches(&self, other: &[u8], comparison: Comparison) -> bool {
        let ours = self.0.as_bytes();
        match comparison {
            Comparison::Strong => ours == other && !ours.starts_with(b"W/"),
            Comparison::Weak => ours.strip_prefix(b"W/").unwrap_or(ours) == other.strip_prefix(b"W/").unwrap_or(other),
        }
    }
}

/// How two entity tags are compared (RFC 9110 section 8.8.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    /// Byte for byte the same content: If-Match, If-Range.
    Strong,
    /// Good enough to use a stored copy: If-None-Match.
    Weak,
}

/// `etagc` of RFC 9110 section 8.8.3.
pub(super) const fn is_tag_byte(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x7e | 0x80..=0xff)
}

/// When a file was last changed, in whole seconds, as the field carries it (RFC 9110 section 8.8.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LastModified {
    /// Without fractions, as the client sees it.
    pub time: SystemTime,
    /// Whether it can't have changed a second time within that second (RFC 9110 section 8.8.2.2).
    pub is_strong: bool,
    value: HeaderValue,
}

impl LastModified {
    fn of_file(stamp: &Stamp, now: SystemTime) -> Option<Self> {
        // RFC 9110 section 8.8.2.1: never later than the answer's own date.
        Self::of_time(stamp.modified()?.min(now), stamp.is_settled(now))
    }

    /// Takes the application's field.
    pub(super) fn parse(value: &HeaderValue) -> Option<Self> {
        Self::of_time(httpdate::parse_http_date(value.to_str().ok()?).ok()?, false)
    }

    fn of_time(time: SystemTime, is_strong: bool) -> Option<Self> {
        let seconds = time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
        // httpdate can't write years of five digits, and panics.
        if seconds >= 253_402_300_800 {
            return None;
        }
        let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
        let value = HeaderValue::try_from(httpdate::fmt_http_date(time)).ok()?;
        Some(Self { time, is_strong, value })
    }

    /// The field value.
    pub(super) fn value(&self) -> &HeaderValue {
        &self.value
    }
}

fn hash(facts: &[u8]) -> String {
    let digest = digest(&SHA256, facts);
    let bytes = digest.as_ref();
    URL_SAFE_NO_PAD.encode(bytes.get(..TAG_BYTES).unwrap_or(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp() -> Stamp {
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        Stamp::of(&file.as_file().metadata().expect("metadata"))
    }

    #[test]
    fn the_tag_of_content_depends_on_nothing_else() {
        let (one, other) = (stamp(), stamp());
        assert_ne!(one, other);
        let now = SystemTime::now();
        let tag = |content: &[u8], stamp| Validators::of_content(content, stamp, now).etag;
        assert_eq!(tag(b"a", &one), tag(b"a", &other));
        assert_ne!(tag(b"a", &one), tag(b"b", &one));
    }

    #[test]
    fn the_tag_of_a_stamp_is_weak_until_the_file_has_settled() {
        let (stamp, now) = (stamp(), SystemTime::now());
        let early = Validators::of_stamp(&stamp, now).etag.expect("tag");
        let late = Validators::of_stamp(&stamp, now + Duration::from_secs(3)).etag.expect("tag");
        assert!(early.value().as_bytes().starts_with(b"W/\""));
        assert!(late.value().as_bytes().starts_with(b"\""));
        assert!(early.matches(late.value().as_bytes(), Comparison::Weak));
        assert!(!early.matches(late.value().as_bytes(), Comparison::Strong));
        assert!(!early.matches(early.value().as_bytes(), Comparison::Strong), "weak tags never match strongly");
    }

    #[test]
    fn comparison_follows_the_table_of_section_8_8_3_2() {
        let table = [
            ("W/\"1\"", "W/\"1\"", false, true),
            ("W/\"1\"", "W/\"2\"", false, false),
            ("W/\"1\"", "\"1\"", false, true),
            ("\"1\"", "\"1\"", true, true),
        ];
        for (ours, other, strong, weak) in table {
            let tag = EntityTag::parse(HeaderValue::from_static(ours)).expect(ours);
            assert_eq!(tag.matches(other.as_bytes(), Comparison::Strong), strong, "{ours} {other}");
            assert_eq!(tag.matches(other.as_bytes(), Comparison::Weak), weak, "{ours} {other}");
        }
    }

    #[test]
    fn only_entity_tags_parse() {
        for value in ["", "abc", "\"", "\"a", "W/", "w/\"a\"", "\"a\"b\"", "\"a\", \"b\"", "\"a b\""] {
            assert_eq!(EntityTag::parse(HeaderValue::from_static(value)), None, "{value}");
        }
        for value in ["\"\"", "\"abc\"", "W/\"abc\"", "\"a,b\""] {
            assert!(EntityTag::parse(HeaderValue::from_static(value)).is_some(), "{value}");
        }
    }

    #[test]
    fn the_date_is_never_in_the_future() {
        let stamp = stamp();
        let past = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let clamped = LastModified::of_file(&stamp, past).expect("date");
        assert_eq!(clamped.value(), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(clamped.time, past);
    }

    #[test]
    fn a_date_that_the_field_cannot_carry_is_left_out() {
        let far = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_800);
        assert_eq!(LastModified::of_time(far, true), None);
    }
}
