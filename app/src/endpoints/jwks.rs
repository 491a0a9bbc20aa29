//! `GET /.well-known/jwks.json`: the public keys that our tokens are verified with.

use crate::state::AppState;
use axum::extract::State;
use axum::response::IntoResponse;
use http::header::CACHE_CONTROL;

/// The JWK set (RFC 7517 section 5). Kept for a minute, so that a new key is known soon.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "tokens",
    responses((status = OK, description = "a JWK set", body = Object))
)]
pub async fn jwks(State(state): State<AppState>) -> impl IntoResponse {
    ([(CACHE_CONTROL, "public, max-age=60")], axum::Json(state.tokens.jwks()))
}
