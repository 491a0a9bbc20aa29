//! `/api/token/sliding/`: tokens that are access and refresh token in one, where the settings allow them.

use super::fields::Fields;
use super::obtain::CredentialsBody;
use super::verify::TokenBody;
use super::{Detail, TokenApiError, Uncached, fault, sign_in};
use crate::config::SlidingConfig;
use crate::domain::session::{Refresh, Use};
use crate::extract::Client;
use crate::state::AppState;
use crate::store::{AccountStore, SessionStore};
use crate::tokens::TokenError;
use axum::extract::State;
use axum::response::IntoResponse;
use jiff::Timestamp;
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// A sliding token.
#[derive(Debug, Serialize, ToSchema)]
pub struct Sliding {
    /// Goes into `Authorization: Bearer`, and is exchanged for a later one before it expires.
    token: String,
}

fn settings(state: &AppState) -> Result<SlidingConfig, TokenApiError> {
    // The router has these paths only where there are settings.
    state.tokens.config().sliding.ok_or(TokenApiError::Internal)
}

/// Signs in: opens a session with one token.
#[utoipa::path(
    post, path = "/api/token/sliding/", operation_id = "obtain_sliding", tag = "tokens", request_body = CredentialsBody,
    responses(
        (status = OK, body = Sliding),
        (status = BAD_REQUEST, description = "messages by field", body = Object),
        (status = UNAUTHORIZED, body = Detail),
        (status = TOO_MANY_REQUESTS, description = "come back after `Retry-After` seconds", body = Detail),
    )
)]
pub async fn obtain(
    State(state): State<AppState>,
    client: Client,
    fields: Fields,
) -> Result<impl IntoResponse, TokenApiError> {
    let credentials = fields.texts(["username", "password"])?;
    let sliding = settings(&state)?;
    let proved = sign_in::check(&state, credentials, &client).await?;
    let now = Timestamp::now();
    let origin = state.tokens.new_sliding(&sliding, now);
    let session = sign_in::open(&state, &proved, client, origin).await?;
    Ok(Uncached(Sliding { token: state.tokens.sign_sliding(&sliding, &proved.user, session, &origin, now)? }))
}

/// Exchanges a sliding token for a later one, as long as its sign-in is not too long ago.
#[utoipa::path(
    post, path = "/api/token/sliding/refresh/", operation_id = "refresh_sliding", tag = "tokens", request_body = TokenBody,
    responses(
        (status = OK, body = Sliding),
        (status = BAD_REQUEST, description = "messages by field", body = Object),
        (status = UNAUTHORIZED, body = Detail),
    )
)]
pub async fn refresh(State(state): State<AppState>, fields: Fields) -> Result<impl IntoResponse, TokenApiError> {
    let [token] = fields.texts(["token"])?;
    let sliding = settings(&state)?;
    let now = Timestamp::now();
    let (claims, end) = state.tokens.read_sliding(&token, now)?;
    let user = state.store.user(claims.user).await?.filter(|user| state.may_sign_in(user));
    let user = user.ok_or(TokenApiError::NoAccountForToken)?;
    let alive_at = state.tokens.lenient(now);
    let used = Use { session: claims.sid, token: claims.jti, alive_at, grace: Duration::ZERO };
    if !state.store.renew(&used, None, now, state.tokens.outlived(now)).await? {
        return Err(fault(&state, &claims, now).await.unwrap_or_else(|| TokenError::Invalid.into()));
    }
    // Only the end is written into the token: its id stays, so the row of the sign-in stays its row.
    let origin = Refresh { id: claims.jti, issued_at: now, expires_at: end };
    Ok(Uncached(Sliding { token: state.tokens.sign_sliding(&sliding, &user, claims.sid, &origin, now)? }))
}
