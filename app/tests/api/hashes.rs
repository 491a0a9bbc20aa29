//! Accounts that come from Django: their hashes count, and the first sign-in replaces them.

use crate::app::App;
use http::StatusCode;
use portcullis_app::config::DatabaseUrl;
use portcullis_app::store::{AccountStore, Database};
use serde_json::json;

async fn hash(app: &App) -> String {
    let database = Database::open(&DatabaseUrl::Sqlite(app.folder.path().join("app.db"))).await.expect("the database");
    let found = database.credentials("ada").await.expect("a look").expect("there");
    database.close().await;
    found.password_hash
}

/// Both were made with Django 5.2 for the password `correct horse`, with a cheaper cost than Django's own.
#[tokio::test]
async fn hashes_of_django_are_replaced_at_the_first_sign_in() {
    let app = App::new().await;
    app.sign_in("ada").await;
    for change in [
        "UPDATE users SET password_hash = 'pbkdf2_sha256$1000$saltsalt$qQDPSZa3Ormyy9oK1Pu0ZLLwP2Svzmx3yu8OvDdq/J0='",
        "UPDATE users SET password_hash = 'argon2$argon2id$v=19$m=1024,t=2,p=8$c2FsdHNhbHRzYWx0c2FsdA$TphYlO6VOTVzAIuyroTHwmJrUJOnNCpraWtlqNYZsAc'",
    ] {
        app.execute(change).await;
        let old = hash(&app).await;
        let sign_in =
            async |password: &str| app.post("/api/token/", json!({"username": "ada", "password": password})).await;
        assert_eq!(sign_in("battery staple").await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(hash(&app).await, old, "a wrong password changes nothing");
        assert_eq!(sign_in("correct horse").await.status, StatusCode::OK);
        let new = hash(&app).await;
        assert!(new.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{new}");
        assert_eq!(sign_in("correct horse").await.status, StatusCode::OK);
        assert_eq!(hash(&app).await, new, "once");
    }
    assert!(app.revoked_sessions().await.is_empty(), "the password is the same, so nobody is signed out");
}

#[tokio::test]
async fn an_unusable_hash_lets_nobody_in() {
    let app = App::new().await;
    app.sign_in("ada").await;
    for change in ["UPDATE users SET password_hash = '!abc'", "UPDATE users SET password_hash = 'md5$salt$digest'"] {
        app.execute(change).await;
        let answer = app.post("/api/token/", json!({"username": "ada", "password": "correct horse"})).await;
        assert_eq!(answer.text, r#"{"detail":"No active account found with the given credentials"}"#);
    }
}
