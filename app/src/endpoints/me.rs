//! `GET /api/me/`: who I am.

use crate::domain::account::User;
use crate::extract::Caller;
use serde::Serialize;
use utoipa::ToSchema;

/// An account as its owner sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Account {
    /// The id that tokens name as subject.
    id: String,
    /// The name as it was chosen.
    username: String,
    /// `user` or `admin`.
    role: &'static str,
    /// When the account was made (RFC 3339).
    created_at: String,
}

impl From<User> for Account {
    fn from(user: User) -> Self {
        Self {
            id: user.id.to_string(),
            username: user.username.into_string(),
            role: user.role.as_str(),
            created_at: user.created_at.to_string(),
        }
    }
}

/// The account of the caller.
#[utoipa::path(get, path = "/api/me/", tag = "accounts", responses((status = OK, body = Account)))]
pub async fn me(caller: Caller) -> axum::Json<Account> {
    axum::Json(caller.user.into())
}
