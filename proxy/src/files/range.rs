//! The `Range` field: which part of a file is asked for (RFC 9110 section 14).

use http::header::RANGE;
use http::{HeaderMap, HeaderValue};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Selection {
    /// The whole file: no range, or one that is ignored because it is malformed, of another unit, or several.
    Whole,
    /// One part.
    Part(ByteRange),
    /// A range behind the end: 416.
    Unsatisfiable,
}

/// Reads `Range` for a file of `size` bytes.
///
/// Several ranges get the whole file, which section 14.2 permits. So does any range of an empty file: no
/// `Content-Range` could describe it, and clients that always send `bytes=0-` expect to succeed.
pub(super) fn select(request: &HeaderMap, size: u64) -> Selection {
    let mut values = request.get_all(RANGE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Selection::Whole };
    if size == 0 {
        return Selection::Whole;
    }
    value.to_str().ok().and_then(only_range).map_or(Selection::Whole, |range| range.within(size))
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
    fn within(self, size: u64) -> Selection {
        let end = size.saturating_sub(1);
        match self {
            Self::From { first, .. } if first >= size => Selection::Unsatisfiable,
            Self::From { first, last } => {
                Selection::Part(ByteRange { first, last: last.map_or(end, |last| last.min(end)) })
            }
            Self::Suffix { length: 0 } => Selection::Unsatisfiable,
            Self::Suffix { length } => Selection::Part(ByteRange { first: size.saturating_sub(length), last: end }),
        }
    }
}

/// The one range of a `bytes=` set; empty list elements don't count (RFC 9110 section 5.6.1).
fn only_range(value: &str) -> Option<Written> {
    let (unit, set) = value.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let mut elements = set.split(',').map(|element| element.trim_matches([' ', '\t'])).filter(|e| !e.is_empty());
    let (Some(element), None) = (elements.next(), elements.next()) else { return None };
    let (first, last) = element.split_once('-')?;
    match (first, last) {
        ("", length) => Some(Written::Suffix { length: number(length)? }),
        (first, "") => Some(Written::From { first: number(first)?, last: None }),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Written::From { first, last: Some(last) })
        }
    }
}

/// Digits only; what is larger than any file counts as the largest number.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn selected(value: &str, size: u64) -> Selection {
        let mut request = HeaderMap::new();
        request.insert(RANGE, HeaderValue::from_str(value).expect("value"));
        select(&request, size)
    }

    const fn part(first: u64, last: u64) -> Selection {
        Selection::Part(ByteRange { first, last })
    }

    #[test]
    fn ranges_follow_section_14_1_2() {
        use Selection::{Unsatisfiable, Whole};
        let table = [
            ("bytes=0-0", part(0, 0)),
            ("bytes=0-499", part(0, 499)),
            ("bytes=500-999", part(500, 999)),
            ("bytes=500-", part(500, 999)),
            ("bytes=0-", part(0, 999)),
            ("bytes=999-", part(999, 999)),
            ("bytes=0-1000", part(0, 999)),
            ("bytes=0-99999999999999999999999", part(0, 999)),
            ("bytes=-1", part(999, 999)),
            ("bytes=-500", part(500, 999)),
            ("bytes=-1000", part(0, 999)),
            ("bytes=-5000", part(0, 999)),
            ("bytes=-99999999999999999999999", part(0, 999)),
            ("Bytes=0-1", part(0, 1)),
            ("bytes= 0-1", part(0, 1)),
            ("bytes=,0-1, ,", part(0, 1)),
            ("bytes=1000-", Unsatisfiable),
            ("bytes=1000-1000", Unsatisfiable),
            ("bytes=99999999999999999999999-", Unsatisfiable),
            ("bytes=-0", Unsatisfiable),
            ("bytes=0-1,3-4", Whole),
            ("bytes=0-,0-,0-,0-", Whole),
            ("bytes=1-0", Whole),
            ("bytes=", Whole),
            ("bytes", Whole),
            ("bytes=-", Whole),
            ("bytes=--1", Whole),
            ("bytes=+1-2", Whole),
            ("bytes=1-2-3", Whole),
            ("bytes=a-b", Whole),
            ("bytes=0x1-2", Whole),
            ("bytes=1 - 2", Whole),
            ("items=0-1", Whole),
            ("", Whole),
        ];
        for (value, expected) in table {
            assert_eq!(selected(value, 1000), expected, "{value}");
        }
    }

    #[test]
    fn an_empty_file_has_no_parts() {
        for value in ["bytes=0-", "bytes=-1", "bytes=0-0"] {
            assert_eq!(selected(value, 0), Selection::Whole, "{value}");
        }
    }

    #[test]
    fn two_fields_are_ignored() {
        let mut request = HeaderMap::new();
        request.append(RANGE, HeaderValue::from_static("bytes=0-1"));
        request.append(RANGE, HeaderValue::from_static("bytes=2-3"));
        assert_eq!(select(&request, 10), Selection::Whole);
    }

    #[test]
    fn content_range_names_both_ends_and_the_size() {
        assert_eq!(ByteRange { first: 42, last: 1233 }.content_range(1234).expect("value"), "bytes 42-1233/1234");
    }

    proptest! {
        #[test]
        fn parts_lie_within_the_file(value in "[bB]ytes=[0-9]{0,22}-[0-9]{0,22}(,[0-9]{0,3}-)?", size in 1u64..5000) {
            if let Selection::Part(range) = selected(&value, size) {
                prop_assert!(range.first <= range.last && range.last < size);
                prop_assert!(range.len() >= 1 && range.len() <= size);
            }
        }

        #[test]
        fn consecutive_ranges_cover_the_file(size in 1u64..5000, step in 1u64..700) {
            let mut covered = 0;
            while covered < size {
                let Selection::Part(range) = selected(&format!("bytes={covered}-{}", covered + step - 1), size) else {
                    return Err(TestCaseError::fail("no part"));
                };
                prop_assert_eq!(range.first, covered);
                covered += range.len();
            }
            prop_assert_eq!(covered, size);
        }
    }
}
