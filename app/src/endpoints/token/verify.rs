//! `POST /api/token/verify/`: whether a token counts.

use super::fields::Fields;
use super::{Detail, Empty, TokenApiError, Uncached, fault};
use crate::state::AppState;
use axum::extract::State;
use axum::response::IntoResponse;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

/// A token of either kind.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read field by field, as simplejwt reads it")]
pub struct TokenBody {
    token: String,
}

/// Checks signature, time and session of a token.
#[utoipa::path(
    post, path = "/api/token/verify/", tag = "tokens", request_body = TokenBody,
    responses(
        (status = OK, body = Empty),
        (status = BAD_REQUEST, description = "messages by field", body = Object),
        (status = UNAUTHORIZED, body = Detail),
    )
)]
pub async fn verify(State(state): State<AppState>, fields: Fields) -> Result<impl IntoResponse, TokenApiError> {
    let [token] = fields.texts(["token"])?;
    let now = Timestamp::now();
    let claims = state.tokens.read_any(&token, now)?;
    match fault(&state, &claims, now).await {
        None => Ok(Uncached(Empty {})),
        Some(fault) => Err(fault),
    }
}
