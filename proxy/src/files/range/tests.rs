//! Ranges by the sections of RFC 9110.

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

fn parts(all: &[(u64, u64)]) -> Selection {
    Selection::Parts(all.iter().map(|&(first, last)| ByteRange { first, last }).collect())
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
        ("bytes=1-0", Whole),
        ("bytes=", Whole),
        ("bytes=,,", Whole),
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
fn sets_follow_sections_14_2_and_15_3_7_2() {
    use Selection::{Unsatisfiable, Whole};
    let table = [
        ("bytes=0-0,-1", parts(&[(0, 0), (999, 999)])),
        ("bytes=500-600,601-999", part(500, 999)),
        ("bytes=500-700,601-999", part(500, 999)),
        ("bytes=0-1,3-4", parts(&[(0, 1), (3, 4)])),
        ("bytes=3-4, 0-1", parts(&[(3, 4), (0, 1)])),
        ("bytes=10-20,0-5,15-30", parts(&[(10, 30), (0, 5)])),
        ("bytes=900-,0-5,15-30,10-20", parts(&[(900, 999), (0, 5), (10, 30)])),
        ("bytes=0-,0-,0-,0-", part(0, 999)),
        ("bytes=0-9,-1000", part(0, 999)),
        ("bytes=0-9,5-6,-0", part(0, 9)),
        // What lies behind the end is left out; section 14.1.2.
        ("bytes=0-9,1000-2000", part(0, 9)),
        ("bytes=5000-,0-9,20-29,-0", parts(&[(0, 9), (20, 29)])),
        ("bytes=1000-,2000-,-0", Unsatisfiable),
        // One malformed element makes the field malformed.
        ("bytes=0-9,x", Whole),
        ("bytes=0-9,9-8", Whole),
        ("bytes=0-1;2-3", Whole),
    ];
    for (value, expected) in table {
        assert_eq!(selected(value, 1000), expected, "{value}");
    }
}

#[test]
fn more_ranges_than_anybody_means_are_refused() {
    let set = |count: u64| {
        let all: Vec<String> = (0..count).map(|index| format!("{}-{}", index * 3, index * 3)).collect();
        format!("bytes={}", all.join(","))
    };
    assert!(matches!(selected(&set(64), 1000), Selection::Parts(parts) if parts.len() == 64));
    assert_eq!(selected(&set(65), 1000), Selection::Unsatisfiable);
    let overlapping = format!("bytes={}", vec!["0-"; 65].join(","));
    assert_eq!(selected(&overlapping, 1000), Selection::Unsatisfiable);
}

#[test]
fn an_empty_file_has_no_parts() {
    for value in ["bytes=0-", "bytes=-1", "bytes=0-0", "bytes=0-0,2-3"] {
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

fn all_of(selection: Selection) -> Vec<ByteRange> {
    match selection {
        Selection::Part(part) => vec![part],
        Selection::Parts(parts) => parts,
        Selection::Whole | Selection::Unsatisfiable => Vec::new(),
    }
}

proptest! {
    #[test]
    fn parts_lie_within_the_file(
        value in "[bB]ytes=[0-9]{0,22}-[0-9]{0,22}(,[0-9]{0,3}-[0-9]{0,4}){0,5}",
        size in 1u64..5000,
    ) {
        for range in all_of(selected(&value, size)) {
            prop_assert!(range.first <= range.last && range.last < size);
            prop_assert!(range.len() >= 1 && range.len() <= size);
        }
    }

    #[test]
    fn any_set_selects_exactly_the_bytes_that_it_names(
        set in prop::collection::vec((0u64..300, 0u64..60), 1..64),
        size in 1u64..250,
    ) {
        let written: Vec<String> =
            set.iter().map(|(first, more)| format!("{first}-{}", first + more)).collect();
        let mut named = vec![0u8; usize::try_from(size).expect("small")];
        for (first, more) in &set {
            for byte in *first..=(first + more).min(size - 1) {
                named[usize::try_from(byte).expect("small")] = 1;
            }
        }
        let mut sent = vec![0u8; named.len()];
        let selected = all_of(selected(&format!("bytes={}", written.join(",")), size));
        for part in &selected {
            for byte in part.first..=part.last {
                sent[usize::try_from(byte).expect("small")] += 1;
            }
            let touches = |other: &&ByteRange| {
                *other != part && other.first <= part.last + 1 && part.first <= other.last + 1
            };
            prop_assert!(!selected.iter().any(|other| touches(&other)), "{selected:?}");
        }
        prop_assert_eq!(sent, named, "each byte once");
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
