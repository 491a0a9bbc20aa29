//! `POST /api/token/blacklist/`: sign out.

use super::fields::Fields;
use super::{Detail, Empty, RefreshBody, TokenApiError, Uncached};
use crate::state::AppState;
use crate::store::SessionStore;
use axum::extract::State;
use axum::response::IntoResponse;
use jiff::Timestamp;

/// Ends the session of a refresh token, also with one that has been used: who signs out in one tab while another tab
/// refreshes is signed out.
#[utoipa::path(
    post, path = "/api/token/blacklist/", tag = "tokens", request_body = RefreshBody,
    responses(
        (status = OK, body = Empty),
        (status = BAD_REQUEST, description = "messages by field", body = Object),
        (status = UNAUTHORIZED, body = Detail),
    )
)]
pub async fn blacklist(State(state): State<AppState>, fields: Fields) -> Result<impl IntoResponse, TokenApiError> {
    let [token] = fields.texts(["refresh"])?;
    let now = Timestamp::now();
    let token = state.tokens.read_refresh(&token, now)?;
    if state.store.revoke_session(token.sid, now, state.tokens.outlived(now)).await? {
        state.link.changed();
        Ok(Uncached(Empty {}))
    } else {
        Err(TokenApiError::Blacklisted)
    }
}
