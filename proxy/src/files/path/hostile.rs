//! Hostile paths, by trick. None may map outside the root; `super::super::tests` also sends each of them to a real
//! directory with a secret beside it.

use super::{HiddenNames, PathRefusal, RelativePath};

/// A trick, what answers it, and its spellings.
type Group = (PathRefusal, &'static [&'static str]);

/// Every group whose paths are refused for one reason.
#[rustfmt::skip]
const REFUSED: &[Group] = &[
    (PathRefusal::DotSegment, &[
        "/..", "/../", "/../secret", "/../../secret", "/../../../../../../../../etc/passwd", "/a/..", "/a/../..", "/a/../../secret",
        "/a/b/../../../secret", "/./secret", "/a/./b", "/.", "/./", "/%2e", "/%2e/", "/%2e%2e", "/%2E%2E", "/%2e%2E/secret",
        "/.%2e/secret", "/%2e./secret", "/.%2E/secret", "/%2E./secret", "/%2e%2e/%2e%2e/etc/passwd", "/a/%2e%2e/%2e%2e/secret",
        "/a/.%2e/%2e./secret", "/..;/secret", "/..;a=b/secret", "/..;/..;/secret", "/%2e%2e;/secret", "/%2e%2e%3b/secret",
        "/..%3b/secret", "/..%3B/secret", "/.;/secret", "/a/..;/secret", "/a/..;jsessionid=1/secret", "/.../secret", "/..../secret",
        "/...;/secret", "/.%20/secret", "/..%20/secret", "/..%20./secret", "/..%20%20/secret", "/..%20;/secret", "/.. ;/secret",
        "/ok/../secret?x", "/ok/%2e%2e/secret%20", "/a/b/..", "/....", "/a/..../b", "/.;x;y/secret",
    ]),
    (PathRefusal::EncodedSlash, &[
        "/..%2fsecret", "/..%2Fsecret", "/%2e%2e%2fsecret", "/%2e%2e%2Fsecret", "/.%2e%2fsecret", "/%2f", "/%2F", "/%2fetc/passwd",
        "/%2Fetc%2Fpasswd", "/a%2fb", "/a%2F..%2F..%2Fsecret", "/a%2f%2e%2e%2f%2e%2e%2fsecret", "/%2f%2fsecret", "/a/%2f/secret",
        "/..%2f..%2f..%2f..%2fetc%2fpasswd", "/%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/static%2f..%2fsecret", "/a%2f",
        "/%2fevil.example", "/%2F%2Fevil.example", "/..;%2fsecret", "/C:%2fsecret", "/a%2f..;%2fsecret",
    ]),
    (PathRefusal::Backslash, &[
        "/..\\secret", "/..%5csecret", "/..%5Csecret", "/%2e%2e%5csecret", "/%2e%2e%5Csecret", "/a\\..\\..\\secret", "/\\secret",
        "/\\\\server\\share", "/%5c%5cserver%5cshare", "/%5c", "/a%5c..%5c..%5csecret", "/.\\secret", "/%5c..%5csecret",
        "/\\..\\secret", "/..\\..\\..\\windows\\win.ini", "/%5Cevil.example", "/\\evil.example/", "/a%5cb", "/..%5c..%5c",
        "/.%5c.%5c/secret", "/C:\\secret", "/c:%5cwindows%5cwin.ini", "/..;\\secret", "/%5c../secret",
    ]),
    (PathRefusal::ControlCharacter, &[
        "/%00", "/a%00.html", "/secret%00.png", "/a%0a", "/a%0d%0aSet-Cookie:x=1",
        "/a%0D%0ALocation:%20x", "/a%09b", "/a%1b[31m", "/a%7f", "/a%7F", "/%01", "/%1f", "/..%00", "/..%00/secret", "/%2e%2e%00/secret",
        "/..%0d/secret", "/..%0a/secret", "/..%09/secret", "/..%7f/secret", "/a%C2%85b", "/a%C2%80", "/a%c2%9f", "/\u{0}", "/a\u{7}b",
        "/a\nb", "/a\r\nb", "/..%00%2fsecret", "/%00%2e%2e/secret", "/index.html%00../../secret", "/..%5c%00", "/%08",
    ]),
    (PathRefusal::NotUtf8, &[
        "/%c0%ae", "/%c0%ae%c0%ae/secret", "/%C0%AE%C0%AE%C0%AFsecret", "/%c0%2e%c0%2e/secret", "/..%c0%af", "/..%c0%afsecret",
        "/..%C0%AFsecret", "/..%c1%9csecret", "/..%c1%af", "/%e0%80%ae%e0%80%ae/secret", "/..%e0%80%afsecret", "/..%f0%80%80%afsecret",
        "/%f0%80%80%ae/secret", "/..%f8%80%80%80%afsecret", "/..%fc%80%80%80%80%afsecret", "/%ff", "/%fe", "/%80", "/%bf", "/a%ffb",
        "/%c3", "/%c3%28", "/%e2%82", "/%e2%28%a1", "/%f0%9f%98", "/%ed%a0%80", "/%ed%bf%bf", "/%f4%90%80%80", "/%c0%80", "/%c0",
        "/a%e9.txt", "/%c1%bf", "/%e0%9f%bf", "/%f5%80%80%80",
    ]),
    (PathRefusal::BadEscape, &[
        "/%", "/%2", "/%zz", "/%2g", "/%g2", "/a%", "/a%2", "/%%", "/%%32e", "/%%2e", "/%u002e%u002e/secret", "/%u2215", "/%u2216secret",
        "/%uff0e%uff0e/secret", "/..%u2215secret", "/% 2e", "/%2 e", "/%-2e", "/%+2", "/%0x2e", "/%2x", "/a%/b", "/%/../secret",
        "/%é0", "/%2é", "/%%35c", "/%%35%63", "/%25%", "/..%%35csecret", "/..%%32fsecret",
    ]),
    (PathRefusal::Drive, &[
        "/C:", "/c:/", "/C:/windows/win.ini", "/c%3a/secret", "/C%3A/secret", "/z:/x", "/C|/secret", "/c%7c/secret", "/a/C:/secret",
        "/C:secret", "/a::$DATA", "/index.html::$DATA", "/index.html%3a%3a$DATA", "/index.html%3A%3A%24DATA", "/secret::$INDEX_ALLOCATION/x",
    ]),
    (PathRefusal::NotAbsolute, &[
        "", "*", "secret", "../secret", "..", "http://evil.example/", "file:///etc/passwd", "%2e%2e/secret", "\\secret", "C:/x", "?", " /",
    ]),
    (PathRefusal::EmptySegment, &[
        "//", "//evil.example", "//evil.example/", "///etc/passwd", "//etc/passwd", "/a//b", "/a//", "//../secret", "//server/share/secret",
        "/a///", "//./secret", "////secret",
    ]),
    (PathRefusal::Hidden, &[
        "/.env", "/.git/HEAD", "/.git/config", "/.htaccess", "/.htpasswd", "/.ssh/id_rsa", "/a/.env", "/%2eenv", "/%2Egit/config",
        "/.DS_Store", "/.svn/entries", "/a/b/.hidden/c", "/..secret", "/...secret", "/.well-knownx/y", "/a/.well-known/y",
        "/.well-known/.env", "/.a;b", "/..%2esecret", "/.%3a",
    ]),
];

