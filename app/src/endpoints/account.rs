//! `POST /api/register/` and `GET /api/me/`.

use crate::domain::account::{Role, User, Username, check_password};
use crate::error::ApiError;
use crate::extract::{Caller, Client, Json};
use crate::state::AppState;
use crate::store::{AccountStore, NewUser, StoreError};
use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

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

/// A new account.
#[derive(Deserialize, ToSchema)]
pub struct Registration {
    /// 3 to 32 of `A-Z a-z 0-9 _ . -`.
    #[serde(default)]
    username: String,
    /// 8 to 128 characters.
    #[serde(default)]
    password: String,
}

/// Makes an account.
#[utoipa::path(
    post, path = "/api/register/", tag = "accounts", request_body = Registration,
    responses(
        (status = CREATED, body = Account),
        (status = BAD_REQUEST, description = "problem `validation`, with messages by field"),
        (status = CONFLICT, description = "problem `username_taken`"),
        (status = TOO_MANY_REQUESTS, description = "problem `throttled`"),
    )
)]
pub async fn register(
    State(state): State<AppState>,
    client: Client,
    Json(registration): Json<Registration>,
) -> Result<(StatusCode, axum::Json<Account>), ApiError> {
    let Registration { username, password } = registration;
    let checked = (Username::parse(&username), check_password(&password, &username));
    let username = match checked {
        (Ok(username), Ok(())) => username,
        (username, password) => {
            let wrong = [("username", username.err()), ("password", password.err())];
            return Err(wrong
                .into_iter()
                .filter_map(|(field, error)| Some((field, error?)))
                .fold(ApiError::validation(), |problem, (field, error)| problem.with_field(field, error.to_string())));
        }
    };
    state.throttle.admit_stranger(client.address, state.uptime_ms())?;
    // Before the costly hash; the unique column decides between two that register the name at once.
    if state.store.user_named(username.as_str()).await?.is_some() {
        return Err(username_taken());
    }
    let new = NewUser {
        id: Uuid::now_v7(),
        username,
        password_hash: state.passwords.hash(password).await?,
        role: Role::User,
        created_at: Timestamp::now(),
    };
    match state.store.add_user(&new).await {
        Ok(user) => Ok((StatusCode::CREATED, axum::Json(user.into()))),
        Err(StoreError::Taken) => Err(username_taken()),
        Err(error) => Err(error.into()),
    }
}

fn username_taken() -> ApiError {
    ApiError::new(StatusCode::CONFLICT, "username_taken", "The user name is taken")
}

/// The account of the caller.
#[utoipa::path(get, path = "/api/me/", tag = "accounts", responses((status = OK, body = Account)))]
pub async fn me(caller: Caller) -> axum::Json<Account> {
    axum::Json(caller.user.into())
}
