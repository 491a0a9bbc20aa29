//! The pace of sign-ins: 429 with the time to wait, the same for names that exist and names that do not, and no lock.

use crate::app::{Answer, App};
use http::StatusCode;
use portcullis_app::config::SignInConfig;
use serde_json::json;
use std::num::NonZeroU32;
use std::time::Duration;

async fn app(account: u32, address: u32) -> App {
    let burst = |burst| NonZeroU32::new(burst).expect("not zero");
    let sign_in = SignInConfig {
        account_burst: burst(account),
        account_pause: Duration::from_secs(60),
        address_burst: burst(address),
        address_pause: Duration::from_secs(60),
        ..SignInConfig::default()
    };
    App::with(|config| config.sign_in = sign_in).await
}

async fn try_from(app: &App, username: &str, password: &str, address: &str) -> Answer {
    let request = app.request_from("POST", "/api/token/", address);
    app.send_json(request, json!({"username": username, "password": password})).await
}

fn assert_throttled(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{}", answer.text);
    let seconds: u64 = answer.headers["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert!((1..=60).contains(&seconds));
    assert_eq!(
        answer.text,
        format!(r#"{{"detail":"Request was throttled. Expected available in {seconds} seconds."}}"#)
    );
}

#[tokio::test]
async fn an_account_is_guessed_at_slowly_whether_it_exists_or_not() {
    let app = app(3, 1000).await;
    app.sign_in("ada").await;
    for username in ["ada", "nobody"] {
        for (host, name) in [username.to_owned(), username.to_uppercase(), username.to_owned()].iter().enumerate() {
            let answer = try_from(&app, name, "bad", &format!("198.51.100.{host}")).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        }
        assert_throttled(&try_from(&app, username, "bad", "198.51.100.99").await);
        assert_throttled(&try_from(&app, username, "correct horse", "198.51.100.99").await);
    }
}

#[tokio::test]
async fn who_has_been_here_before_is_not_locked_out() {
    let app = app(3, 1000).await;
    app.sign_in("ada").await;
    assert_eq!(try_from(&app, "ada", "correct horse", "192.0.2.1").await.status, StatusCode::OK);
    while try_from(&app, "ada", "bad", "198.51.100.1").await.status == StatusCode::UNAUTHORIZED {}
    for _ in 0..10 {
        assert_eq!(try_from(&app, "ada", "correct horse", "192.0.2.1").await.status, StatusCode::OK);
    }
    assert_throttled(&try_from(&app, "ada", "correct horse", "198.51.100.1").await);
}

#[tokio::test]
async fn an_address_is_bounded_and_a_forged_one_is_not_believed() {
    let app = app(1000, 3).await;
    app.sign_in("ada").await;
    for n in 0..3 {
        let answer = try_from(&app, &format!("name-{n}"), "bad", "198.51.100.1, 10.0.0.7").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    assert_throttled(&try_from(&app, "ada", "correct horse", "198.51.100.1").await);
    assert_eq!(try_from(&app, "ada", "correct horse", "198.51.100.2").await.status, StatusCode::OK);
    // Who reaches the application's own port says of himself what he likes: it counts for nothing, for him or against.
    for _ in 0..5 {
        let request = http::Request::post("/api/token/").header("x-forwarded-for", "198.51.100.3");
        let answer = app.send_json(request, json!({"username": "other", "password": "bad"})).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(try_from(&app, "ada", "correct horse", "198.51.100.3").await.status, StatusCode::OK);
}

#[tokio::test]
async fn names_are_not_tried_out_faster_by_registering_them() {
    let app = app(1000, 3).await;
    let register = async |username: &str, address: &str| {
        let request = app.request_from("POST", "/api/register/", address);
        app.send_json(request, json!({"username": username, "password": "correct horse"})).await
    };
    let mut statuses = Vec::new();
    for username in ["ada", "bob", "ada"] {
        statuses.push(register(username, "198.51.100.1").await.status.as_u16());
    }
    assert_eq!(statuses, [201, 201, 409]);
    for username in ["ada", "eve"] {
        let refused = register(username, "198.51.100.1").await;
        assert_eq!((refused.status, &refused.json()["code"]), (StatusCode::TOO_MANY_REQUESTS, &json!("throttled")));
        assert!(refused.headers.contains_key("retry-after"));
    }
    assert_throttled(&try_from(&app, "ada", "correct horse", "198.51.100.1").await);
    assert_eq!(register("eve", "198.51.100.2").await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_stolen_token_is_no_faster_way_to_guess_the_password() {
    let app = app(3, 1000).await;
    let pair = app.sign_in("ada").await;
    let guess = async || {
        let request = app.request_as("POST", "/api/me/password/", &pair["access"], "198.51.100.1");
        app.send_json(request, json!({"current_password": "bad", "new_password": "a new password"})).await
    };
    for _ in 0..3 {
        assert_eq!(guess().await.status, StatusCode::BAD_REQUEST);
    }
    let refused = guess().await;
    assert_eq!((refused.status, &refused.json()["code"]), (StatusCode::TOO_MANY_REQUESTS, &json!("throttled")));
    assert!(refused.headers.contains_key("retry-after"));
}
