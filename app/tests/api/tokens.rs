//! The token service against answers recorded from djangorestframework-simplejwt 5.5.1.

use crate::app::{App, ISSUER, claims_of};
use http::{Method, Request, StatusCode};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};
use serve::contract::identity::Assertion;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

#[tokio::test]
async fn a_pair_is_obtained_with_json_and_with_a_form() {
    let app = App::new().await;
    let pair = app.sign_in("Ada").await;
    assert_eq!(pair.as_object().expect("an object").keys().collect::<Vec<_>>(), ["access", "refresh"]);
    for (content_type, body) in [
        (JSON, r#"{"username":"Ada","password":"correct horse"}"#),
        ("Application/JSON; charset=utf-8", r#"{"username":" ada ","password":"correct horse"}"#),
        (JSON, r#"{"username":"nobody","username":"ada","password":"correct horse"}"#),
        (FORM, "username=ada&password=correct+horse"),
        (FORM, "username=nobody&username=ada&password=correct%20horse"),
    ] {
        for path in ["/api/token/", "/api/token"] {
            let answer = app.post_raw(path, content_type, body).await;
            assert_eq!(answer.status, StatusCode::OK, "{content_type} {body} {}", answer.text);
            assert_eq!(answer.headers["cache-control"], "no-store");
        }
    }
}

#[tokio::test]
async fn access_tokens_say_what_edges_and_clients_read() {
    let app = App::new().await;
    let pair = app.sign_in("ada").await;
    let jwks = app.send(Request::get("/.well-known/jwks.json").body(axum::body::Body::empty()).expect("a request"));
    let jwks = jwks.await;
    assert_eq!(jwks.headers["cache-control"], "public, max-age=60");
    let jwks = jwks.json();
    let key = &jwks["keys"][0];
    assert_eq!(
        (key["kty"].as_str(), key["crv"].as_str(), key["use"].as_str()),
        (Some("OKP"), Some("Ed25519"), Some("sig"))
    );
    assert!(key.get("d").is_none(), "the private half stays at home");

    let decoding = DecodingKey::from_ed_components(key["x"].as_str().expect("x")).expect("a key");
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&["api"]);
    validation.set_issuer(&[ISSUER]);
    let access = pair["access"].as_str().expect("a token");
    let token = jsonwebtoken::decode::<Value>(access, &decoding, &validation).expect("verifies");
    assert_eq!(token.header.kid.as_deref(), key["kid"].as_str());
    assert_eq!(token.header.typ.as_deref(), Some("JWT"));
    let claims = token.claims;
    assert_eq!(claims["token_type"], "access");
    assert_eq!(claims["sub"], claims["user_id"]);
    assert_eq!(claims["username"], "ada");
    assert_eq!((&claims["roles"], &claims["scope"], &claims["aud"]), (&json!([]), &json!(""), &json!(["api"])));
    assert_eq!(claims["exp"].as_i64().expect("exp") - claims["iat"].as_i64().expect("iat"), 300);

    let refresh = claims_of(&pair["refresh"]);
    assert_eq!(refresh["token_type"], "refresh");
    assert_eq!(refresh["sid"], claims["sid"]);
    assert_ne!(refresh["jti"], claims["jti"]);
    assert_eq!(refresh["exp"].as_i64().expect("exp") - refresh["iat"].as_i64().expect("iat"), 24 * 3600);
}

/// Bodies as they were recorded, byte for byte.
#[tokio::test]
async fn errors_are_those_of_simplejwt() {
    const REQUIRED: &str = r#"{"username":["This field is required."],"password":["This field is required."]}"#;
    const BLANK: &str = r#"{"username":["This field may not be blank."],"password":["This field may not be blank."]}"#;
    const NOT_TEXT: &str = r#"{"username":["Not a valid string."],"password":["Not a valid string."]}"#;
    const NO_ACCOUNT: &str = r#"{"detail":"No active account found with the given credentials"}"#;
    const INVALID: &str = r#"{"detail":"Token is invalid","code":"token_not_valid"}"#;
    // Each row comes twice: more tries than the pace of sign-ins allows.
    let app = App::with(|config| config.sign_in.account_burst = std::num::NonZeroU32::MAX).await;
    let pair = app.sign_in("ada").await;
    let access = format!(r#"{{"refresh":{}}}"#, pair["access"]);
    for (path, content_type, body, status, expected) in [
        ("", JSON, r#"{"username":"ada","password":"bad"}"#, 401, NO_ACCOUNT),
        ("", JSON, r#"{"username":"nobody","password":"bad"}"#, 401, NO_ACCOUNT),
        ("", JSON, r#"{"username":1.5,"password":2}"#, 401, NO_ACCOUNT),
        ("", JSON, "{}", 400, REQUIRED),
        ("", JSON, "", 400, REQUIRED),
        ("", "text/plain", "", 400, REQUIRED),
        ("", JSON, r#"{"username":"ada"}"#, 400, r#"{"password":["This field is required."]}"#),
        ("", FORM, "username=ada", 400, r#"{"password":["This field is required."]}"#),
        ("", JSON, r#"{"username":"","password":""}"#, 400, BLANK),
        ("", JSON, r#"{"username":"  ","password":"  "}"#, 400, BLANK),
        ("", FORM, "username=&password=", 400, BLANK),
        (
            "",
            JSON,
            r#"{"username":null,"password":null}"#,
            400,
            r#"{"username":["This field may not be null."],"password":["This field may not be null."]}"#,
        ),
        ("", JSON, r#"{"username":true,"password":false}"#, 400, NOT_TEXT),
        ("", JSON, r#"{"username":["a"],"password":{"a":1}}"#, 400, NOT_TEXT),
        (
            "",
            JSON,
            r#"{"username":"a\u0000","password":"x"}"#,
            400,
            r#"{"username":["Null characters are not allowed."]}"#,
        ),
        ("", JSON, "[]", 400, r#"{"non_field_errors":["Invalid data. Expected a dictionary, but got list."]}"#),
        ("", JSON, r#""x""#, 400, r#"{"non_field_errors":["Invalid data. Expected a dictionary, but got str."]}"#),
        ("", JSON, "1", 400, r#"{"non_field_errors":["Invalid data. Expected a dictionary, but got int."]}"#),
        ("", JSON, "true", 400, r#"{"non_field_errors":["Invalid data. Expected a dictionary, but got bool."]}"#),
        ("", JSON, "null", 400, r#"{"non_field_errors":["No data provided"]}"#),
        ("", JSON, "nope", 400, r#"{"detail":"JSON parse error - Expecting value: line 1 column 1 (char 0)"}"#),
        ("", "text/plain", "x", 415, r#"{"detail":"Unsupported media type \"text/plain\" in request."}"#),
        (
            "",
            "text/plain; charset=utf-8",
            "x",
            415,
            r#"{"detail":"Unsupported media type \"text/plain; charset=utf-8\" in request."}"#,
        ),
        ("refresh/", JSON, &access, 401, r#"{"detail":"Token has wrong type","code":"token_not_valid"}"#),
        ("refresh/", JSON, r#"{"refresh":"garbage"}"#, 401, INVALID),
        ("refresh/", JSON, r#"{"refresh":"a.b.c"}"#, 401, INVALID),
        ("refresh/", JSON, r#"{"refresh":12}"#, 401, INVALID),
        ("refresh/", JSON, "{}", 400, r#"{"refresh":["This field is required."]}"#),
        ("refresh/", JSON, r#"{"refresh":""}"#, 400, r#"{"refresh":["This field may not be blank."]}"#),
        ("verify/", JSON, r#"{"token":"x"}"#, 401, INVALID),
        ("verify/", JSON, "{}", 400, r#"{"token":["This field is required."]}"#),
        ("blacklist/", JSON, &access, 401, r#"{"detail":"Token has wrong type","code":"token_not_valid"}"#),
        ("blacklist/", JSON, r#"{"refresh":"x"}"#, 401, INVALID),
        ("blacklist/", JSON, "{}", 400, r#"{"refresh":["This field is required."]}"#),
    ] {
        let with_slash = format!("/api/token/{path}");
        for path in [with_slash.as_str(), with_slash.trim_end_matches('/')] {
            let answer = app.post_raw(path, content_type, body.to_owned()).await;
            let found = (answer.status.as_u16(), answer.text.as_str());
            assert_eq!(found, (status, expected), "{path} {content_type} {body}");
            assert_eq!(answer.headers["content-type"], JSON);
            let challenge = answer.headers.get("www-authenticate").map(|value| value.to_str().expect("text"));
            assert_eq!(challenge, (status == 401).then_some("Bearer realm=\"api\""), "{path} {body}");
        }
    }
}

#[tokio::test]
async fn other_methods_and_large_bodies_are_refused() {
    let app = App::new().await;
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
        let request = Request::builder().method(&method).uri("/api/token/refresh/");
        let answer = app.send(request.body(axum::body::Body::empty()).expect("a request")).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.text, format!(r#"{{"detail":"Method \"{method}\" not allowed."}}"#));
        assert_eq!(answer.headers["allow"], "POST, OPTIONS");
    }
    let options = Request::options("/api/token/").body(axum::body::Body::empty()).expect("a request");
    let options = app.send(options).await;
    assert_eq!(
        (options.status, &options.headers["allow"]),
        (StatusCode::NO_CONTENT, &"POST, OPTIONS".parse().expect("a value"))
    );
    let large = app.post_raw("/api/token/", JSON, vec![b' '; 65 * 1024]).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_refresh_token_is_used_once_and_its_double_gets_the_same_successor() {
    let app = App::new().await;
    let pair = app.sign_in("ada").await;
    let refresh = async |token: &Value| app.post("/api/token/refresh/", json!({ "refresh": token })).await;
    let first = refresh(&pair["refresh"]).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text);
    let again = refresh(&pair["refresh"]).await;
    assert_eq!(again.string("refresh"), first.string("refresh"));
    assert_ne!(again.string("refresh"), pair["refresh"].as_str().expect("a token"));
    assert_eq!(claims_of(&first.json()["access"])["sid"], claims_of(&pair["access"])["sid"]);
    assert_eq!(refresh(&first.json()["refresh"]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_reused_token_ends_the_session() {
    const BLACKLISTED: &str = r#"{"detail":"Token is blacklisted","code":"token_not_valid"}"#;
    // Without grace every second use is a late one.
    let app = App::with(|config| config.tokens.reuse_grace = std::time::Duration::ZERO).await;
    let pair = app.sign_in("ada").await;
    let stolen = json!({ "refresh": pair["refresh"] });
    let next = app.post("/api/token/refresh/", stolen.clone()).await;
    assert_eq!(next.status, StatusCode::OK);
    // The clock of the rows has milliseconds; the second use must not fall into the same one.
    let used = jiff::Timestamp::now();
    while jiff::Timestamp::now().duration_since(used) < jiff::SignedDuration::from_millis(2) {
        tokio::task::yield_now().await;
    }
    assert_eq!(app.post("/api/token/refresh/", stolen).await.text, BLACKLISTED);
    let honest = app.post("/api/token/refresh/", json!({ "refresh": next.string("refresh") })).await;
    assert_eq!((honest.status, honest.text.as_str()), (StatusCode::UNAUTHORIZED, BLACKLISTED));
    let verified = app.post("/api/token/verify/", json!({ "token": next.string("access") })).await;
    assert_eq!((verified.status, verified.text.as_str()), (StatusCode::UNAUTHORIZED, BLACKLISTED));
}

#[tokio::test]
async fn signing_out_ends_every_token_of_the_session_only() {
    let app = App::new().await;
    let pair = app.sign_in("ada").await;
    let other = app.post("/api/token/", json!({"username": "ada", "password": "correct horse"})).await.json();
    let verify = async |token: &Value| app.post("/api/token/verify/", json!({ "token": token })).await;
    for token in [&pair["access"], &pair["refresh"]] {
        let verified = verify(token).await;
        assert_eq!((verified.status, verified.text.as_str()), (StatusCode::OK, "{}"));
    }
    // The edge still takes the access token, which has not expired; the application does not.
    let me = async |pair: &Value| {
        let claims = claims_of(&pair["access"]);
        let text = |name: &str| claims[name].as_str().expect("text").to_owned();
        let name = |a: &mut Assertion| a.identity.as_mut().expect("an identity").session = Some(text("sid"));
        app.get_as("/api/me/", &text("sub"), name).await.status
    };
    assert_eq!((me(&pair).await, me(&other).await), (StatusCode::OK, StatusCode::OK));
    let out = app.post("/api/token/blacklist/", json!({ "refresh": pair["refresh"] })).await;
    assert_eq!((out.status, out.text.as_str()), (StatusCode::OK, "{}"));
    assert_eq!((me(&pair).await, me(&other).await), (StatusCode::UNAUTHORIZED, StatusCode::OK));
    for token in [&pair["access"], &pair["refresh"]] {
        assert_eq!(verify(token).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(verify(&other["access"]).await.status, StatusCode::OK);
    for path in ["refresh", "blacklist"] {
        let again = app.post(&format!("/api/token/{path}/"), json!({ "refresh": pair["refresh"] })).await;
        assert_eq!(again.text, r#"{"detail":"Token is blacklisted","code":"token_not_valid"}"#);
    }
}

#[tokio::test]
async fn an_inactive_or_deleted_user_gets_no_more_tokens() {
    let app = App::new().await;
    for (username, change) in [
        ("ada", "UPDATE users SET active = FALSE WHERE username = 'ada'"),
        ("bob", "DELETE FROM users WHERE username = 'bob'"),
    ] {
        let pair = app.sign_in(username).await;
        let id = claims_of(&pair["access"])["sub"].as_str().expect("an id").to_owned();
        assert_eq!(app.get_as("/api/me/", &id, |_| {}).await.status, StatusCode::OK);
        app.execute(change).await;
        let refresh = app.post("/api/token/refresh/", json!({ "refresh": pair["refresh"] })).await;
        assert_eq!(refresh.status, StatusCode::UNAUTHORIZED);
        assert_eq!(refresh.text, r#"{"detail":"No active account found for the given token."}"#);
        let again = app.post("/api/token/", json!({"username": username, "password": "correct horse"})).await;
        assert_eq!(again.text, r#"{"detail":"No active account found with the given credentials"}"#);
        let me = app.get_as("/api/me/", &id, |_| {}).await;
        assert_eq!(me.status, StatusCode::UNAUTHORIZED, "at once, not when the token expires");
        assert_eq!(me.headers["www-authenticate"], "Bearer");
    }
}
