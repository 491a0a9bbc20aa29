//! Path mapping: the table of good paths and what holds for every string.

use super::*;
use proptest::prelude::*;

fn parse(raw: &str) -> Result<RelativePath, PathRefusal> {
    RelativePath::parse(raw, &[], HiddenNames::Refused)
}

#[test]
fn good_paths_map_to_names_below_the_root() {
    let table = [
        ("/", "", true),
        ("/index.html", "index.html", false),
        ("/docs/", "docs", true),
        ("/docs", "docs", false),
        ("/a/b/c.txt", "a/b/c.txt", false),
        ("/caf%C3%A9.html", "café.html", false),
        ("/a%20b.txt", "a b.txt", false),
        ("/%61.txt", "a.txt", false),
        ("/a..b/c..", "a..b/c..", false),
        ("/100%25.txt", "100%.txt", false),
        ("/.well-known/security.txt", ".well-known/security.txt", false),
        ("/a;b=c.txt", "a;b=c.txt", false),
        ("/ab:c.txt", "ab:c.txt", false),
        // Decoded once: a second round of escapes is a name and nothing else.
        ("/%252e%252e%252fsecret", "%2e%2e%2fsecret", false),
    ];
    for (raw, text, final_slash) in table {
        assert_eq!(parse(raw), Ok(RelativePath { text: text.to_owned(), final_slash }), "{raw}");
    }
}

#[test]
fn the_prefix_is_cut_after_decoding() {
    let prefix: [Box<str>; 1] = ["static".into()];
    let strip = |raw| RelativePath::parse(raw, &prefix, HiddenNames::Refused).map(|path| path.text);
    assert_eq!(strip("/static/app.js").as_deref(), Ok("app.js"));
    assert_eq!(strip("/st%61tic/app.js").as_deref(), Ok("app.js"));
    assert_eq!(strip("/static").as_deref(), Ok(""));
    assert_eq!(strip("/static/").as_deref(), Ok(""));
    assert_eq!(strip("/statics/app.js"), Err(PathRefusal::OutsidePrefix));
    assert_eq!(strip("/"), Err(PathRefusal::OutsidePrefix));
    assert_eq!(strip("/static/.env"), Err(PathRefusal::Hidden));
}

#[test]
fn hidden_names_are_for_the_application_only() {
    assert_eq!(parse("/.git/config"), Err(PathRefusal::Hidden));
    assert_eq!(parse("/a/.well-known/x"), Err(PathRefusal::Hidden));
    let allowed = RelativePath::parse("/.cache/x", &[], HiddenNames::Allowed).map(|path| path.text);
    assert_eq!(allowed.as_deref(), Ok(".cache/x"));
    assert_eq!(RelativePath::parse("/a/../x", &[], HiddenNames::Allowed), Err(PathRefusal::DotSegment));
}

#[test]
fn names_longer_than_any_file_are_not_found() {
    let raw = format!("/{}", "a/".repeat(3000));
    assert_eq!(parse(&raw), Err(PathRefusal::TooLong));
}

#[test]
fn configured_names_obey_the_same_rules() {
    assert_eq!(RelativePath::from_plain("index.html").map(|path| path.text).as_deref(), Ok("index.html"));
    assert_eq!(RelativePath::from_plain("/app/index.html").map(|path| path.text).as_deref(), Ok("app/index.html"));
    assert_eq!(RelativePath::from_plain("../index.html"), Err(PathRefusal::DotSegment));
    assert_eq!(RelativePath::from_plain(""), Err(PathRefusal::EmptySegment));
}

#[test]
fn an_asset_has_an_extension() {
    let table = [
        ("/app.js", true),
        ("/assets/app.3f2a91c8.js", true),
        ("/users/jane", false),
        ("/docs/v1.2", false),
        ("/docs.d/", false),
        ("/a.b/c", false),
        ("/movie.mp4", true),
    ];
    for (raw, expected) in table {
        assert_eq!(parse(raw).map(|path| path.looks_like_asset()), Ok(expected), "{raw}");
    }
}

#[test]
fn plain_spelling_escapes_only_what_needs_it() {
    for raw in ["/", "/a.js", "/caf%C3%A9", "/a%20b", "/100%25"] {
        assert!(is_plainly_spelled(raw), "{raw}");
    }
    for raw in ["/%61.js", "/a%2Ejs", "/caf%c3%A9", "/a%2Djs", "/%5F", "/%7E", "/%7A", "/%50", "/%", "/%4"] {
        assert!(!is_plainly_spelled(raw), "{raw}");
    }
}

proptest! {
    #[test]
    fn no_string_maps_outside_the_root(raw in "(/|%2[eEfF]|%5[cC]|\\.|;|%|%00|[a-c]|%[cC]0%[aA][fF]|\\PC){0,24}") {
        if let Ok(path) = parse(&format!("/{raw}")) {
            prop_assert!(!path.as_str().starts_with('/'));
            prop_assert!(!path.as_str().contains(['\\', '\0']));
            for name in path.as_str().split('/') {
                prop_assert!(name != "." && name != "..", "{}", path.as_str());
                prop_assert!(!name.is_empty() || path.as_str().is_empty());
            }
        }
    }

    #[test]
    fn an_encoded_name_decodes_to_itself(name in "[a-zA-Z0-9éß %+~_-]{1,20}") {
        let encoded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        prop_assert_eq!(parse(&format!("/{encoded}")).map(|path| path.text), Ok(name));
    }
}
