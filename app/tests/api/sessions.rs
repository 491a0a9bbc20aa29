//! Sessions, their ends, and a new password, as their owner sees them.

use crate::app::{Answer, App, claims_of};
use http::StatusCode;
use serde_json::{Value, json};

const HOME: &str = "192.0.2.1";

async fn again(app: &App, password: &str) -> Value {
    let request = app.request_from("POST", "/api/token/", "203.0.113.9, 10.0.0.1").header("user-agent", "phone/1");
    let pair = app.send_json(request, json!({"username": "ada", "password": password})).await;
    assert_eq!(pair.status, StatusCode::OK, "{}", pair.text);
    pair.json()
}

async fn list(app: &App, pair: &Value) -> Answer {
    app.send_empty(app.request_as("GET", "/api/sessions/", &pair["access"], HOME)).await
}

async fn verified(app: &App, pair: &Value) -> bool {
    app.post("/api/token/verify/", json!({ "token": pair["access"] })).await.status == StatusCode::OK
}

fn sid(pair: &Value) -> String {
    claims_of(&pair["access"])["sid"].as_str().expect("a session").to_owned()
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one() {
    let app = App::new().await;
    let first = app.sign_in("ada").await;
    let second = again(&app, "correct horse").await;
    let stranger = app.sign_in("bob").await;
    let listed = list(&app, &first).await.json();
    let items = listed["items"].as_array().expect("items");
    let current: Vec<_> = items.iter().map(|item| item["current"].as_bool().expect("a word")).collect();
    assert_eq!(current, [false, true]);
    assert_eq!((&items[0]["address"], &items[0]["user_agent"]), (&json!("203.0.113.9"), &json!("phone/1")));
    let path = format!("/api/sessions/{}/", items[0]["id"].as_str().expect("an id"));
    let end = async |pair: &Value| app.send_empty(app.request_as("DELETE", &path, &pair["access"], HOME)).await.status;
    assert_eq!(end(&stranger).await, StatusCode::NOT_FOUND);
    assert!(verified(&app, &second).await);
    assert_eq!(end(&first).await, StatusCode::NO_CONTENT);
    assert_eq!(end(&first).await, StatusCode::NOT_FOUND);
    assert!(!verified(&app, &second).await && verified(&app, &first).await);
    assert_eq!(app.revoked_sessions().await, [sid(&second)]);
}

#[tokio::test]
async fn logging_out_ends_this_session_and_everywhere_all() {
    let app = App::new().await;
    let pairs = [app.sign_in("ada").await, again(&app, "correct horse").await, again(&app, "correct horse").await];
    let post =
        async |path: &str, pair: &Value| app.send_empty(app.request_as("POST", path, &pair["access"], HOME)).await;
    assert_eq!(post("/api/logout/", &pairs[0]).await.status, StatusCode::NO_CONTENT);
    assert_eq!(post("/api/logout/", &pairs[0]).await.status, StatusCode::UNAUTHORIZED, "it is over");
    assert!(!verified(&app, &pairs[0]).await && verified(&app, &pairs[1]).await);
    let everywhere = post("/api/logout/all/", &pairs[1]).await;
    assert_eq!((everywhere.status, everywhere.json()), (StatusCode::OK, json!({"ended": 2})));
    for pair in &pairs {
        assert!(!verified(&app, pair).await);
    }
    let new = again(&app, "correct horse").await;
    assert!(verified(&app, &new).await, "a new sign-in in the same second counts");
    let mut revoked = app.revoked_sessions().await;
    let mut expected: Vec<_> = pairs.iter().map(sid).collect();
    revoked.sort();
    expected.sort();
    assert_eq!(revoked, expected);
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions_unless_it_should_not() {
    for ends in [true, false] {
        let app = App::with(|config| config.tokens.revoke_on_password_change = ends).await;
        let own = app.sign_in("ada").await;
        let other = again(&app, "correct horse").await;
        let change = async |current: &str, new: &str| {
            let request = app.request_as("POST", "/api/me/password/", &own["access"], HOME);
            app.send_json(request, json!({"current_password": current, "new_password": new})).await
        };
        for (current, new, field) in [
            ("battery staple", "a new password", "current_password"),
            ("correct horse", "short", "new_password"),
            ("correct horse", "ada", "new_password"),
        ] {
            let refused = change(current, new).await;
            assert_eq!(refused.status, StatusCode::BAD_REQUEST);
            assert!(refused.json()["errors"][field].is_array(), "{}", refused.text);
        }
        assert_eq!(change("correct horse", "a new password").await.status, StatusCode::NO_CONTENT);
        assert!(verified(&app, &own).await);
        assert_eq!(verified(&app, &other).await, !ends);
        assert_eq!(app.revoked_sessions().await.len(), usize::from(ends));
        let old = app.post("/api/token/", json!({"username": "ada", "password": "correct horse"})).await;
        assert_eq!(old.status, StatusCode::UNAUTHORIZED);
        again(&app, "a new password").await;
    }
}

#[tokio::test]
async fn one_session_more_than_allowed_ends_the_oldest() {
    let app = App::with(|config| config.tokens.sessions_max = 2).await;
    let first = app.sign_in("ada").await;
    let (second, third) = (again(&app, "correct horse").await, again(&app, "correct horse").await);
    assert!(!verified(&app, &first).await && verified(&app, &second).await && verified(&app, &third).await);
    assert_eq!(app.revoked_sessions().await, [sid(&first)]);
}

#[tokio::test]
async fn every_end_is_told_to_edges() {
    let app = App::with(|config| config.tokens.reuse_grace = std::time::Duration::ZERO).await;
    let reused = app.sign_in("ada").await;
    let blacklisted = again(&app, "correct horse").await;
    let disabled = app.sign_in("bob").await;
    assert_eq!(
        app.post("/api/token/blacklist/", json!({"refresh": blacklisted["refresh"]})).await.status,
        StatusCode::OK
    );
    let stolen = json!({ "refresh": reused["refresh"] });
    app.post("/api/token/refresh/", stolen.clone()).await;
    let used = jiff::Timestamp::now();
    // The clock of the rows has milliseconds; the second use must not fall into the same one.
    while jiff::Timestamp::now().duration_since(used) < jiff::SignedDuration::from_millis(2) {
        tokio::task::yield_now().await;
    }
    assert_eq!(app.post("/api/token/refresh/", stolen).await.status, StatusCode::UNAUTHORIZED);
    app.execute("UPDATE users SET role = 'admin' WHERE username = 'ada'").await;
    let admin = again(&app, "correct horse").await;
    let path = format!("/api/admin/users/{}/disable/", claims_of(&disabled["access"])["sub"].as_str().expect("an id"));
    let done = app.send_empty(app.request_as("POST", &path, &admin["access"], HOME)).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text);
    assert_eq!(app.revoked_sessions().await, [sid(&blacklisted), sid(&reused), sid(&disabled)]);
}
