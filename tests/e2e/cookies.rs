//! Tokens in cookies: browsers send them by themselves, so whatever changes something must prove where it comes from.

use portcullis_tests::call::Call;
use portcullis_tests::guarded::Guarded;
use portcullis_tests::raw::talk;
use portcullis_tests::tokens::{Token, shared_key};
use serde_json::json;
use serve::contract::csrf::CsrfKey;

const SESSION: &str = "s-1";

struct Browser {
    guarded: Guarded,
    access: String,
    csrf: String,
}

impl Browser {
    async fn start() -> Self {
        let guarded = Guarded::start("EdDSA", "").await;
        let access = Token::good(&guarded.key, "alice").claim("sid", json!(SESSION)).sign(&guarded.key);
        let key = CsrfKey::new(&shared_key(&guarded.edge.folder().join("assertion.key")));
        Self { access, csrf: key.mint(SESSION, *b"sixteen nonce b."), guarded }
    }

    /// A request with both cookies, as a browser sends it.
    fn call(&self, method: &str) -> Call {
        let cookie = format!("theme=dark; __Host-access={}; __Host-csrf={}", self.access, self.csrf);
        self.guarded.edge.http().call(method, "/cookie/x").header("Cookie", &cookie)
    }
}

#[tokio::test]
async fn a_page_of_this_origin_changes_things_and_the_application_sees_no_token() {
    let browser = Browser::start().await;
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let call = browser.call(method).header("Sec-Fetch-Site", "same-origin").header("X-CSRF-Token", &browser.csrf);
        let _ = call.send().await.expect_status(200);
        let head = browser.guarded.origin.last().head;
        let left = format!("theme=dark; __Host-csrf={}", browser.csrf);
        assert_eq!(head.all("cookie").collect::<Vec<_>>(), [left], "{}", head.raw);
        assert_eq!(browser.guarded.assertion().identity.expect("an identity").subject, "alice");
    }
    // Older browsers tell only the origin.
    let here = format!("http://{}", browser.guarded.edge.address("http"));
    let call = browser.call("POST").header("Origin", &here).header("X-CSRF-Token", &browser.csrf);
    let _ = call.header("Host", here.trim_start_matches("http://")).send().await.expect_status(200);
}

#[tokio::test]
async fn what_another_site_makes_a_browser_send_changes_nothing() {
    let browser = Browser::start().await;
    let before = browser.guarded.origin.received().len();
    for (fields, code) in [
        (&[("Sec-Fetch-Site", "cross-site")][..], "cross_origin"),
        (&[("Sec-Fetch-Site", "same-site")], "cross_origin"),
        (&[("Origin", "https://evil.example")], "cross_origin"),
        (&[("Origin", "null")], "cross_origin"),
        (&[], "cross_origin"),
        (&[("Sec-Fetch-Site", "same-origin")], "csrf_token_invalid"),
        (&[("Sec-Fetch-Site", "same-origin"), ("X-CSRF-Token", "guessed")], "csrf_token_invalid"),
    ] {
        let call = fields.iter().fold(browser.call("POST"), |call, (name, value)| call.header(name, value));
        let answer = call.send().await.expect_status(403);
        assert_eq!(answer.edge_code(), code, "{fields:?}");
        assert_eq!(answer.header("www-authenticate"), None, "another token would not help");
    }
    assert_eq!(browser.guarded.origin.received().len(), before);
    let _ = browser.call("GET").header("Sec-Fetch-Site", "cross-site").send().await.expect_status(200);
}

#[tokio::test]
async fn a_token_of_another_session_is_no_proof() {
    let browser = Browser::start().await;
    let key = CsrfKey::new(&shared_key(&browser.guarded.edge.folder().join("assertion.key")));
    for (session, status) in [("s-2", 403), (SESSION, 200)] {
        let planted = key.mint(session, [7; 16]);
        let cookie = format!("__Host-access={}; __Host-csrf={planted}", browser.access);
        let call = browser.guarded.edge.http().post("/cookie/x").header("Cookie", &cookie);
        let call = call.header("Sec-Fetch-Site", "same-origin").header("X-CSRF-Token", &planted);
        let _ = call.send().await.expect_status(status);
    }
}

#[tokio::test]
async fn a_program_with_a_field_needs_no_proof() {
    let browser = Browser::start().await;
    let _ = browser.guarded.edge.http().post("/cookie/x").bearer(&browser.access).send().await.expect_status(200);
}

#[tokio::test]
async fn a_websocket_with_a_cookie_comes_from_this_origin() {
    let browser = Browser::start().await;
    let address = browser.guarded.edge.address("http");
    let ask = async |origin: &str| {
        let access = &browser.access;
        let request = format!(
            "GET /cookie/chat HTTP/1.1\r\nHost: notes.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{origin}\
             Cookie: __Host-access={access}\r\n\r\nGET /end HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        );
        talk(address, request).await.get(9..12).unwrap_or_default().to_owned()
    };
    for (origin, status) in [
        ("", "403"),
        ("Origin: https://evil.example\r\n", "403"),
        ("Origin: https://notes.example\r\n", "403"),
        ("Sec-Fetch-Site: same-origin\r\n", "403"),
        // The upstream declines to switch, with 200: the edge has let it through.
        ("Origin: http://notes.example\r\n", "200"),
    ] {
        assert_eq!(ask(origin).await, status, "{origin}");
    }
}
