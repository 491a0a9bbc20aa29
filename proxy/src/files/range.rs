//! The `Range` field: which part of a file is asked for (RFC 9110 section 14).

use http::header::RANGE;
use http::{HeaderMap, HeaderValue};

/// Ranges that one request may name.
const RANGES_MAX: usize = 64;

/// Bytes of a file, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ByteRange {
    /// The first byte, from 0.
    pub first: u64,
    /// The last byte, at least `first`.
    pub last: u64,
}

impl ByteRange {
    /// The number of bytes.
    pub(super) const fn len(self) -> u64 {
        self.last - self.first + 1
    }

    /// `Content-Range` of the part (RFC 9110 section 14.4).
    pub(super) fn content_range(self, size: u64) -> Option<HeaderValue> {
        HeaderValue::try_from(format!("bytes {}-{}/{size}", self.first, self.last)).ok()
    }
}

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Selection {
    /// The whole file: no range, or one that is ignored because it is malformed or of another unit.
    Whole,
    /// One part.
    Part(ByteRange),
    /// At least two parts that neither overlap nor touch, in the order in which they were asked for.
    Parts(Vec<ByteRange>),
    /// Only ranges behind the end, or too many of them: 416.
    Unsatisfiable,
}

/// Reads `Range` for a file of `size` bytes.
///
/// Any range of an empty file gets the whole of it: no `Content-Range` could describe it, and clients that always send
/// `bytes=0-` expect to succeed.
///
/// More than [`RANGES_MAX`] ranges are refused: section 15.5.17 has 416 for an excessive request of small or
/// overlapping ranges, and the whole of a large file would be an expensive answer to what no client means. Fewer cost
/// little more than the file itself, because no byte is sent twice.
pub(super) fn select(request: &HeaderMap, size: u64) -> Selection {
    let mut values = request.get_all(RANGE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Selection::Whole };
    if size == 0 {
        return Selection::Whole;
    }
    let Some(mut elements) = value.to_str().ok().and_then(elements) else { return Selection::Whole };
    let Some(first) = elements.next() else { return Selection::Whole };
    let Some(second) = elements.next() else {
        // The usual one, without a list.
        return match Written::parse(first) {
            None => Selection::Whole,
            Some(written) => written.within(size).map_or(Selection::Unsatisfiable, Selection::Part),
        };
    };
    let mut parts = Vec::new();
    for (index, element) in [first, second].into_iter().chain(elements).enumerate() {
        if index == RANGES_MAX {
            return Selection::Unsatisfiable;
        }
        // A malformed one makes the whole field malformed (section 14.2: it may be ignored).
        let Some(written) = Written::parse(element) else { return Selection::Whole };
        parts.extend(written.within(size));
    }
    let parts = merged(parts);
    match parts.as_slice() {
        [] => Selection::Unsatisfiable,
        [part] => Selection::Part(*part),
        _ => Selection::Parts(parts),
    }
}

/// Joins parts that overlap or touch (section 15.3.7.2 allows it); what is joined stands where its first piece was
/// asked for.
fn merged(parts: Vec<ByteRange>) -> Vec<ByteRange> {
    let mut numbered: Vec<(usize, ByteRange)> = parts.into_iter().enumerate().collect();
    numbered.sort_unstable_by_key(|(_, part)| part.first);
    let mut joined: Vec<(usize, ByteRange)> = Vec::with_capacity(numbered.len());
    for (place, part) in numbered {
        match joined.last_mut() {
            Some((earlier, last)) if part.first <= last.last.saturating_add(1) => {
                *earlier = place.min(*earlier);
                last.last = part.last.max(last.last);
            }
            _ => joined.push((place, part)),
        }
    }
    joined.sort_unstable_by_key(|(place, _)| *place);
    joined.into_iter().map(|(_, part)| part).collect()
}

/// A range as it is written, before it meets a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    /// `first-last` or `first-`.
    From { first: u64, last: Option<u64> },
    /// `-length`.
    Suffix { length: u64 },
}

impl Written {
    /// One element of a set (section 14.1.1).
    fn parse(element: &str) -> Option<Self> {
        let (first, last) = element.split_once('-')?;
        match (first, last) {
            ("", length) => Some(Self::Suffix { length: number(length)? }),
            (first, "") => Some(Self::From { first: number(first)?, last: None }),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::From { first, last: Some(last) })
            }
        }
    }

    /// The part of a file that is not empty; `None`: there is nothing at this place.
    fn within(self, size: u64) -> Option<ByteRange> {
        let end = size.saturating_sub(1);
        match self {
            Self::From { first, .. } if first >= size => None,
            Self::From { first, last } => Some(ByteRange { first, last: last.map_or(end, |last| last.min(end)) }),
            Self::Suffix { length: 0 } => None,
            Self::Suffix { length } => Some(ByteRange { first: size.saturating_sub(length), last: end }),
        }
    }
}

/// The elements of a `bytes=` set; empty ones don't count (RFC 9110 section 5.6.1).
fn elements(value: &str) -> Option<impl Iterator<Item = &str>> {
    let (unit, set) = value.split_once('=')?;
    let elements = set.split(',').map(|element| element.trim_matches([' ', '\t'])).filter(|e| !e.is_empty());
    unit.trim().eq_ignore_ascii_case("bytes").then_some(elements)
}

/// Digits only; what is larger than any file counts as the largest number.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
