//! The preset of fields that protect browsers: what it adds, and who has the last word.

use portcullis_tests::certs::Authority;
use portcullis_tests::client::Client;
use portcullis_tests::edge::Edge;
use portcullis_tests::origin::Origin;
use tempfile::TempDir;

const NAMES: [&str; 5] = [
    "x-content-type-options",
    "referrer-policy",
    "x-frame-options",
    "strict-transport-security",
    "cross-origin-opener-policy",
];

#[tokio::test]
async fn the_preset_fills_in_what_nobody_else_says() {
    let origin =
        Origin::start().await.always("HTTP/1.1 200 OK\r\nReferrer-Policy: no-referrer\r\nContent-Length: 0\r\n\r\n");
    let authority = Authority::new();
    let folder = TempDir::new().expect("a folder");
    let _ = authority.leaf(folder.path(), &["localhost"]);
    let config = format!(
        r#"
        [listener.http]
        address = "127.0.0.1:0"
        tls = false

        [listener.https]
        address = "127.0.0.1:0"
        tls = true

        [site.main]
        tls = {{ certificate = "{{folder}}/localhost.pem", key = "${{file:{{folder}}/localhost.key}}" }}
        security_headers = "basic"
        response_headers = {{ "X-Frame-Options" = "DENY" }}

        [upstream.app]
        endpoints = ["{}"]

        [[route]]
        match = "/app"
        auth = "public"
        forward = "app"

        [[route]]
        match = "/isolated"
        auth = "public"
        security_headers = "isolated"
        response_headers = {{ "X-Content-Type-Options" = false }}
        respond = {{ body = "x" }}

        [[route]]
        match = "/off"
        auth = "public"
        security_headers = "off"
        respond = {{ body = "x" }}
        "#,
        origin.endpoint()
    );
    let edge = Edge::start_in(folder, &config).await;
    let secure = Client::https(edge.address("https"), authority.trusted());
    let (hsts, coop) = (Some("max-age=31536000"), Some("same-origin"));
    let strict = Some("strict-origin-when-cross-origin");
    for (client, path, wanted) in [
        (edge.http(), "/app", [Some("nosniff"), Some("no-referrer"), Some("DENY"), None, None]),
        (secure.clone(), "/app", [Some("nosniff"), Some("no-referrer"), Some("DENY"), hsts, None]),
        (secure.clone(), "/isolated", [None, strict, Some("DENY"), hsts, coop]),
        (secure.clone(), "/off", [None, None, Some("DENY"), None, None]),
        // No route leads there; the site's word counts for its errors too.
        (edge.http(), "/nowhere", [Some("nosniff"), strict, Some("DENY"), None, None]),
    ] {
        let answer = client.get(path).send().await;
        assert_eq!(NAMES.map(|name| answer.header(name)), wanted, "{path}: {answer:?}");
    }
}

/// A file's fields are written as text for HTTP/1 once, and only for those who get the same.
#[tokio::test]
async fn the_fields_of_a_file_in_memory_are_those_of_the_site_and_the_connection_that_ask() {
    let authority = Authority::new();
    let folder = TempDir::new().expect("a folder");
    let _ = authority.leaf(folder.path(), &["a.example", "b.example"]);
    std::fs::create_dir(folder.path().join("site")).expect("a folder");
    std::fs::write(folder.path().join("site/page.txt"), "text").expect("a file");
    let site = |name: &str| {
        format!(
            r#"
        [site.{name}]
        hosts = ["{name}.example"]
        tls = {{ certificate = "{{folder}}/a.pem", key = "${{file:{{folder}}/a.key}}" }}
        security_headers = "basic"
        response_headers = {{ X-Site = "{name}" }}
        "#
        )
    };
    let config = format!(
        r#"
        [listener.http]
        address = "127.0.0.1:0"
        tls = false

        [listener.https]
        address = "127.0.0.1:0"

        {}{}
        [[route]]
        match = "/**"
        auth = "public"
        files = {{ root = "{{folder}}/site", fresh_for = "1h" }}
        "#,
        site("a"),
        site("b")
    );
    let edge = Edge::start_in(folder, &config).await;
    let plain = edge.http();
    let secure = Client::https(edge.address("https"), authority.trusted());
    let mut ids = std::collections::HashSet::new();
    // The first round reads the file, the others find it in memory.
    for round in 0..3 {
        for (client, is_secure) in [(plain.clone(), false), (secure.clone(), true), (secure.clone().http2(), true)] {
            for site in ["a", "b"] {
                let host = format!("{site}.example");
                let answer = client.clone().host(&host).get("/page.txt").send().await;
                assert_eq!((answer.status.as_u16(), answer.text()), (200, "text"), "{round}: {answer:?}");
                assert_eq!(answer.header("x-site"), Some(site), "{round}: {answer:?}");
                assert_eq!(answer.header("strict-transport-security").is_some(), is_secure, "{round}: {answer:?}");
                for name in ["content-length", "content-type", "etag", "date", "cache-control", "x-frame-options"] {
                    assert_eq!(answer.headers.get_all(name).iter().count(), 1, "{round} {name}: {answer:?}");
                }
                let id = answer.header("x-request-id").expect("an id").to_owned();
                assert!(ids.insert(id), "{round}: each answer has its own id");
            }
        }
    }
}
