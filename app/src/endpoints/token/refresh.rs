//! `POST /api/token/refresh/`: the next pair for a refresh token.

use super::fields::Fields;
use super::{Detail, Pair, RefreshBody, TokenApiError, Uncached};
use crate::domain::session::Rotation;
use crate::state::AppState;
use crate::store::{AccountStore, SessionStore};
use crate::tokens::TokenError;
use axum::extract::State;
use axum::response::IntoResponse;
use jiff::Timestamp;

/// Uses a refresh token. A second use within seconds returns the same successor; a later one ends the session.
#[utoipa::path(
    post, path = "/api/token/refresh/", tag = "tokens", request_body = RefreshBody,
    responses(
        (status = OK, body = Pair),
        (status = BAD_REQUEST, description = "messages by field", body = Object),
        (status = UNAUTHORIZED, body = Detail),
    )
)]
pub async fn refresh(State(state): State<AppState>, fields: Fields) -> Result<impl IntoResponse, TokenApiError> {
    let [token] = fields.texts(["refresh"])?;
    let now = Timestamp::now();
    let used = state.tokens.read_refresh(&token, now)?;
    let user = state.store.user(used.user_id).await?.filter(|user| user.active);
    let user = user.ok_or(TokenApiError::NoAccountForToken)?;
    let offered = state.tokens.new_refresh(now);
    let (grace, until) = (state.tokens.reuse_grace(), state.tokens.outlived(now));
    let successor = match state.store.rotate(used.sid, used.jti, &offered, grace, until).await? {
        Rotation::First => offered,
        Rotation::Repeated(successor) => successor,
        Rotation::Reused => {
            state.link.changed();
            tracing::warn!(user = %user.id, session = %used.sid, "a refresh token was used again: session ended");
            return Err(TokenApiError::Blacklisted);
        }
        Rotation::Revoked => return Err(TokenApiError::Blacklisted),
        // Signed by us and yet unknown: the database is older than the token.
        Rotation::Unknown => return Err(TokenError::Invalid.into()),
    };
    Ok(Uncached(Pair::sign(&state, &user, used.sid, &successor, now)?))
}
