//! The static site, and files that an application hands over.

use portcullis_tests::deadline::within;
use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::origin::Origin;
use portcullis_tests::raw::talk;
use std::fs;
use std::os::unix::fs::symlink;
use tempfile::TempDir;

/// A site beside a file that is not part of it.
async fn site() -> Edge {
    let folder = TempDir::new().expect("a folder");
    let root = folder.path().join("site");
    fs::create_dir_all(root.join("docs")).expect("a folder");
    fs::create_dir_all(root.join("assets")).expect("a folder");
    for (name, text) in [
        ("index.html", "<!doctype html><title>home</title>"),
        ("docs/index.html", "<!doctype html><title>docs</title>"),
        ("assets/app.3f9a1c22.js", "export {};"),
        ("digits.txt", "0123456789"),
        ("a b.txt", "space"),
        ("../secret.txt", "outside"),
    ] {
        fs::write(root.join(name), text).expect("a file");
    }
    symlink("../secret.txt", root.join("link.txt")).expect("a link");
    symlink("digits.txt", root.join("inside.txt")).expect("a link");
    let config = r#"
        [listener.http]
        address = "127.0.0.1:0"

        [[route]]
        match = "/**"
        auth = "public"
        files = { root = "{folder}/site" }

        [[route]]
        match = "/app/**"
        auth = "public"
        files = { root = "{folder}/site", fallback = "index.html", strip_prefix = true }
    "#;
    Edge::start_in(folder, config).await
}

#[tokio::test]
async fn a_page_comes_with_its_type_and_validators() {
    let edge = site().await;
    let answer = edge.http().get("/").send().await.expect_status(200);
    assert!(answer.text().contains("home"));
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(answer.header("accept-ranges"), Some("bytes"));
    assert_eq!(answer.header("cache-control"), Some("no-cache"), "pages are revalidated");
    let etag = answer.header("etag").expect("an entity tag").to_owned();
    let modified = answer.header("last-modified").expect("a date").to_owned();

    let fresh = edge.http().get("/").header("If-None-Match", &etag).send().await.expect_status(304);
    assert_eq!((fresh.text(), fresh.header("etag")), ("", Some(etag.as_str())));
    let _ = edge.http().get("/").header("If-Modified-Since", &modified).send().await.expect_status(304);
    let both = edge.http().get("/").header("If-None-Match", "\"other\"").header("If-Modified-Since", &modified);
    let _ = both.send().await.expect_status(200);
}

#[tokio::test]
async fn fingerprinted_files_are_immutable_and_never_replaced_by_a_page() {
    let edge = site().await;
    let asset = edge.http().get("/assets/app.3f9a1c22.js").send().await.expect_status(200);
    assert!(asset.header("cache-control").expect("a rule").contains("immutable"));
    // The page of a deploy that is gone asks for its chunk: HTML as 200 would be cached for a year.
    let gone = edge.http().get("/app/assets/app.00000000.js").send().await.expect_status(404);
    assert_eq!(gone.edge_code(), "file_not_found");
    let page = edge.http().get("/app/some/view").send().await.expect_status(200);
    assert!(page.text().contains("home"), "a view of the application is its page");
}

#[tokio::test]
async fn head_tells_what_get_would_send() {
    let edge = site().await;
    let answer = edge.http().call("HEAD", "/digits.txt").send().await.expect_status(200);
    assert_eq!((answer.text(), answer.header("content-length")), ("", Some("10")));
}

#[tokio::test]
async fn only_get_and_head() {
    let edge = site().await;
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let answer = edge.http().call(method, "/digits.txt").send().await.expect_status(405);
        assert_eq!(answer.header("allow"), Some("GET, HEAD"), "{method}");
    }
}

#[tokio::test]
async fn one_range_is_served_and_an_impossible_one_refused() {
    let edge = site().await;
    for (range, status, content_range, text) in [
        ("bytes=2-4", 206, Some("bytes 2-4/10"), "234"),
        ("bytes=7-", 206, Some("bytes 7-9/10"), "789"),
        ("bytes=-3", 206, Some("bytes 7-9/10"), "789"),
        ("bytes=-99", 206, Some("bytes 0-9/10"), "0123456789"),
        ("bytes=8-99", 206, Some("bytes 8-9/10"), "89"),
        ("bytes=4-2", 200, None, "0123456789"),
        ("lines=1-2", 200, None, "0123456789"),
        ("bytes=0-1,2-4", 206, Some("bytes 0-4/10"), "01234"),
    ] {
        let answer = edge.http().get("/digits.txt").header("Range", range).send().await;
        assert_eq!(answer.status, status, "{range}: {answer:?}");
        assert_eq!((answer.header("content-range"), answer.text()), (content_range, text), "{range}");
    }
    for range in ["bytes=10-", "bytes=-0"] {
        let beyond = edge.http().get("/digits.txt").header("Range", range).send().await.expect_status(416);
        assert_eq!(beyond.header("content-range"), Some("bytes */10"), "{range}");
    }
}

#[tokio::test]
async fn a_range_of_an_older_file_is_not_mixed_with_the_newer() {
    let edge = site().await;
    let answer = edge.http().get("/digits.txt").header("Range", "bytes=2-4").header("If-Range", "\"old\"");
    assert_eq!(answer.send().await.expect_status(200).text(), "0123456789");
}

