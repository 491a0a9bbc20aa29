//! Times that no clock shows, and claims that become fields of the request to the application.

use super::{named, none_passes};
use portcullis_tests::guarded::Guarded;
use portcullis_tests::tokens::{Token, seconds_since_1970, sign_text};
use serde_json::{Value, json};

#[tokio::test]
async fn times_are_numbers_that_a_clock_can_show() {
    let guarded = Guarded::start("EdDSA", "").await;
    let key = &guarded.key;
    let now = seconds_since_1970();
    let written = |name: &str, value: &str| {
        let token = Token::good(key, "alice").claim("iat", Value::Null).claim(name, Value::Null);
        let claims = json!(token.claims).to_string().replacen('{', &format!("{{\"{name}\":{value},"), 1);
        named(format!("{name} {value}"), sign_text(&json!(token.header).to_string(), &claims, key))
    };
    let soon = (now + 60).to_string();
    let wrong = [
        "null",
        "true",
        "[]",
        "{}",
        "-1",
        "-1e300",
        "1e400",
        "-1e400",
        "1e300",
        "1e17",
        "18446744073709551615",
        "18446744073709551616",
        "9007199254740993",
        "\"\"",
        "\"never\"",
        "NaN",
        "Infinity",
        "0x7fffffff",
        "+1",
        "01",
        ".5",
        "1.",
    ];
    let text = format!("\"{soon}\"");
    let list = format!("[{soon}]");
    let tokens = ["exp", "nbf", "iat"]
        .iter()
        .flat_map(|name| wrong.iter().copied().chain([text.as_str(), list.as_str()]).map(|value| written(name, value)));
    none_passes(&guarded, tokens.collect::<Vec<_>>()).await;
    // RFC 7519 section 2 allows fractions.
    let (_, token) = written("exp", &format!("{soon}.75"));
    let _ = guarded.edge.http().get("/x").bearer(&token).send().await.expect_status(200);
}

#[tokio::test]
async fn claims_that_become_fields_stay_one_field() {
    let guarded = Guarded::start("EdDSA", "").await;
    let key = &guarded.key;
    for (subject, field) in [
        ("alice\\r\\nX-Admin: 1", "alice%0D%0AX-Admin:%201"),
        ("alice\\u0000", "alice%00"),
        ("alice\\u000aX-Auth-Scope: all", "alice%0AX-Auth-Scope:%20all"),
        ("\\u00e4lice\\u2028", "%C3%A4lice%E2%80%A8"),
        ("100%", "100%25"),
        ("\\ud83d\\ude00", "%F0%9F%98%80"),
    ] {
        let claims = json!(Token::good(key, "SUBJECT").claims).to_string().replace("SUBJECT", subject);
        let token = sign_text(&json!({ "alg": "EdDSA" }).to_string(), &claims, key);
        let _ = guarded.edge.http().get("/x").bearer(&token).send().await.expect_status(200);
        let head = guarded.origin.last().head;
        assert_eq!(head.all("x-auth-subject").collect::<Vec<_>>(), [field], "{}", head.raw);
        assert!(!head.has("x-admin") && !head.has("x-auth-scope"), "{}", head.raw);
    }
    // Half a pair of surrogates is no text in UTF-8, so it can be no subject, in whatever claim it stands.
    let fresh = Guarded::start("EdDSA", "").await;
    let tokens = ["\\ud800", "\\udfff", "\\ud800\\ud800", "a\\udc00b"].map(|lone| {
        let claims = json!(Token::good(&fresh.key, "SUBJECT").claims).to_string().replace("SUBJECT", lone);
        named(lone, sign_text(&json!({ "alg": "EdDSA" }).to_string(), &claims, &fresh.key))
    });
    none_passes(&fresh, tokens).await;
}
