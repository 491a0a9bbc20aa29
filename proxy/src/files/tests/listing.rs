//! Directories that are listed.

use super::*;
use http::StatusCode;
use http::header::{ACCEPT, CONTENT_TYPE};
use std::os::unix::fs::symlink;

fn listed(symlinks: config::Symlinks) -> Site {
    let files: &[(&str, &[u8])] = &[
        ("a/x.txt", b"123"),
        ("a/.hidden", b"h"),
        ("a/sub/y", b"y"),
        ("a/back\\slash", b"b"),
        ("b/index.html", b"page"),
    ];
    let site = Site::with(files, |config| {
        config.listing = true;
        config.symlinks = symlinks;
    });
    std::fs::write(site.directory.path().join("secret"), "secret").expect("a file");
    symlink("x.txt", site.path("a/link")).expect("a link");
    symlink("../../secret", site.path("a/out")).expect("a link");
    site
}

async fn names(site: &Site, target: &str) -> Vec<String> {
    let got = site.get_if(target, ACCEPT, "application/json").await.expect("a list");
    assert_eq!((got.head.status, got.field(CONTENT_TYPE)), (StatusCode::OK, "application/json"));
    let list: serde_json::Value = serde_json::from_slice(&got.body).expect("JSON");
    assert_eq!(list["complete"], true);
    let name = |entry: &serde_json::Value| entry["name"].as_str().expect("a name").to_owned();
    list["entries"].as_array().expect("entries").iter().map(name).collect()
}

#[tokio::test]
async fn a_list_shows_what_can_be_had_and_nothing_else() {
    let site = listed(config::Symlinks::No);
    assert_eq!(names(&site, "/a/").await, ["sub", "x.txt"]);
    assert_eq!(names(&site, "/").await, ["a", "b"]);
    assert_eq!(names(&listed(config::Symlinks::SameRoot), "/a/").await, ["sub", "link", "x.txt"]);
    let page = site.get("/a/").await.expect("a page");
    assert!(std::str::from_utf8(&page.body).expect("text").contains("<a href=\"./x.txt\">x.txt</a> 3 bytes"));
    assert_eq!(site.get("/b/").await.expect("its index").body, "page");
    assert_eq!(site.get("/a").await.expect("to the slash").head.status, StatusCode::PERMANENT_REDIRECT);
    for none in ["/none/", "/a/x.txt/", "/a/link/", "/.hidden/"] {
        assert!(matches!(site.get(none).await, Err(FileError::NotFound { .. })), "{none}");
    }
}

/// Found in a review: they could be had, and were not shown.
#[tokio::test]
async fn where_hidden_files_are_served_they_are_listed() {
    let files: &[(&str, &[u8])] = &[("a/x.txt", b"123"), ("a/.hidden", b"h"), (".well-known/y", b"y")];
    let site = Site::with(files, |config| {
        config.listing = true;
        config.hidden = true;
    });
    assert_eq!(names(&site, "/a/").await, [".hidden", "x.txt"]);
    assert_eq!(site.get("/a/.hidden").await.expect("a file").body, "h");
    assert_eq!(names(&site, "/").await, [".well-known", "a"]);
}