#[tokio::test]
async fn a_folder_without_its_slash_is_redirected() {
    let edge = site().await;
    let answer = edge.http().get("/docs?x=y").send().await;
    assert!(matches!(answer.status.as_u16(), 301 | 308), "{answer:?}");
    assert!(answer.header("location").expect("a target").ends_with("/docs/?x=y"), "{answer:?}");
    assert!(edge.http().get("/docs/").send().await.expect_status(200).text().contains("docs"));
}

#[tokio::test]
async fn names_are_decoded_once() {
    let edge = site().await;
    assert_eq!(edge.http().get("/a%20b.txt").send().await.expect_status(200).text(), "space");
    let _ = edge.http().get("/a%2520b.txt").send().await.expect_status(404);
}

#[tokio::test]
async fn nothing_outside_the_root_is_ever_read() {
    let edge = site().await;
    for target in [
        "/../secret.txt",
        "/docs/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/..%5csecret.txt",
        "/%252e%252e/secret.txt",
        "/link.txt",
        "//secret.txt",
        "/./../secret.txt",
        "/docs/..%2f..%2fsecret.txt",
        "/app/../../secret.txt",
        "/app/..%2f..%2fsecret.txt",
        "/%c0%ae%c0%ae/secret.txt",
        "/secret.txt%00.html",
        "/app../secret.txt",
        "/../site/../secret.txt",
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let answer = talk(edge.address("http"), request).await;
        assert!(!answer.contains("outside"), "{target}: {answer}");
        let status = answer.get(9..12).unwrap_or_default();
        assert!(matches!(status, "400" | "404" | "403") || target.starts_with("/app"), "{target}: {answer}");
    }
}

#[tokio::test]
async fn a_changed_file_is_served_changed() {
    let edge = site().await;
    let before = edge.http().get("/digits.txt").send().await.expect_status(200);
    // Another name and a rename, as deploys do it: the inode changes whatever the clock's resolution.
    let new = edge.folder().join("site/new.txt");
    fs::write(&new, "abcdefghijk").expect("a file");
    fs::rename(new, edge.folder().join("site/digits.txt")).expect("a rename");
    let etag = before.header("etag").expect("a tag").to_owned();
    let conditional = || edge.http().get("/digits.txt").header("If-None-Match", &etag).send();
    // The memory of a worker may be a second old.
    let changed = async {
        loop {
            let answer = conditional().await;
            if answer.status != 304 {
                return answer;
            }
        }
    };
    assert_eq!(within("the new file", changed).await.expect_status(200).text(), "abcdefghijk");
}

#[tokio::test]
async fn an_application_hands_over_a_file_without_naming_it_to_the_client() {
    let folder = TempDir::new().expect("a folder");
    fs::create_dir(folder.path().join("store")).expect("a folder");
    fs::write(folder.path().join("store/digest"), "0123456789").expect("a file");
    fs::write(folder.path().join("secret"), "outside").expect("a file");
    let origin = Origin::start().await.answering(|received| {
        let internal = received.head.target().replace("/get", "");
        format!(
            "HTTP/1.1 200 OK\r\nX-Accel-Redirect: {internal}\r\nContent-Type: text/x-note\r\nETag: \"v1\"\r\n\
             Content-Disposition: attachment; filename=\"a.txt\"\r\nCache-Control: private, no-cache\r\n\
             X-Content-Type-Options: nosniff\r\nContent-Length: 0\r\n\r\n"
        )
        .into_bytes()
    });
    let forward = "forward = { upstream = \"app\", internal_root = \"{folder}/store\" }";
    let edge = Edge::start_in(folder, &forwarding_to(&origin.endpoint()).replace("forward = \"app\"", forward)).await;
    let whole = edge.http().get("/get/digest").send().await.expect_status(200);
    assert_eq!(whole.text(), "0123456789");
    assert_eq!(whole.header("x-accel-redirect"), None, "the path never leaves the server");
    assert_eq!(whole.header("content-type"), Some("text/x-note"));
    assert_eq!(whole.header("content-disposition"), Some("attachment; filename=\"a.txt\""));
    assert_eq!((whole.header("etag"), whole.header("cache-control")), (Some("\"v1\""), Some("private, no-cache")));

    let part = edge.http().get("/get/digest").header("Range", "bytes=2-4").send().await.expect_status(206);
    assert_eq!((part.text(), part.header("content-range")), ("234", Some("bytes 2-4/10")));
    let _ = edge.http().get("/get/digest").header("If-None-Match", "\"v1\"").send().await.expect_status(304);

    // After another method the file is the answer to it, whole: the conditions of a POST were the application's matter.
    let posted = edge.http().post("/get/digest").header("Range", "bytes=2-4").send().await.expect_status(200);
    assert_eq!(posted.text(), "0123456789");
    let head = edge.http().call("HEAD", "/get/digest").send().await.expect_status(200);
    assert_eq!((head.text(), head.header("content-length")), ("", Some("10")));

    for missing in ["/get/nothing", "/get/%2e%2e/secret", "/get/..%2fsecret"] {
        let answer = edge.http().get(missing).send().await;
        assert!(answer.status.is_client_error() || answer.status == 502, "{missing}: {answer:?}");
        assert!(!answer.text().contains("outside"), "{missing}");
    }
}

#[tokio::test]
async fn a_route_without_internal_files_passes_the_answer_and_drops_the_field() {
    let origin =
        Origin::start().await.always("HTTP/1.1 200 OK\r\nX-Accel-Redirect: /etc/passwd\r\nContent-Length: 2\r\n\r\nok");
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let answer = edge.http().get("/").send().await.expect_status(200);
    assert_eq!((answer.text(), answer.header("x-accel-redirect")), ("ok", None));
}
