//! Who the application is told that a request is: by the edge, and by nobody else.

use portcullis_tests::guarded::Guarded;
use portcullis_tests::raw::{Raw, talk};
use portcullis_tests::tokens::{Token, seconds_since_1970};
use serde_json::json;

const FORGED: &str = "X-Auth-Subject: root\r\nX_Auth_Subject: root\r\nx-auth-assertion: e30.e30.x\r\n\
    X.Auth.Issuer: root\r\nX-Auth_Anything: root\r\nX-Auth-: root\r\n";

#[tokio::test]
async fn forged_identity_never_arrives() {
    let guarded = Guarded::start("EdDSA", "").await;
    for (path, token) in [("/public/x", None), ("/optional/x", None), ("/x", Some(guarded.token("alice")))] {
        let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{FORGED}{authorization}\r\n");
        let answer = talk(guarded.edge.address("http"), request).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
        let head = guarded.origin.last().head;
        assert!(!head.raw.contains("root"), "{path}: {}", head.raw);
        assert_eq!(guarded.assertion().path, path);
    }
}

#[tokio::test]
async fn fields_that_the_operator_names_are_stripped_too() {
    let guarded = Guarded::start("EdDSA", "\n[server]\nidentity_headers = [\"Remote-User\"]").await;
    let call = guarded.edge.http().get("/public/x").header("remote_user", "root").header("Remote-User", "root");
    let _ = call.send().await.expect_status(200);
    assert!(!guarded.origin.last().head.raw.contains("root"));
}

#[tokio::test]
async fn the_assertion_tells_the_whole_story() {
    let guarded = Guarded::start("EdDSA", "").await;
    let token = Token::good(&guarded.key, "alice")
        .claim("scope", json!("notes:read"))
        .claim("sid", json!("session-1"))
        .claim("jti", json!("token-1"))
        .claim("roles", json!(["admin"]))
        .sign(&guarded.key);
    let answer = guarded.edge.http().post("/notes/1?x=y").bearer(&token).send().await.expect_status(200);
    let assertion = guarded.assertion();
    assert_eq!(
        (assertion.aud.as_str(), assertion.method.as_str(), assertion.path.as_str()),
        ("app", "POST", "/notes/1")
    );
    assert_eq!(Some(assertion.request_id.as_str()), answer.header("x-request-id"));
    assert_eq!(assertion.exp - assertion.iat, 30);
    assert!(assertion.iat.abs_diff(seconds_since_1970()) < 30);
    let identity = assertion.identity.expect("an identity");
    assert_eq!((identity.subject.as_str(), identity.issuer.as_str()), ("alice", "https://issuer.test"));
    assert_eq!((identity.scope.as_str(), identity.session.as_deref()), ("notes:read", Some("session-1")));
    assert_eq!(identity.token_id.as_deref(), Some("token-1"));
    assert_eq!(identity.claims["roles"], json!(["admin"]));

    let head = guarded.origin.last().head;
    assert_eq!(head.field("x-auth-subject"), Some("alice"));
    assert_eq!(head.field("x-auth-issuer"), Some("https://issuer.test"));
    assert_eq!(head.field("x-auth-scope"), Some("notes:read"));
    assert_eq!(head.field("x-auth-session"), Some("session-1"));
    assert_eq!(head.field("x-auth-token-id"), Some("token-1"));
}

/// A slow upload that is held may take longer than an assertion lives.
#[tokio::test]
async fn the_assertion_of_a_held_request_is_made_when_its_body_is_whole() {
    const ROUTE: &str =
        "\n[[route]]\nmatch = \"/held/**\"\nauth = \"public\"\nbuffer = { memory = \"1KiB\" }\nforward = \"app\"";
    let guarded = Guarded::start("EdDSA", ROUTE).await;
    let mut client = Raw::connect(guarded.edge.address("http")).await;
    client.send("POST /held/x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n").await;
    assert_eq!(client.read_head().await.status(), 100);
    // The edge waits for the body. The clock counts in seconds, so the next one must begin.
    let held_at = seconds_since_1970();
    while seconds_since_1970() == held_at {
        tokio::task::yield_now().await;
    }
    client.send("hi").await;
    assert_eq!(client.read_head().await.status(), 200);
    assert!(guarded.assertion().iat > held_at, "its 30 seconds began before the application was asked");
}

#[tokio::test]
async fn a_subject_cannot_break_out_of_its_field() {
    let guarded = Guarded::start("EdDSA", "").await;
    let subject = "a\r\nX-Auth-Scope: all, \u{e9}%";
    let answer = guarded.edge.http().get("/x").bearer(&guarded.token(subject)).send().await.expect_status(200);
    drop(answer);
    let head = guarded.origin.last().head;
    let sent = head.field("x-auth-subject").expect("a subject");
    assert!(sent.is_ascii() && !sent.contains(' '), "{sent:?}");
    assert!(!head.has("x-auth-scope") || head.field("x-auth-scope") == Some(""), "{}", head.raw);
    assert_eq!(guarded.assertion().identity.expect("an identity").subject, subject);
}

#[tokio::test]
async fn the_token_itself_stays_at_the_edge_unless_wanted() {
    let guarded = Guarded::start("EdDSA", "").await;
    let token = guarded.token("alice");
    let _ = guarded.edge.http().get("/x").bearer(&token).send().await.expect_status(200);
    assert!(!guarded.origin.last().head.raw.contains(&token));
    let _ = guarded.edge.http().get("/passed/x").bearer(&token).send().await.expect_status(200);
    assert_eq!(guarded.origin.last().head.field("authorization"), Some(format!("Bearer {token}").as_str()));
}
