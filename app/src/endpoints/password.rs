//! `POST /api/me/password/`: a new password.

use crate::domain::account::{check_password, trim};
use crate::domain::session::Sessions;
use crate::error::ApiError;
use crate::extract::{Caller, Client, Json};
use crate::passwords::Verdict;
use crate::state::AppState;
use crate::store::{AccountStore, SessionListStore};
use crate::throttle::Try;
use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

/// The old password and the new one.
#[derive(Deserialize, ToSchema)]
pub struct PasswordChange {
    /// Whoever finds an open screen does not know it.
    #[serde(default)]
    current_password: String,
    /// 8 to 128 characters.
    #[serde(default)]
    new_password: String,
}

/// Changes the caller's password, and ends the other sessions unless the settings say otherwise.
#[utoipa::path(post, path = "/api/me/password/", operation_id = "change_password", tag = "accounts",
    request_body = PasswordChange,
    responses(
        (status = NO_CONTENT),
        (status = BAD_REQUEST, description = "problem `validation`, with messages by field"),
        (status = CONFLICT, description = "problem `password_changed`: by another request meanwhile"),
        (status = TOO_MANY_REQUESTS, description = "problem `throttled`"),
    ))]
pub async fn change(
    State(state): State<AppState>,
    caller: Caller,
    client: Client,
    Json(change): Json<PasswordChange>,
) -> Result<StatusCode, ApiError> {
    let PasswordChange { current_password, new_password } = change;
    let (user, username) = (caller.user.id, caller.user.username.as_str());
    check_password(&new_password, username)
        .map_err(|error| ApiError::validation().with_field("new_password", error.to_string()))?;
    // A stolen access token must not become a way to guess the password faster than at the front door.
    let name = caller.user.username.folded();
    let tried = Try { account: &name, address: client.address };
    state.throttle.admit(&tried, state.uptime_ms())?;
    let hash = state.store.credentials_of(user).await?.ok_or_else(ApiError::unauthenticated)?.password_hash;
    let current = trim(&current_password).to_owned();
    if state.passwords.verify(current, Some(hash.clone())).await? == Verdict::Wrong {
        return Err(ApiError::validation().with_field("current_password", "This is not your password."));
    }
    state.throttle.succeeded(&tried, state.uptime_ms());
    let new = state.passwords.hash(new_password).await?;
    let others = caller.session.map_or(Sessions::All, Sessions::AllBut);
    let ends = state.tokens.config().revoke_on_password_change.then_some(others);
    let now = Timestamp::now();
    if !state.store.change_password(user, (&hash, &new), ends, now, state.tokens.outlived(now)).await? {
        return Err(ApiError::new(StatusCode::CONFLICT, "password_changed", "The password has just been changed"));
    }
    if ends.is_some() {
        state.sessions_ended(user);
    }
    Ok(StatusCode::NO_CONTENT)
}