/// Odd but harmless: names that exist nowhere, decoded exactly once.
#[rustfmt::skip]
const HARMLESS: &[&str] = &[
    "/%252e%252e%252fsecret", "/%252e%252e/secret", "/%252fsecret", "/%25%32%65%25%32%65/secret", "/%25252e",
    "/~root/secret", "/~/secret", "/$HOME/secret", "/${env:HOME}", "/`id`", "/$(id)", "/a|id", "/;/secret", "/;..;/secret", "/a;/secret",
    "/%EF%BC%8E%EF%BC%8E/secret", "/%E2%88%95secret", "/%E2%88%96secret", "/%EF%BC%8Fsecret", "/%EF%BC%BCsecret", "/%E2%80%A5/secret",
    "/CON", "/nul", "/aux.txt", "/secret.", "/secret%20", "/%20", "/%3f", "/%23", "/%26", "/*", "/[a-z]ecret", "/?ecret", "/proc/self/environ",
    "/etc/passwd", "/dev/zero", "/sys/kernel", "/index.html/", "/index.html/x", "/index.html/secret", "/secret~", "/a'b\"c<d>", "/\u{202e}txt.exe",
];

/// All hostile paths, for the test that sends them.
pub(crate) fn all() -> impl Iterator<Item = &'static str> {
    REFUSED.iter().flat_map(|(_, paths)| paths.iter().copied()).chain(HARMLESS.iter().copied())
}

#[test]
fn each_trick_is_refused_for_its_reason() {
    for (refusal, paths) in REFUSED {
        for raw in *paths {
            assert_eq!(RelativePath::parse(raw, &[], HiddenNames::Refused), Err(*refusal), "{raw:?}");
        }
    }
}

#[test]
fn harmless_names_stay_below_the_root() {
    for raw in HARMLESS {
        let path = RelativePath::parse(raw, &[], HiddenNames::Refused).expect(raw);
        assert!(path.as_str().split('/').all(|name| name != ".."), "{raw:?}");
    }
}

#[test]
fn the_corpus_is_as_large_as_promised() {
    assert!(all().count() >= 200, "{}", all().count());
}
