//! Conditional requests, evaluated in the order of RFC 9110 section 13.2.2.

use super::validators::{Comparison, EntityTag, LastModified, Validators, is_tag_byte};
use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};
use http::{HeaderMap, HeaderName};
use std::time::SystemTime;

/// What the preconditions of a GET or HEAD say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Answer as if there were none.
    Proceed,
    /// 304.
    NotModified,
    /// 412.
    PreconditionFailed,
}

/// Steps 1 to 4 of RFC 9110 section 13.2.2.
pub(super) fn evaluate(request: &HeaderMap, validators: &Validators) -> Outcome {
    // Most requests have no condition: to look at the names that are there costs less than to ask for each of the four.
    if !request.keys().any(|name| name.as_str().starts_with("if-")) {
        return Outcome::Proceed;
    }
    let holds = match matches_any(request, &IF_MATCH, validators.etag.as_ref(), Comparison::Strong) {
        Some(matches) => matches,
        None => date(request, &IF_UNMODIFIED_SINCE)
            .zip(validators.last_modified.as_ref())
            .is_none_or(|(limit, modified)| modified.time <= limit),
    };
    if !holds {
        return Outcome::PreconditionFailed;
    }
    let is_known = match matches_any(request, &IF_NONE_MATCH, validators.etag.as_ref(), Comparison::Weak) {
        Some(matches) => matches,
        None => date(request, &IF_MODIFIED_SINCE)
            .zip(validators.last_modified.as_ref())
            .is_some_and(|(known, modified)| modified.time <= known),
    };
    if is_known { Outcome::NotModified } else { Outcome::Proceed }
}

/// Step 5: whether `Range` is honoured. Without `If-Range` it is; with one only for the very same content
/// (RFC 9110 section 13.1.5).
pub(super) fn range_applies(request: &HeaderMap, validators: &Validators) -> bool {
    let mut values = request.get_all(IF_RANGE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return !request.contains_key(IF_RANGE);
    };
    if EntityTag::parse(value.clone()).is_some() {
        return validators.etag.as_ref().is_some_and(|etag| etag.matches(value.as_bytes(), Comparison::Strong));
    }
    LastModified::parse(value)
        .zip(validators.last_modified.as_ref())
        .is_some_and(|(expected, modified)| modified.is_strong && modified.time == expected.time)
}

/// Whether a list of entity tags names ours; `None` when the field is absent. A malformed list ends where it breaks:
/// what stands before counts.
fn matches_any(
    request: &HeaderMap,
    name: &HeaderName,
    etag: Option<&EntityTag>,
    comparison: Comparison,
) -> Option<bool> {
    let mut lines = request.get_all(name).iter().peekable();
    lines.peek()?;
    Some(lines.any(|line| {
        let line = line.as_bytes().trim_ascii();
        line == b"*" || etag.is_some_and(|etag| Tags(line).any(|tag| etag.matches(tag, comparison)))
    }))
}

/// A date field; one that is no date, or stands there twice, is ignored (RFC 9110 section 13.1.3).
fn date(request: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    let mut values = request.get_all(name).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    httpdate::parse_http_date(value.to_str().ok()?).ok()
}

/// The entity tags of one field line; commas within quotes belong to a tag.
struct Tags<'a>(&'a [u8]);

impl<'a> Iterator for Tags<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.0.iter().position(|byte| !matches!(byte, b',' | b' ' | b'\t'))?;
        let rest = self.0.get(start..)?;
        let opaque = rest.strip_prefix(b"W/").unwrap_or(rest).strip_prefix(b"\"")?;
        let inner = opaque.iter().position(|&byte| !is_tag_byte(byte))?;
        if opaque.get(inner) != Some(&b'"') {
            return None;
        }
        let (tag, after) = rest.split_at(rest.len() - opaque.len() + inner + 1);
        self.0 = after;
        Some(tag)
    }
}

#[cfg(test)]
mod tests;
