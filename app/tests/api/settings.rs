//! The settings of simplejwt under our names: what each changes in answers and tokens.

use crate::app::{App, claims_of};
use http::{Request, StatusCode};
use portcullis_app::config::{Config, DatabaseUrl, GivenAlgorithm, SigningConfig, SlidingConfig, UserIdField};
use portcullis_app::service;
use portcullis_app::tokens::SigningKey;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const BLACKLISTED: &str = r#"{"detail":"Token is blacklisted","code":"token_not_valid"}"#;

async fn refresh(app: &App, token: &Value) -> crate::app::Answer {
    app.post("/api/token/refresh/", json!({ "refresh": token })).await
}

#[tokio::test]
async fn without_rotation_a_refresh_token_goes_on() {
    let app = App::with(|config| config.tokens.rotate = false).await;
    let pair = app.sign_in("ada").await;
    for _ in 0..2 {
        let answer = refresh(&app, &pair["refresh"]).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert_eq!(answer.json().as_object().expect("an object").keys().collect::<Vec<_>>(), ["access"]);
    }
    let out = app.post("/api/token/blacklist/", json!({ "refresh": pair["refresh"] })).await;
    assert_eq!(out.status, StatusCode::OK);
    assert_eq!(refresh(&app, &pair["refresh"]).await.text, BLACKLISTED);
}

#[tokio::test]
async fn without_the_blacklist_old_and_new_refresh_tokens_go_on() {
    let app = App::with(|config| {
        config.tokens.blacklist_after_rotation = false;
        config.tokens.reuse_grace = Duration::ZERO;
    })
    .await;
    let pair = app.sign_in("ada").await;
    let (one, two) = (refresh(&app, &pair["refresh"]).await, refresh(&app, &pair["refresh"]).await);
    assert_ne!(one.string("refresh"), two.string("refresh"), "each its own successor");
    for token in [&pair["refresh"], &one.json()["refresh"], &two.json()["refresh"]] {
        assert_eq!(refresh(&app, token).await.status, StatusCode::OK);
        let verified = app.post("/api/token/verify/", json!({ "token": token })).await;
        assert_eq!(verified.status, StatusCode::OK);
    }
}

/// Two tabs refresh at once at two instances, whose clocks are 20 seconds apart.
#[tokio::test]
async fn instances_whose_clocks_differ_as_much_as_allowed_log_nobody_out() {
    for (leeway, status) in [(30, StatusCode::OK), (0, StatusCode::UNAUTHORIZED)] {
        let app = App::with(|config| config.tokens.leeway = Duration::from_secs(leeway)).await;
        let pair = app.sign_in("ada").await;
        assert_eq!(refresh(&app, &pair["refresh"]).await.status, StatusCode::OK);
        app.execute("UPDATE refresh_tokens SET used_at = used_at - 20000 WHERE used_at IS NOT NULL").await;
        assert_eq!(refresh(&app, &pair["refresh"]).await.status, status);
    }
}

#[tokio::test]
async fn a_sign_in_is_noted_unless_it_should_not_be() {
    for noted in [true, false] {
        let app = App::with(|config| config.tokens.update_last_login = noted).await;
        app.sign_in("ada").await;
        app.execute("UPDATE users SET role = 'admin'").await;
        let pair = app.post("/api/token/", json!({"username": "ada", "password": "correct horse"})).await.json();
        let request = app.request_as("GET", "/api/admin/users/", &pair["access"], "192.0.2.1");
        let users = app.send_empty(request).await.json();
        assert_eq!(users["items"][0]["last_login"].is_string(), noted, "{users}");
    }
}

#[tokio::test]
async fn an_inactive_account_goes_on_where_nobody_looks() {
    let app = App::with(|config| config.tokens.check_user_active = false).await;
    let pair = app.sign_in("ada").await;
    app.execute("UPDATE users SET active = FALSE").await;
    assert_eq!(refresh(&app, &pair["refresh"]).await.status, StatusCode::OK);
    let again = app.post("/api/token/", json!({"username": "ada", "password": "correct horse"})).await;
    assert_eq!(again.status, StatusCode::OK);
    let me = app.send_empty(app.request_as("GET", "/api/me/", &pair["access"], "192.0.2.1")).await;
    assert_eq!(me.status, StatusCode::OK);
}

