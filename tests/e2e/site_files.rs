//! A site as it is deployed: releases, error pages, missing assets, lists, what browsers are told.

use portcullis_tests::deadline::until;
use portcullis_tests::edge::Edge;
use portcullis_tests::site::SITE;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use tempfile::TempDir;

const BROWSER: &str = "text/html,application/xhtml+xml,*/*;q=0.8";

/// `site/v1` and `site/v2`, each with pages and a script of its own.
async fn deployed() -> Edge {
    let folder = TempDir::new().expect("a folder");
    let site = folder.path().join("site");
    for release in ["v1", "v2"] {
        let root = site.join(release);
        fs::create_dir_all(root.join("static")).expect("a folder");
        fs::create_dir_all(root.join("files/sub")).expect("a folder");
        for (name, text) in [
            ("index.html", format!("<title>home {release}</title>")),
            ("404.html", format!("<title>missing {release}</title>")),
            (&format!("static/app.{}f2a91c8.js", &release[1..]), format!("script {release}")),
            ("files/<b>.txt", "bold".to_owned()),
            ("notes.md", "# notes".to_owned()),
        ] {
            fs::write(root.join(name), text).expect("a file");
        }
    }
    symlink("v1", site.join("current")).expect("a link");
    fs::write(folder.path().join("denied.html"), "<title>denied</title>").expect("a file");
    let keys = r#"
        security_headers = "isolated"
        error_pages = { 401 = "{folder}/denied.html", 404 = "{folder}/denied.html" }

        [issuer.local]
        iss = "https://issuer.example"
        audiences = ["site"]
        keys = { secret = "0123456789abcdef0123456789abcdef" }
        algorithms = ["HS256"]

        [[route]]
        match = "/**"
        auth = "public"
        response_headers = { "Referrer-Policy" = "no-referrer", "X-Frame-Options" = false }
        [route.files]
        root = { releases = "{folder}/site" }
        fallback = "index.html"
        assets = ["/static/**"]
        error_pages = { 404 = "404.html" }
        types = { md = "text/markdown; charset=utf-8" }
        cache = [{ match = "*.md", control = "max-age=5" }]

        [[route]]
        match = "/files/**"
        auth = "public"
        security_headers = "off"
        files = { root = { releases = "{folder}/site" }, listing = true }

        [[route]]
        match = "/private/**"
        files = { root = "{folder}/site/v1" }
    "#;
    Edge::start_in(folder, &[SITE, keys].concat()).await
}

/// As a deploy does: a new link is renamed over the old one.
fn switch(folder: &Path, to: &str) {
    symlink(to, folder.join("site/next")).expect("a link");
    fs::rename(folder.join("site/next"), folder.join("site/current")).expect("rename");
}

async fn says(edge: &Edge, path: &str, text: &str) {
    until(format!("{path} is {text}"), async || edge.http().get(path).send().await.text().contains(text)).await;
}

#[tokio::test]
async fn a_release_is_switched_without_reload_and_open_pages_keep_their_scripts() {
    let edge = deployed().await;
    says(&edge, "/", "home v1").await;
    switch(edge.folder(), "v2");
    says(&edge, "/", "home v2").await;
    for (script, text) in [("/static/app.1f2a91c8.js", "script v1"), ("/static/app.2f2a91c8.js", "script v2")] {
        let answer = edge.http().get(script).send().await.expect_status(200);
        assert_eq!(answer.text(), text);
        assert!(answer.header("cache-control").expect("a rule").contains("immutable"), "{script}");
    }
    let missing = edge.http().get("/static/none").header("Accept", BROWSER).send().await.expect_status(404);
    assert!(missing.text().contains("missing v2"), "the page is of the release too");

    switch(edge.folder(), "../../etc");
    fs::write(edge.folder().join("site/v2/probe.txt"), "probe").expect("a file");
    says(&edge, "/probe.txt", "probe").await;
    // The switch back is noticed, so the bad one was passed over.
    assert!(edge.http().get("/").send().await.expect_status(200).text().contains("home v2"));
    switch(edge.folder(), "v1");
    says(&edge, "/", "home v1").await;
}

