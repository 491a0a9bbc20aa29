//! `POST /api/token/revoke/`: a client gives a token back (RFC 7009).

use super::form::TokenForm;
use super::{OauthError, OauthErrorBody};
use crate::state::AppState;
use crate::store::SessionStore;
use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

/// A token of any kind.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read by the form's own rules")]
pub struct RevocationForm {
    token: String,
    /// Not needed.
    token_type_hint: Option<String>,
}

/// Ends the session of a token, whichever of its tokens is given: an access token too, because a client that gives it
/// back is done with the session (RFC 7009 section 2.1 allows it). Whoever holds the token may do so. A token that does
/// not count, or counts no more, is no error.
#[utoipa::path(
    post, path = "/api/token/revoke/", operation_id = "revoke_token", tag = "oauth",
    request_body(content = RevocationForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = OK, description = "the token does not count"), (status = BAD_REQUEST, body = OauthErrorBody))
)]
pub async fn revoke(State(state): State<AppState>, TokenForm(token): TokenForm) -> Result<StatusCode, OauthError> {
    let now = Timestamp::now();
    if let Ok(claims) = state.tokens.read_any(&token, now)
        && state.store.revoke_session(claims.sid, now, state.tokens.outlived(now)).await?
    {
        state.sessions_ended(claims.user);
    }
    Ok(StatusCode::OK)
}
