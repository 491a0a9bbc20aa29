//! Tokens in cookies: none in a body, and none that counts for another site's page.

use crate::app::{Answer, App, claims_of};
use http::{StatusCode, request};
use portcullis_app::config::BrowserConfig;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const ORIGIN: &str = "https://example.com";
const CREDENTIALS: &str = r#"{"username":"ada","password":"correct horse"}"#;

async fn app() -> App {
    let origins = vec![ORIGIN.parse().expect("an origin")];
    let app = App::with(|config| config.tokens.browser = Some(BrowserConfig { origins })).await;
    let body: Value = serde_json::from_str(CREDENTIALS).expect("JSON");
    assert_eq!(app.post("/api/register/", body).await.status, StatusCode::CREATED);
    app
}

/// The jar of a browser: name to value.
type Jar = BTreeMap<String, String>;

/// Puts what an answer sets into the jar, and checks each cookie's attributes.
fn keep(jar: &mut Jar, answer: &Answer) {
    for cookie in answer.headers.get_all("set-cookie") {
        let (pair, attributes) = cookie.to_str().expect("text").split_once("; ").expect("attributes");
        let (name, value) = pair.split_once('=').expect("a pair");
        let hidden = attributes.contains("HttpOnly");
        assert_eq!(hidden, name != "__Host-csrf", "{cookie:?}");
        for attribute in ["Path=/", "Secure", "SameSite=Strict", "Max-Age="] {
            assert!(attributes.contains(attribute), "{cookie:?}");
        }
        assert!(!attributes.contains("Domain"));
        if attributes.contains("Max-Age=0;") {
            jar.remove(name);
        } else {
            jar.insert(name.to_owned(), value.to_owned());
        }
    }
}

fn post(path: &str, jar: &Jar) -> request::Builder {
    let line = jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
    request::Builder::new().method("POST").uri(path).header("cookie", line)
}

async fn sign_in(app: &App) -> Jar {
    let request = post("/api/token/", &Jar::new()).header("sec-fetch-site", "same-origin");
    let answer = app.send_json(request, serde_json::from_str(CREDENTIALS).expect("JSON")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.json(), json!({"access_expires_in": 300}), "no token in the body");
    let mut jar = Jar::new();
    keep(&mut jar, &answer);
    assert_eq!(jar.keys().collect::<Vec<_>>(), ["__Host-access", "__Host-csrf", "__Host-refresh"]);
    jar
}

#[tokio::test]
async fn a_page_signs_in_refreshes_and_signs_out_without_seeing_a_token() {
    let app = app().await;
    let mut jar = sign_in(&app).await;
    let claims = claims_of(&json!(jar["__Host-access"]));
    assert_eq!(claims["token_type"], "access");
    for fetch in [("sec-fetch-site", "same-origin"), ("origin", ORIGIN)] {
        let before = jar.clone();
        let request = post("/api/token/refresh/", &jar).header(fetch.0, fetch.1);
        let answer = app.send_empty(request.header("x-csrf-token", &jar["__Host-csrf"])).await;
        assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({"access_expires_in": 300})));
        keep(&mut jar, &answer);
        assert!(before.iter().all(|(name, value)| jar[name] != *value), "each cookie is renewed");
    }
    let request = post("/api/token/blacklist/", &jar).header("sec-fetch-site", "same-origin");
    let answer = app.send_empty(request.header("x-csrf-token", &jar["__Host-csrf"])).await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "{}"));
    let mut left = jar.clone();
    keep(&mut left, &answer);
    assert!(left.is_empty(), "{left:?}");
    let request = post("/api/token/refresh/", &jar).header("sec-fetch-site", "same-origin");
    let late = app.send_empty(request.header("x-csrf-token", &jar["__Host-csrf"])).await;
    assert_eq!(late.status, StatusCode::UNAUTHORIZED);
    assert_eq!(app.revoked_sessions().await, [claims["sid"].as_str().expect("a session")]);
}

#[tokio::test]
async fn another_sites_page_can_do_nothing_with_the_cookies() {
    const ORIGIN_FAILED: &str = r#"{"detail":"CSRF Failed: Origin checking failed."}"#;
    const MISSING: &str = r#"{"detail":"CSRF Failed: CSRF token missing."}"#;
    const INCORRECT: &str = r#"{"detail":"CSRF Failed: CSRF token incorrect."}"#;
    let app = app().await;
    let (jar, other) = (sign_in(&app).await, sign_in(&app).await);
    let (own, others) = (jar["__Host-csrf"].as_str(), other["__Host-csrf"].as_str());
    let planted = Jar::from([
        ("__Host-csrf".to_owned(), others.to_owned()),
        ("__Host-refresh".to_owned(), jar["__Host-refresh"].clone()),
    ]);
    let table = [
        (&jar, vec![("x-csrf-token", own)], ORIGIN_FAILED),
        (&jar, vec![("sec-fetch-site", "cross-site"), ("x-csrf-token", own)], ORIGIN_FAILED),
        (&jar, vec![("sec-fetch-site", "same-site"), ("origin", ORIGIN), ("x-csrf-token", own)], ORIGIN_FAILED),
        (&jar, vec![("origin", "https://evil.test"), ("x-csrf-token", own)], ORIGIN_FAILED),
        (&jar, vec![("sec-fetch-site", "same-origin")], MISSING),
        (&jar, vec![("sec-fetch-site", "same-origin"), ("x-csrf-token", others)], INCORRECT),
        (&planted, vec![("sec-fetch-site", "same-origin"), ("x-csrf-token", others)], INCORRECT),
    ];
    for path in ["/api/token/refresh/", "/api/token/blacklist/"] {
        for (jar, fields, expected) in &table {
            let request = fields.iter().fold(post(path, jar), |request, (name, value)| request.header(*name, *value));
            let answer = app.send_empty(request).await;
            assert_eq!((answer.status, answer.text.as_str()), (StatusCode::FORBIDDEN, *expected), "{path} {fields:?}");
            assert!(!answer.headers.contains_key("set-cookie"));
        }
    }
    // Nobody is signed in to a stranger's account either.
    for site in [None, Some("cross-site"), Some("none")] {
        let request = site
            .into_iter()
            .fold(post("/api/token/", &Jar::new()), |request, site| request.header("sec-fetch-site", site));
        let answer = app.send_json(request, serde_json::from_str(CREDENTIALS).expect("JSON")).await;
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::FORBIDDEN, ORIGIN_FAILED));
    }
    assert!(app.revoked_sessions().await.is_empty(), "no attempt has ended anything");
}

#[tokio::test]
async fn a_token_in_the_body_is_not_looked_at() {
    let app = app().await;
    let jar = sign_in(&app).await;
    let request = post("/api/token/refresh/", &Jar::new()).header("sec-fetch-site", "same-origin");
    let answer = app.send_json(request, json!({"refresh": jar["__Host-refresh"]})).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (400, r#"{"refresh":["This field is required."]}"#));
}

#[tokio::test]
async fn logging_out_at_the_api_takes_the_cookies_too() {
    let app = app().await;
    let mut jar = sign_in(&app).await;
    let request = app.request_as("POST", "/api/logout/all/", &json!(jar["__Host-access"]), "192.0.2.1");
    let answer = app.send_empty(request).await;
    assert_eq!(answer.status, StatusCode::OK);
    keep(&mut jar, &answer);
    assert!(jar.is_empty());
}
