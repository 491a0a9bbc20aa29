//! `POST /api/token/`: a pair of tokens for a name and a password.

use super::delivery::Grant;
use super::fields::Fields;
use super::{Detail, Pair, TokenApiError, sign_in};
use crate::endpoints::cookies;
use crate::extract::Client;
use crate::state::AppState;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

/// A name and a password.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read field by field, as simplejwt reads it")]
pub struct CredentialsBody {
    username: String,
    password: String,
}

/// Signs in: opens a session. In browser mode the tokens come in cookies and the request must come from a page of this
/// site.
#[utoipa::path(
    post, path = "/api/token/", tag = "tokens", request_body = CredentialsBody,
    responses(
        (status = OK, body = Pair),
        (status = BAD_REQUEST, description = "messages by field", body = Object),
        (status = UNAUTHORIZED, body = Detail),
        (status = FORBIDDEN, description = "in browser mode: not a page of this site", body = Detail),
        (status = TOO_MANY_REQUESTS, description = "come back after `Retry-After` seconds", body = Detail),
    )
)]
pub async fn obtain(
    State(state): State<AppState>,
    client: Client,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, TokenApiError> {
    let credentials = fields.texts(["username", "password"])?;
    // Another site must not sign a browser in either: its user would then work in a stranger's account.
    if let Some(browser) = &state.tokens.config().browser {
        cookies::check_origin(&headers, browser)?;
    }
    let proved = sign_in::check(&state, credentials, &client).await?;
    let now = Timestamp::now();
    let refresh = state.tokens.new_refresh(now);
    let session = sign_in::open(&state, &proved, client, refresh).await?;
    Grant { user: &proved.user, session, refresh: Some(&refresh), now }.deliver(&state)
}
