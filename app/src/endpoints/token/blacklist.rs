//! `POST /api/token/blacklist/`: sign out.

use super::delivery;
use super::fields::Fields;
use super::{Detail, Empty, RefreshBody, TokenApiError, Uncached};
use crate::endpoints::cookies;
use crate::state::AppState;
use crate::store::SessionStore;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use jiff::Timestamp;

/// Ends the session of a refresh token, also with one that has been used: who signs out in one tab while another tab
/// refreshes is signed out. Its access tokens stop working at every edge. In browser mode the token comes in its cookie,
/// from a page of this site, with the CSRF token, and all cookies go.
#[utoipa::path(
    post, path = "/api/token/blacklist/", tag = "tokens", request_body = RefreshBody,
    responses(
        (status = OK, body = Empty),
        (status = BAD_REQUEST, description = "messages by field", body = Object),
        (status = UNAUTHORIZED, body = Detail),
        (status = FORBIDDEN, description = "in browser mode: not a page of this site", body = Detail),
    )
)]
pub async fn blacklist(
    State(state): State<AppState>,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, TokenApiError> {
    let token = delivery::refresh_token(&state, &headers, fields)?;
    let now = Timestamp::now();
    let token = state.tokens.read_refresh(&token, now)?;
    delivery::check_csrf(&state, &headers, token.sid)?;
    if !state.store.revoke_session(token.sid, now, state.tokens.outlived(now)).await? {
        return Err(TokenApiError::Blacklisted);
    }
    state.sessions_ended(token.user);
    let mut response = Uncached(Empty {}).into_response();
    if state.tokens.config().browser.is_some() {
        cookies::take(response.headers_mut());
    }
    Ok(response)
}
