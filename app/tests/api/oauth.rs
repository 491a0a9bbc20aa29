//! RFC 7009, RFC 7662 and RFC 8414.

use crate::app::{Answer, App, ISSUER, claims_of};
use http::{Request, StatusCode};
use portcullis_app::config::Config;
use serde_json::{Value, json};

const FORM: &str = "application/x-www-form-urlencoded";

async fn revoke(app: &App, token: &Value) -> Answer {
    app.post_raw("/api/token/revoke/", FORM, format!("token={}", token.as_str().expect("a token"))).await
}

#[tokio::test]
async fn whichever_token_is_given_back_its_session_ends() {
    let app = App::new().await;
    for (username, given) in [("ada", "refresh"), ("bob", "access")] {
        let pair = app.sign_in(username).await;
        for _ in 0..2 {
            let answer = revoke(&app, &pair[given]).await;
            assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, ""));
        }
        for token in [&pair["access"], &pair["refresh"]] {
            let verified = app.post("/api/token/verify/", json!({ "token": token })).await;
            assert_eq!(verified.status, StatusCode::UNAUTHORIZED);
        }
    }
    assert_eq!(app.revoked_sessions().await.len(), 2, "once each");
    assert_eq!(revoke(&app, &json!("garbage")).await.status, StatusCode::OK, "RFC 7009 section 2.2");
    for (content_type, body) in [(FORM, ""), (FORM, "token="), (FORM, "token=a&token=b"), ("application/json", "{}")] {
        let answer = app.post_raw("/api/token/revoke/", content_type, body).await;
        assert_eq!((answer.status, &answer.json()["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_request")));
    }
}

#[tokio::test]
async fn introspection_is_closed_unless_a_secret_opens_it() {
    let closed = App::new().await;
    assert_eq!(closed.post_raw("/api/token/introspect/", FORM, "token=x").await.status, StatusCode::NOT_FOUND);

    let mut secret = String::new();
    let open = |config: &mut Config| {
        let file = config.state.join("introspection.key");
        serve::shared_key::load_or_create(&file, true).expect("a secret");
        secret = std::fs::read_to_string(&file).expect("text").trim().to_owned();
        config.tokens.introspection_secret = Some(file);
    };
    let app = App::with(open).await;
    let pair = app.sign_in("ada").await;
    let ask = async |authorization: &str, body: String| {
        let request = Request::post("/api/token/introspect").header("content-type", FORM);
        app.send(request.header("authorization", authorization).body(body.into()).expect("a request")).await
    };
    let body = |token: &Value| format!("token={}&token_type_hint=refresh_token", token.as_str().expect("a token"));
    let bearer = format!("Bearer {secret}");
    for wrong in ["", "Bearer", "Bearer x", &secret, &format!("Basic {secret}"), &bearer[..bearer.len() - 1]] {
        let answer = ask(wrong, body(&pair["access"])).await;
        assert_eq!((answer.status, &answer.json()["error"]), (StatusCode::UNAUTHORIZED, &json!("invalid_client")));
        assert!(answer.headers.contains_key("www-authenticate"));
    }
    assert_eq!(ask(&bearer, String::new()).await.status, StatusCode::BAD_REQUEST);

    let told = ask(&bearer, body(&pair["access"])).await;
    assert_eq!(told.headers["cache-control"], "no-store");
    let (told, claims) = (told.json(), claims_of(&pair["access"]));
    for name in ["sub", "iss", "aud", "exp", "iat", "jti", "sid", "username", "scope"] {
        assert_eq!(told[name], claims[name], "{name}");
    }
    let kind = (&told["active"], &told["token_type"], &told["token_use"]);
    assert_eq!(kind, (&json!(true), &json!("Bearer"), &json!("access")));
    assert_eq!(ask(&bearer, body(&pair["refresh"])).await.json()["token_use"], "refresh");
    revoke(&app, &pair["refresh"]).await;
    for token in [&pair["access"], &pair["refresh"], &json!("garbage")] {
        assert_eq!(ask(&bearer, body(token)).await.json(), json!({"active": false}), "and nothing more");
    }
    let metadata = app.send_empty(Request::get("/.well-known/oauth-authorization-server")).await.json();
    assert_eq!(metadata["introspection_endpoint"], format!("{ISSUER}/api/token/introspect/"));
}

#[tokio::test]
async fn metadata_says_where_everything_is() {
    let app = App::new().await;
    for path in ["/.well-known/oauth-authorization-server", "/.well-known/oauth-authorization-server/"] {
        let answer = app.send_empty(Request::get(path)).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.headers["cache-control"], "public, max-age=3600");
        let metadata = answer.json();
        assert_eq!(metadata["issuer"], ISSUER);
        assert!(metadata.get("introspection_endpoint").is_none());
        for member in ["jwks_uri", "revocation_endpoint", "token_endpoint"] {
            let url = metadata[member].as_str().expect("a URL");
            let path = url.strip_prefix(ISSUER).expect("below the issuer");
            assert_ne!(app.send_empty(Request::get(path)).await.status, StatusCode::NOT_FOUND, "{url}");
        }
    }
}
