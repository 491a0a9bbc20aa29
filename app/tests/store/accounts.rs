//! Accounts.

use jiff::Timestamp;
use portcullis_app::domain::account::{Role, User, Username};
use portcullis_app::store::{AccountStore, Database, NewUser, StoreError};
use uuid::Uuid;

/// Adds a user of this name.
pub(crate) async fn user(database: &Database, username: &str) -> User {
    add(database, username).await.expect("a new user")
}

/// Tries to add a user of this name.
pub(crate) async fn add(database: &Database, username: &str) -> Result<User, StoreError> {
    database.add_user(&new_user(username)).await
}

fn new_user(username: &str) -> NewUser {
    NewUser {
        id: Uuid::now_v7(),
        username: Username::parse(username).expect("a name"),
        password_hash: "$argon2id$...".to_owned(),
        role: Role::Admin,
        created_at: Timestamp::from_millisecond(1_700_000_000_123).expect("a moment"),
    }
}

pub(crate) async fn an_account_is_found_by_id_and_by_name_in_any_case(database: &Database) {
    assert!(!database.has_users().await.expect("a look"));
    let ada = user(database, "Ada.L").await;
    assert!(database.has_users().await.expect("a look"));
    assert_eq!(database.user(ada.id).await.expect("a look"), Some(ada.clone()));
    assert_eq!(database.user_named("aDA.l").await.expect("a look"), Some(ada.clone()));
    let found = database.credentials("ada.l").await.expect("a look").expect("there");
    assert_eq!((found.user, found.password_hash.as_str()), (ada, "$argon2id$..."));
    assert_eq!(database.user(Uuid::now_v7()).await.expect("a look"), None);
    assert_eq!(database.user_named("ada").await.expect("a look"), None);
}

pub(crate) async fn a_name_is_taken_in_any_case(database: &Database) {
    user(database, "ada").await;
    let error = database.add_user(&new_user("ADA")).await.expect_err("taken");
    assert!(matches!(error, StoreError::Taken), "{error}");
}