#[tokio::test]
async fn claims_and_lifetimes_are_those_that_were_set() {
    let app = App::with(|config| {
        let tokens = &mut config.tokens;
        tokens.claims.user_id = "user".to_owned();
        tokens.claims.token_type = "kind".to_owned();
        tokens.claims.jti = "id".to_owned();
        tokens.user_id_field = UserIdField::Username;
        tokens.audience = "notes".to_owned();
        tokens.issuer = "https://issuer.test".to_owned();
        tokens.access_lifetime = Duration::from_secs(60);
        tokens.refresh_lifetime = Duration::from_secs(120);
    })
    .await;
    let pair = app.sign_in("ada").await;
    let (access, refreshing) = (claims_of(&pair["access"]), claims_of(&pair["refresh"]));
    assert_eq!((&access["user"], &access["kind"]), (&json!("ada"), &json!("access")));
    assert_eq!((&access["iss"], &access["aud"]), (&json!("https://issuer.test"), &json!(["notes"])));
    assert_eq!(refreshing["kind"], "refresh");
    let life = |claims: &Value| claims["exp"].as_i64().expect("exp") - claims["iat"].as_i64().expect("iat");
    assert_eq!((life(&access), life(&refreshing)), (60, 120));
    assert_eq!(refresh(&app, &pair["refresh"]).await.status, StatusCode::OK);
    assert_eq!(refresh(&app, &pair["access"]).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn sliding_tokens_slide_where_they_are_allowed() {
    const WRONG_TYPE: &str = r#"{"detail":"Token has wrong type","code":"token_not_valid"}"#;
    let credentials = json!({"username": "ada", "password": "correct horse"});
    let without = App::new().await;
    assert_eq!(without.post("/api/token/sliding/", credentials.clone()).await.status, StatusCode::NOT_FOUND);

    let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3600));
    let sliding = SlidingConfig { lifetime: minute, refresh_lifetime: hour };
    let app = App::with(|config| config.tokens.sliding = Some(sliding)).await;
    let pair = app.sign_in("ada").await;
    for path in ["/api/token/sliding/", "/api/token/sliding"] {
        let first = app.post(path, credentials.clone()).await;
        assert_eq!(first.status, StatusCode::OK, "{}", first.text);
        assert_eq!(first.json().as_object().expect("an object").len(), 1);
        let claims = claims_of(&first.json()["token"]);
        assert_eq!((&claims["token_type"], &claims["aud"]), (&json!("sliding"), &json!(["api"])));
        let life = |claim: &str| claims[claim].as_i64().expect("a moment") - claims["iat"].as_i64().expect("iat");
        assert_eq!((life("exp"), life("refresh_exp")), (60, 3600));

        let again = app.post(&format!("{}/refresh/", path.trim_end_matches('/')), first.json()).await;
        assert_eq!(again.status, StatusCode::OK, "{}", again.text);
        let later = claims_of(&again.json()["token"]);
        assert_eq!((&later["refresh_exp"], &later["jti"]), (&claims["refresh_exp"], &claims["jti"]));
        let me = app.request_as("GET", "/api/me/", &again.json()["token"], "192.0.2.1");
        assert_eq!(app.send_empty(me).await.status, StatusCode::OK);
    }
    let table = [
        ("sliding/refresh/", json!({ "token": pair["access"] }), 401, WRONG_TYPE),
        ("sliding/refresh/", json!({}), 400, r#"{"token":["This field is required."]}"#),
        (
            "sliding/",
            json!({}),
            400,
            r#"{"username":["This field is required."],"password":["This field is required."]}"#,
        ),
    ];
    for (path, body, status, text) in table {
        let answer = app.post(&format!("/api/token/{path}"), body).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (status, text), "{path}");
    }
    let token = app.post("/api/token/sliding/", credentials).await.json();
    assert_eq!(refresh(&app, &token["token"]).await.text, WRONG_TYPE, "it is no refresh token");
    let out = app.request_as("POST", "/api/logout/", &token["token"], "192.0.2.1");
    assert_eq!(app.send_empty(out).await.status, StatusCode::NO_CONTENT);
    assert_eq!(app.post("/api/token/sliding/refresh/", token).await.text, BLACKLISTED);
}

