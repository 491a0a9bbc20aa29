//! `POST /api/token/refresh/`: the next pair for a refresh token.

use super::delivery::{self, Grant};
use super::fields::Fields;
use super::{Detail, Pair, RefreshBody, TokenApiError, fault};
use crate::domain::session::{Refresh, Rotation, Use};
use crate::state::AppState;
use crate::store::{AccountStore, SessionStore};
use crate::tokens::{ReadClaims, TokenError};
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use jiff::Timestamp;

/// Uses a refresh token. A second use within seconds returns the same successor; a later one ends the session. In
/// browser mode the token comes in its cookie, from a page of this site, with the CSRF token.
#[utoipa::path(
    post, path = "/api/token/refresh/", tag = "tokens", request_body = RefreshBody,
    responses(
        (status = OK, body = Pair),
        (status = BAD_REQUEST, description = "messages by field", body = Object),
        (status = UNAUTHORIZED, body = Detail),
        (status = FORBIDDEN, description = "in browser mode: not a page of this site", body = Detail),
    )
)]
pub async fn refresh(
    State(state): State<AppState>,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, TokenApiError> {
    let token = delivery::refresh_token(&state, &headers, fields)?;
    let now = Timestamp::now();
    let used = state.tokens.read_refresh(&token, now)?;
    delivery::check_csrf(&state, &headers, used.sid)?;
    let user = state.store.user(used.user).await?.filter(|user| state.may_sign_in(user));
    let user = user.ok_or(TokenApiError::NoAccountForToken)?;
    let successor = succeed(&state, &used, now).await?;
    Grant { user: &user, session: used.sid, refresh: successor.as_ref(), now }.deliver(&state)
}

/// Uses the token; returns the next one, unless the old one goes on.
async fn succeed(state: &AppState, claims: &ReadClaims, now: Timestamp) -> Result<Option<Refresh>, TokenApiError> {
    let config = state.tokens.config();
    let used =
        Use { session: claims.sid, token: claims.jti, alive_at: state.tokens.lenient(now), grace: config.grace() };
    let (offered, until) = (state.tokens.new_refresh(now), state.tokens.outlived(now));
    if !config.rotate || !config.blacklist_after_rotation {
        let next = config.rotate.then_some(offered);
        return match state.store.renew(&used, next.as_ref(), now, until).await? {
            true => Ok(next),
            // It has expired since it was read, when its session has no fault.
            false => Err(fault(state, claims, now).await.unwrap_or_else(|| TokenError::Invalid.into())),
        };
    }
    match state.store.rotate(&used, &offered, until).await? {
        Rotation::First => Ok(Some(offered)),
        Rotation::Repeated(successor) => Ok(Some(successor)),
        Rotation::Reused => {
            state.sessions_ended(claims.user);
            tracing::warn!(user = %claims.user, session = %claims.sid, "a refresh token was used again: session ended");
            Err(TokenApiError::Blacklisted)
        }
        Rotation::Revoked => Err(TokenApiError::Blacklisted),
        // Signed by us and yet unknown: the database is older than the token.
        Rotation::Unknown => Err(TokenError::Invalid.into()),
    }
}
