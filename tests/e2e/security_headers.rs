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