/// Makes a private key with the openssl command; none where there is none.
fn make_key(path: &Path, arguments: &[&str]) -> bool {
    let made = Command::new("openssl").arg("genpkey").args(arguments).arg("-out").arg(path).output();
    made.is_ok_and(|made| made.status.success())
}

#[tokio::test]
async fn a_given_key_signs_with_its_algorithm() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("key");
    let keys: [(GivenAlgorithm, &str, &[&str]); 4] = [
        (GivenAlgorithm::Hs256, "HS256", &[]),
        (GivenAlgorithm::EdDsa, "EdDSA", &["-algorithm", "ED25519"]),
        (GivenAlgorithm::Es256, "ES256", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
        (GivenAlgorithm::Rs256, "RS256", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
    ];
    for (algorithm, name, arguments) in keys {
        if arguments.is_empty() {
            std::fs::write(&path, "s".repeat(32)).expect("a file");
        } else if !make_key(&path, arguments) {
            println!("SKIPPED: {name}, because there is no openssl to make a key with");
            continue;
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("a mode");
        let signing = SigningConfig::Given { algorithm, file: path.clone() };
        let app = App::with(|config| config.tokens.signing = signing).await;
        let pair = app.sign_in("ada").await;
        let header = jsonwebtoken::decode_header(pair["access"].as_str().expect("a token")).expect("a header");
        let jwks = app.send_empty(Request::get("/.well-known/jwks.json")).await.json();
        let published = jwks["keys"].as_array().expect("keys");
        assert_eq!(serde_json::to_value(header.alg).expect("a name"), name);
        if algorithm == GivenAlgorithm::Hs256 {
            assert!(published.is_empty() && header.kid.is_none(), "a secret stays one");
        } else {
            assert_eq!((&published[0]["alg"], published[0]["kid"].as_str()), (&json!(name), header.kid.as_deref()));
            let private = ["d", "p", "q", "dp", "dq", "qi", "k"];
            assert!(private.iter().all(|member| published[0].get(*member).is_none()), "{jwks}");
        }
        assert_eq!(refresh(&app, &pair["refresh"]).await.status, StatusCode::OK, "{name}");
    }
}

/// An earlier version kept its one key in a file: nobody is signed out by the update.
#[tokio::test]
async fn the_key_of_an_earlier_version_goes_on_signing() {
    let key = |folder: &Path| folder.join("keys/signing.pem");
    let mut made = true;
    let app = App::with(|config| {
        std::fs::create_dir_all(config.keys()).expect("a folder");
        made = make_key(&key(&config.state), &["-algorithm", "ED25519"]);
        if made {
            let mode = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(key(&config.state), mode).expect("a mode");
        }
    })
    .await;
    if !made {
        println!("SKIPPED: there is no openssl to make a key with");
        return;
    }
    let earlier = SigningKey::given(GivenAlgorithm::EdDsa, &key(app.folder())).expect("a key");
    let pair = app.sign_in("ada").await;
    let header = jsonwebtoken::decode_header(pair["access"].as_str().expect("a token")).expect("a header");
    assert_eq!(header.kid.as_deref(), earlier.id());
}

#[tokio::test]
async fn a_start_with_bad_settings_or_keys_fails_in_words() {
    type Change = fn(&mut Config);
    let table: [(Change, &str); 4] = [
        (|config| config.tokens.access_lifetime = Duration::ZERO, "--access-lifetime: must be from 1s to 24h"),
        (
            |config| {
                let file = config.state.join("none");
                config.tokens.signing = SigningConfig::Given { algorithm: GivenAlgorithm::Rs256, file };
            },
            "none: No such file",
        ),
        (|config| config.tokens.introspection_secret = Some(config.state.join("none")), "there is no key file"),
        (|config| config.database = DatabaseUrl::Postgres("postgres://127.0.0.1:1/x".to_owned()), "the database can't"),
    ];
    for (change, message) in table {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = crate::app::config(folder.path());
        change(&mut config);
        let error = service::build(config).await.expect_err("no start").to_string();
        assert!(error.contains(message), "{error}");
    }
}
