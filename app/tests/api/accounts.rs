//! Registration, the caller's own account, and whom the application believes.

use crate::app::{App, assertion};
use http::StatusCode;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use serve::contract::identity::ASSERTION_TYPE;

async fn register(app: &App, username: &str, password: &str) -> crate::app::Answer {
    app.post("/api/register/", json!({"username": username, "password": password})).await
}

#[tokio::test]
async fn an_account_is_registered_and_seen_by_its_owner() {
    let app = App::new().await;
    let made = register(&app, "Ada.L", "correct horse").await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    assert_eq!((made.string("username").as_str(), made.string("role").as_str()), ("Ada.L", "user"));
    for path in ["/api/me/", "/api/me"] {
        let me = app.get_as(path, &made.string("id"), |_| {}).await;
        assert_eq!((me.status, me.json()), (StatusCode::OK, made.json()));
    }
}

#[tokio::test]
async fn registration_says_what_is_wrong_with_each_field() {
    let app = App::new().await;
    register(&app, "ada", "correct horse").await;
    for (username, password, status, code, fields) in [
        ("ADA", "correct horse", 409, "username_taken", vec![]),
        ("a", "correct horse", 400, "validation", vec!["username"]),
        ("bob", "short", 400, "validation", vec!["password"]),
        ("bob", " correct horse", 400, "validation", vec!["password"]),
        ("b b b", "", 400, "validation", vec!["password", "username"]),
    ] {
        let answer = register(&app, username, password).await;
        assert_eq!(answer.status.as_u16(), status, "{username}: {}", answer.text);
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        let problem = answer.json();
        assert_eq!((&problem["code"], &problem["source"]), (&json!(code), &json!("app")));
        assert_eq!(problem["request_id"], "test-request-1");
        let found: Vec<_> = problem["errors"].as_object().into_iter().flat_map(|errors| errors.keys()).collect();
        assert_eq!(found, fields, "{username}");
    }
    let plain = app.post_raw("/api/register/", "text/plain", "x").await;
    assert_eq!(plain.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn only_the_edge_is_believed_and_only_about_this_request() {
    let app = App::new().await;
    let id = register(&app, "ada", "correct horse").await.string("id");
    let unknown = uuid::Uuid::now_v7().to_string();
    type Spoil = fn(&mut serve::contract::identity::Assertion);
    let spoiled: [(&str, Spoil); 9] = [
        ("another upstream", |a| a.aud = "other".to_owned()),
        ("too old", |a| (a.iat, a.exp) = (a.iat - 60, a.iat - 6)),
        ("from the future", |a| (a.iat, a.exp) = (a.iat + 60, a.exp + 60)),
        ("another method", |a| a.method = "POST".to_owned()),
        ("another path", |a| a.path = "/api/notes/".to_owned()),
        ("another request", |a| a.request_id = "test-request-2".to_owned()),
        ("another issuer", |a| a.identity.as_mut().expect("an identity").issuer = "https://other.test".to_owned()),
        ("no user's id", |a| a.identity.as_mut().expect("an identity").subject = "ada".to_owned()),
        ("nobody", |a| a.identity = None),
    ];
    for (name, spoil) in spoiled {
        let answer = app.get_as("/api/me/", &id, spoil).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name}");
        assert_eq!(answer.json()["code"], "unauthenticated", "{name}");
    }
    assert_eq!(app.get_as("/api/me/", &unknown, |_| {}).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        app.get_as("/api/me/", &id, |a| (a.iat, a.exp) = (a.iat - 34, a.iat - 4)).await.status,
        StatusCode::OK,
        "leeway"
    );

    let mut header = Header::new(Algorithm::HS256);
    header.typ = Some(ASSERTION_TYPE.to_owned());
    let stated = assertion("GET", "/api/me/", &id);
    let sign = |header: &Header, key: &EncodingKey| jsonwebtoken::encode(header, &stated, key).expect("signed");
    assert_eq!(app.get_with("/api/me/", &sign(&header, app.key())).await.status, StatusCode::OK);
    for forged in [
        sign(&header, &EncodingKey::from_secret(&[0; 32])),
        sign(&Header::new(Algorithm::HS256), app.key()),
        String::new(),
        "a.b.c".to_owned(),
        "a".repeat(20_000),
    ] {
        assert_eq!(app.get_with("/api/me/", &forged).await.status, StatusCode::UNAUTHORIZED, "{forged:.40}");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let app = App::new().await;
    let lost = app.get_with("/api/nothing", "").await;
    assert_eq!((lost.status, &lost.json()["code"]), (StatusCode::NOT_FOUND, &json!("not_found")));
    let wrong = app.post("/api/me/", json!({})).await;
    assert_eq!((wrong.status, &wrong.json()["code"]), (StatusCode::METHOD_NOT_ALLOWED, &json!("method_not_allowed")));
    let document = app.get_with("/api/openapi.json", "").await.json();
    for path in ["/api/token/", "/api/register/", "/api/me/", "/.well-known/jwks.json"] {
        assert!(document["paths"][path].is_object(), "{path}");
    }
}
