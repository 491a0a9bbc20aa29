//! No request that a client can send leads to an error of the edge's own: 5xx is 502, 503 or 504 and has a real
//! fault of an upstream behind it. Here no upstream has a fault.

use portcullis_tests::edge::Edge;
use portcullis_tests::exchange::ok;
use portcullis_tests::origin::Origin;
use portcullis_tests::raw::talk;
use portcullis_tests::tokens::{SigningKey, Token, jwk_set};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Every action and every kind of access, so that an odd request meets all of the code. Short timeouts end
/// the connections of those that never say all.
fn config(endpoint: &str) -> String {
    format!(
        r#"
        [listener.http]
        address = "127.0.0.1:0"
        header_timeout = "50ms"
        idle_timeout = "50ms"

        [upstream.app]
        endpoints = ["{endpoint}"]
        assertion_key = {{ file = "{{folder}}/assertion.key", create = true }}

        [issuer.test]
        iss = "https://issuer.test"
        audiences = ["api"]
        algorithms = ["EdDSA"]
        keys = {{ jwks_file = "{{folder}}/jwks.json" }}

        [[route]]
        match = "/app/**"
        auth = "public"
        progress_timeout = "50ms"
        forward = {{ upstream = "app", internal_root = "{{folder}}" }}

        [[route]]
        match = "/closed/**"
        progress_timeout = "50ms"
        token_from = ["header", "cookie:token", "query:token"]
        forward = "app"

        [[route]]
        match = "/moved/**"
        auth = "optional"
        redirect = {{ to = "https://{{host}}{{path}}{{query}}" }}

        [[route]]
        match = "/fixed"
        auth = "public"
        respond = {{ body = "fixed" }}

        [[route]]
        match = "/**"
        auth = "public"
        files = {{ root = "{{folder}}", fallback = "index.html" }}
        "#
    )
}

const TARGETS: &[&str] = &[
    "/",
    "*",
    "/app/",
    "/app/../../etc/passwd",
    "/app/%2e%2e/x",
    "/closed/",
    "/closed/?token=a.b.c",
    "/moved/%0d%0aSet-Cookie:x",
    "/moved/a?b",
    "/fixed",
    "/%00",
    "/%",
    "/%zz",
    "//",
    "/a//b",
    "/..",
    "/%2e%2e%2f%2e%2e%2fetc/passwd",
    "/..%5c..%5c",
    "/index.html/",
    "/index.html/x",
    "/.git/config",
    "/jwks.json",
    "http://a/app/x",
    "http://other/",
    "/app?%",
    "/#fragment",
    "/caf\u{e9}",
    "/app/\u{1F980}",
    "a:80",
    "/app/;a=b;c",
    "/app/?a=b&c=%26#",
    "/app/ ",
];

const FIELDS: &[&str] = &[
    "Host: a",
    "Host: a",
    "Host: a",
    "Host: A:99999",
    "Host: ",
    "Host: [::1",
    "Host: \u{e9}",
    "Range: bytes=0-0",
    "Range: bytes=9-1",
    "Range: bytes=-0",
    "Range: bytes=99999999999999999999-",
    "Range: lines=1-2",
    "If-None-Match: *",
    "If-None-Match: \"",
    "If-Modified-Since: yesterday",
    "If-Range: x",
    "Content-Length: 0",
    "Content-Length: 3",
    "Content-Length: x",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip, chunked",
    "Expect: 100-continue",
    "Expect: 200-ok",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Connection: close",
    "Connection: ,,,",
    "Connection: Host",
    "TE: trailers",
    "Trailer: X",
    "Accept-Encoding: \0",
    "Authorization: Bearer",
    "Authorization: Bearer a.b.c",
    "Authorization: Basic eDp5",
    "Authorization: Bearer GOOD",
    "Cookie: token=GOOD",
    "Cookie: token=a.b.c; token=GOOD",
    "X-Forwarded-For: ,",
    "Forwarded: for=\"",
    "X-Request-Id: \u{7f}",
    "Sec-Fetch-Site: same-origin",
    "Origin: null",
    "X-CSRF-Token: a.b",
    "Cookie: __Host-csrf=a.b",
    "X-Auth-Subject: root",
    "X_Auth_Subject: root",
    "Via: 1.1 a, 1.1 b",
    "Max-Forwards: 0",
    "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
    ":path: /x",
    "Date: never",
];

const BODIES: &[&str] =
    &["", "abc", "0\r\n\r\n", "3\r\nabc\r\n0\r\n\r\n", "ffffffffffffffff\r\n", "\r\n", "GET / HTTP/1.1\r\n\r\n"];

fn request() -> impl Strategy<Value = String> {
    let method = prop::sample::select(vec![
        "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PRI", "get", "X-Y", "",
    ]);
    let target = prop_oneof![
        4 => prop::sample::select(TARGETS).prop_map(str::to_owned),
        1 => "/[ -~]{0,40}",
    ];
    let version =
        prop::sample::select(vec!["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/1.11", ""]);
    let fields = prop::collection::vec(prop::sample::select(FIELDS), 0..7);
    let body = prop::sample::select(BODIES);
    (method, target, version, fields, body).prop_map(|(method, target, version, fields, body)| {
        let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
        format!("{method} {target} {version}\r\n{fields}\r\n{body}")
    })
}

#[test]
fn odd_requests_never_make_the_edge_fail() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (edge, token, _origin) = runtime.block_on(async {
        let origin = Origin::start().await.always(ok("ok"));
        let key = SigningKey::new("k", "EdDSA");
        let folder = tempfile::TempDir::new().expect("a folder");
        std::fs::write(folder.path().join("jwks.json"), jwk_set(&[&key])).expect("the keys are written");
        std::fs::write(folder.path().join("index.html"), "<!doctype html>").expect("the page is written");
        let edge = Edge::start_in(folder, &config(&origin.endpoint())).await;
        (edge, Token::good(&key, "alice").sign(&key), origin)
    });
    // Small enough for every run of the suite; a failing seed is printed as the request itself.
    let mut runner = TestRunner::new(Config { cases: 400, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&request(), |request| {
        let answer = runtime.block_on(talk(edge.address("http"), request.replace("GOOD", &token)));
        for line in answer.lines().filter(|line| line.starts_with("HTTP/1.")) {
            let status = line.split(' ').nth(1).unwrap_or_default();
            // The two that RFC 9110 names for what a client may ask and nobody has to do.
            prop_assert!(!status.starts_with('5') || matches!(status, "501" | "505"), "{line}");
        }
        Ok(())
    });
    assert!(outcome.is_ok(), "{outcome:?}");
    let alive = runtime.block_on(edge.http().get("/fixed").send());
    assert_eq!(alive.expect_status(200).text(), "fixed");
}