#[tokio::test]
async fn browsers_get_a_page_and_programs_the_problem() {
    let edge = deployed().await;
    let page = edge.http().get("/gone.js").header("Accept", BROWSER).send().await.expect_status(404);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert!(page.text().contains("missing v1") && page.header("x-request-id").is_some());
    let length = page.text().len().to_string();
    let head = edge.http().call("HEAD", "/gone.js").header("Accept", BROWSER).send().await.expect_status(404);
    assert_eq!((head.text(), head.header("content-length")), ("", Some(length.as_str())));
    for accept in ["*/*", "application/json"] {
        let problem = edge.http().get("/gone.js").header("Accept", accept).send().await.expect_status(404);
        assert_eq!(problem.edge_code(), "file_not_found", "{accept}");
        assert_eq!(problem.header("cache-control"), Some("no-store"));
    }
    let denied = edge.http().get("/private/x").header("Accept", BROWSER).send().await.expect_status(401);
    assert!(denied.text().contains("denied") && denied.header("www-authenticate").is_some(), "the site's page");
    let other = edge.http().post("/").header("Accept", BROWSER).send().await.expect_status(405);
    assert_eq!(other.edge_code(), "method_not_allowed", "no page for this status");
}

#[tokio::test]
async fn a_missing_asset_is_never_a_page_and_a_view_always_is() {
    let edge = deployed().await;
    for asset in ["/static/app.0f2a91c8.js", "/static/none", "/img/none.png"] {
        let gone = edge.http().get(asset).send().await.expect_status(404);
        assert_eq!(gone.header("cache-control"), Some("no-store"), "{asset}");
    }
    assert!(edge.http().get("/some/view").send().await.expect_status(200).text().contains("home"));
    let options = edge.http().call("OPTIONS", "/some/view").send().await.expect_status(204);
    assert_eq!(options.header("allow"), Some("GET, HEAD, OPTIONS"));
    let notes = edge.http().get("/notes.md").send().await.expect_status(200);
    assert_eq!(notes.header("content-type"), Some("text/markdown; charset=utf-8"));
    assert_eq!(notes.header("cache-control"), Some("max-age=5"));
}

#[tokio::test]
async fn the_preset_gives_way_to_rules_by_name_and_to_the_route() {
    let edge = deployed().await;
    for (client, hsts) in [(edge.http(), None), (edge.https(), Some("max-age=31536000"))] {
        for (path, status) in [("/", 200), ("/gone.js", 404)] {
            let answer = client.get(path).send().await.expect_status(status);
            assert_eq!(answer.header("strict-transport-security"), hsts, "{path}");
            assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
            assert_eq!(answer.header("x-frame-options"), None, "{path}");
            assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"), "{path}");
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        }
        let without = client.get("/files/").send().await.expect_status(200);
        assert_eq!(without.header("cross-origin-opener-policy"), None, "off for this route");
    }
    let refused = edge.https().get("/private/x").send().await.expect_status(401);
    assert_eq!(refused.header("x-frame-options"), Some("SAMEORIGIN"));
}

#[tokio::test]
async fn a_directory_is_listed_as_html_or_json() {
    let edge = deployed().await;
    let page = edge.http().get("/files/").header("Accept", BROWSER).send().await.expect_status(200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.header("vary"), Some("Accept"));
    assert!(page.text().contains("./%3Cb%3E.txt") && !page.text().contains("<b>"), "{}", page.text());
    let list = edge.http().get("/files/").header("Accept", "application/json").send().await.expect_status(200).json();
    assert_eq!(list["entries"][0]["name"], "sub");
    assert_eq!(list["entries"][1]["bytes"], 4);
    let _ = edge.http().get("/files/none/").send().await.expect_status(404);
}
