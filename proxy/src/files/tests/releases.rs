//! Sites that are deployed in releases.

use super::*;
use std::os::unix::fs::symlink;
use std::time::Duration;

/// `site/v1` to `site/v3`, each with a page and a script of its own; `v1` is the current one.
fn deployed(kept: usize) -> Site {
    let files: &[(&str, &[u8])] = &[
        ("v1/index.html", b"one"),
        ("v1/app.1f2a91c8.js", b"1"),
        ("v1/old.txt", b"old"),
        ("v2/index.html", b"two"),
        ("v2/app.2f2a91c8.js", b"2"),
        ("v3/index.html", b"three"),
        ("v3/app.3f2a91c8.js", b"3"),
        ("loose.3f2a91c8.js", b"beside the releases"),
    ];
    let mut site = Site::new(files);
    symlink("v1", site.path("current")).expect("current");
    let mut config = config::Files::of(site.path(""));
    config.releases_kept = Some(kept);
    site.server = FileServer::open(&config).expect("a release");
    site.start = Instant::now();
    site
}

/// As a deploy does: a new link is renamed over the old one.
fn switch(site: &Site, to: &str) {
    symlink(to, site.path("next")).expect("a link");
    std::fs::rename(site.path("next"), site.path("current")).expect("rename");
}

impl Site {
    async fn text_after(&self, target: &str, after: Duration) -> Result<String, FileError> {
        let headers = HeaderMap::new();
        let request = FileRequest { method: &Method::GET, raw_path: target, query: None, headers: &headers };
        let got = collect(self.server.serve(request, &self.files, self.start + after).await?).await?;
        Ok(String::from_utf8(got.body.to_vec()).expect("text"))
    }
}

const GONE: FileError = FileError::NotFound { no_store: true };

#[tokio::test]
async fn a_switch_is_noticed_within_a_second_and_old_fingerprints_stay() {
    let site = deployed(3);
    let at = Duration::from_millis;
    assert_eq!(site.text_after("/", at(0)).await.expect("page"), "one");
    assert_eq!(site.text_after("/old.txt", at(900)).await.expect("file"), "old");
    switch(&site, "v2");
    assert_eq!(site.text_after("/", at(900)).await.expect("page"), "one", "still believed");
    assert_eq!(site.text_after("/", at(1100)).await.expect("page"), "two");
    assert_eq!(
        site.text_after("/old.txt", at(1100)).await.err(),
        Some(GONE),
        "kept in memory since 0.9 s, but of another release; and its name is no fingerprint"
    );
    for (script, text) in [("/app.1f2a91c8.js", "1"), ("/app.2f2a91c8.js", "2"), ("/app.3f2a91c8.js", "3")] {
        assert_eq!(site.text_after(script, at(1200)).await.expect("script"), text);
        assert_eq!(site.text_after(script, at(1300)).await.expect("from memory"), text);
    }
    for outside in ["/loose.3f2a91c8.js", "/v3/app.3f2a91c8.js", "/current/app.3f2a91c8.js"] {
        assert_eq!(site.text_after(outside, at(1200)).await.err(), Some(GONE), "{outside}");
    }
}

#[tokio::test]
async fn what_memory_answers_does_not_look_at_current() {
    let site = deployed(3);
    site.text_after("/", Duration::ZERO).await.expect("page");
    std::fs::remove_dir_all(site.path("")).expect("nothing is left to look at");
    let headers = HeaderMap::new();
    let request = FileRequest { method: &Method::GET, raw_path: "/", query: None, headers: &headers };
    let cached = |after| site.server.try_serve_cached(&request, &site.files, site.start + after).is_some();
    assert!(cached(Duration::from_millis(500)));
    assert!(!cached(Duration::from_millis(1500)), "it is time to look");
}

#[tokio::test]
async fn only_so_many_are_kept_and_the_newest_first() {
    let site = deployed(1);
    // The most recently changed of the others.
    std::fs::write(site.path("v3/new.txt"), "").expect("a file");
    std::fs::write(site.path("v2/app.3f2a91c8.js"), "not this").expect("a file");
    let old = std::fs::File::open(site.path("v2")).expect("a folder");
    old.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("older");
    switch(&site, "./v1/");
    let server = {
        let mut config = config::Files::of(site.path(""));
        config.releases_kept = Some(1);
        FileServer::open(&config).expect("a release")
    };
    let site = Site { server, ..site };
    let get = |target| site.text_after(target, Duration::ZERO);
    assert_eq!(get("/app.3f2a91c8.js").await.expect("script"), "3");
    assert_eq!(get("/app.2f2a91c8.js").await.err(), Some(GONE));
}

#[tokio::test]
async fn without_a_current_release_the_last_good_one_goes_on() {
    let site = deployed(0);
    let seconds = Duration::from_secs;
    for (second, to) in (1..).step_by(2).zip(["v9", "../other", "/etc", "loose.3f2a91c8.js"]) {
        switch(&site, to);
        assert_eq!(site.text_after("/", seconds(second)).await.expect("page"), "one", "{to}");
    }
    std::fs::remove_file(site.path("current")).expect("removed");
    assert_eq!(site.text_after("/", seconds(20)).await.expect("page"), "one");
    std::fs::write(site.path("current"), "v2\n").expect("a file");
    assert_eq!(site.text_after("/", seconds(22)).await.expect("page"), "two");
    assert_eq!(site.text_after("/app.1f2a91c8.js", seconds(22)).await.err(), Some(GONE), "none is kept");
}

#[tokio::test]
async fn a_release_that_is_made_anew_under_its_name_is_another() {
    let site = deployed(0);
    std::fs::rename(site.path("v1"), site.path("v0")).expect("rename");
    std::fs::create_dir(site.path("v1")).expect("a folder");
    std::fs::write(site.path("v1/index.html"), "anew").expect("a file");
    assert_eq!(site.text_after("/", Duration::from_secs(2)).await.expect("page"), "anew");
}

#[test]
fn without_a_current_release_there_is_no_server() {
    let site = Site::new(&[("v1/index.html", b"one")]);
    let mut config = config::Files::of(site.path(""));
    config.releases_kept = Some(3);
    let error = FileServer::open(&config).map(|_| ()).expect_err("no current").to_string();
    assert!(error.starts_with("there is no current release: ") && error.contains("no such file"), "{error}");
}

/// Found in a review: only the folders' times counted, which `rsync -a` and `cp -a` bring along.
#[tokio::test]
async fn the_releases_that_were_served_last_stay_whatever_their_folders_times_say() {
    let site = deployed(1);
    for (name, days) in [("v1", 1), ("v2", 2), ("v3", 3)] {
        let time = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(days * 86_400);
        std::fs::File::open(site.path(name)).expect("a folder").set_modified(time).expect("a time");
    }
    let at = Duration::from_secs;
    assert_eq!(site.text_after("/", at(0)).await.expect("page"), "one");
    switch(&site, "v2");
    assert_eq!(site.text_after("/", at(2)).await.expect("page"), "two");
    assert_eq!(site.text_after("/app.1f2a91c8.js", at(2)).await.expect("of pages that are open"), "1");
    assert_eq!(site.text_after("/app.3f2a91c8.js", at(2)).await.err(), Some(GONE), "one is kept");
    // Back: now the other one is the one before.
    switch(&site, "v1");
    assert_eq!(site.text_after("/", at(4)).await.expect("page"), "one");
    assert_eq!(site.text_after("/app.2f2a91c8.js", at(4)).await.expect("of pages that are open"), "2");
}
