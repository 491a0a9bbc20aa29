//! Conditional requests by the sections of RFC 9110.

use super::Outcome::{NotModified, PreconditionFailed, Proceed};
use super::*;
use http::HeaderValue;

const TAG: &str = "\"v1\"";
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

fn validators(etag: &str, is_strong: bool) -> Validators {
    let mut last_modified = LastModified::parse(&HeaderValue::from_static(DATE)).expect("date");
    last_modified.is_strong = is_strong;
    Validators { etag: HeaderValue::from_str(etag).ok().and_then(EntityTag::parse), last_modified: Some(last_modified) }
}

fn request(fields: &[(&HeaderName, &'static str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        map.append(*name, HeaderValue::from_static(value));
    }
    map
}

type Fields = &'static [(&'static HeaderName, &'static str)];

/// Field lines, for strong `"v1"` of [`DATE`], and what they lead to.
type Row = (Fields, Outcome);

#[rustfmt::skip]
const TABLE: &[Row] = &[
    (&[], Proceed),
    // Section 13.1.1: If-Match, strong comparison.
    (&[(&IF_MATCH, "\"v1\"")], Proceed),
    (&[(&IF_MATCH, "*")], Proceed),
    (&[(&IF_MATCH, "\"v0\", \"v1\"")], Proceed),
    (&[(&IF_MATCH, "\"v0\"")], PreconditionFailed),
    (&[(&IF_MATCH, "W/\"v1\"")], PreconditionFailed),
    (&[(&IF_MATCH, "")], PreconditionFailed),
    (&[(&IF_MATCH, "v1")], PreconditionFailed),
    (&[(&IF_MATCH, "\"v0\""), (&IF_MATCH, "\"v1\"")], Proceed),
    // Section 13.1.2: If-None-Match, weak comparison.
    (&[(&IF_NONE_MATCH, "\"v1\"")], NotModified),
    (&[(&IF_NONE_MATCH, "W/\"v1\"")], NotModified),
    (&[(&IF_NONE_MATCH, "*")], NotModified),
    (&[(&IF_NONE_MATCH, "\"a,b\" , ,\"v1\"")], NotModified),
    (&[(&IF_NONE_MATCH, "\"v0\""), (&IF_NONE_MATCH, "\"v1\"")], NotModified),
    (&[(&IF_NONE_MATCH, "\"v0\"")], Proceed),
    (&[(&IF_NONE_MATCH, "v1")], Proceed),
    (&[(&IF_NONE_MATCH, "\"v1")], Proceed),
    (&[(&IF_NONE_MATCH, "\"x\"v1\"")], Proceed),
    (&[(&IF_NONE_MATCH, "")], Proceed),
    // Section 13.1.3: If-Modified-Since.
    (&[(&IF_MODIFIED_SINCE, DATE)], NotModified),
    (&[(&IF_MODIFIED_SINCE, AFTER)], NotModified),
    (&[(&IF_MODIFIED_SINCE, BEFORE)], Proceed),
    (&[(&IF_MODIFIED_SINCE, "yesterday")], Proceed),
    (&[(&IF_MODIFIED_SINCE, "Sunday, 06-Nov-94 08:49:37 GMT")], NotModified),
    (&[(&IF_MODIFIED_SINCE, "Sun Nov  6 08:49:37 1994")], NotModified),
    (&[(&IF_MODIFIED_SINCE, DATE), (&IF_MODIFIED_SINCE, DATE)], Proceed),
    // Section 13.1.4: If-Unmodified-Since.
    (&[(&IF_UNMODIFIED_SINCE, DATE)], Proceed),
    (&[(&IF_UNMODIFIED_SINCE, AFTER)], Proceed),
    (&[(&IF_UNMODIFIED_SINCE, BEFORE)], PreconditionFailed),
    (&[(&IF_UNMODIFIED_SINCE, "tomorrow")], Proceed),
    // Section 13.2.2: who takes precedence.
    (&[(&IF_MATCH, "\"v1\""), (&IF_UNMODIFIED_SINCE, BEFORE)], Proceed),
    (&[(&IF_MATCH, "\"v0\""), (&IF_NONE_MATCH, "\"v1\"")], PreconditionFailed),
    (&[(&IF_MATCH, "\"v1\""), (&IF_NONE_MATCH, "\"v1\"")], NotModified),
    (&[(&IF_UNMODIFIED_SINCE, BEFORE), (&IF_NONE_MATCH, "\"v1\"")], PreconditionFailed),
    (&[(&IF_NONE_MATCH, "\"v0\""), (&IF_MODIFIED_SINCE, AFTER)], Proceed),
    (&[(&IF_NONE_MATCH, "\"v1\""), (&IF_MODIFIED_SINCE, BEFORE)], NotModified),
    (&[(&IF_UNMODIFIED_SINCE, DATE), (&IF_MODIFIED_SINCE, DATE)], NotModified),
];

#[test]
fn preconditions_follow_sections_13_1_and_13_2_2() {
    let validators = validators(TAG, true);
    for (fields, expected) in TABLE {
        assert_eq!(evaluate(&request(fields), &validators), *expected, "{fields:?}");
    }
}

#[test]
fn a_weak_tag_satisfies_no_if_match() {
    let validators = validators("W/\"v1\"", true);
    for value in ["\"v1\"", "W/\"v1\""] {
        assert_eq!(evaluate(&request(&[(&IF_MATCH, value)]), &validators), PreconditionFailed, "{value}");
        assert_eq!(evaluate(&request(&[(&IF_NONE_MATCH, value)]), &validators), NotModified, "{value}");
    }
}

#[test]
fn without_validators_only_stars_match() {
    let none = Validators { etag: None, last_modified: None };
    assert_eq!(evaluate(&request(&[(&IF_MATCH, "*")]), &none), Proceed);
    assert_eq!(evaluate(&request(&[(&IF_MATCH, TAG)]), &none), PreconditionFailed);
    assert_eq!(evaluate(&request(&[(&IF_NONE_MATCH, TAG)]), &none), Proceed);
    assert_eq!(evaluate(&request(&[(&IF_MODIFIED_SINCE, DATE)]), &none), Proceed);
    assert_eq!(evaluate(&request(&[(&IF_UNMODIFIED_SINCE, BEFORE)]), &none), Proceed);
}

#[test]
fn if_range_demands_the_very_same_content() {
    // Section 13.1.5; the last column is whether the date is a strong validator (section 8.8.2.2).
    let table: [(Fields, &str, bool, bool); 10] = [
        (&[], TAG, true, true),
        (&[(&IF_RANGE, "\"v1\"")], TAG, true, true),
        (&[(&IF_RANGE, "\"v0\"")], TAG, true, false),
        (&[(&IF_RANGE, "W/\"v1\"")], TAG, true, false),
        (&[(&IF_RANGE, "W/\"v1\"")], "W/\"v1\"", true, false),
        (&[(&IF_RANGE, DATE)], TAG, true, true),
        (&[(&IF_RANGE, DATE)], TAG, false, false),
        (&[(&IF_RANGE, AFTER)], TAG, true, false),
        (&[(&IF_RANGE, "nonsense")], TAG, true, false),
        (&[(&IF_RANGE, "\"v1\""), (&IF_RANGE, "\"v1\"")], TAG, true, false),
    ];
    for (fields, etag, is_strong, expected) in table {
        assert_eq!(range_applies(&request(fields), &validators(etag, is_strong)), expected, "{fields:?} {etag}");
    }
}
