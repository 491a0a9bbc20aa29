//! `/api/token/...`: the token service, answer for answer that of djangorestframework-simplejwt 5.5, so that a client
//! written for it works unchanged.
//!
//! The bodies were compared with the original. Three answers differ on purpose: the refresh of a deleted user is 401
//! (the original fails with 500), `verify` of a blacklisted token is 401 `token_not_valid` (400 there), and a refresh
//! token that is used twice within seconds returns the same successor (401 there, which logs out one of two tabs).

pub mod blacklist;
mod delivery;
mod error;
mod fields;
mod json_error;
pub mod obtain;
pub mod refresh;
mod sign_in;
pub mod sliding;
pub mod verify;

pub use delivery::Pair;
pub use error::{Detail, TokenApiError};

use crate::domain::session::Standing;
use crate::state::AppState;
use crate::store::SessionStore;
use crate::tokens::{ReadClaims, TokenError};
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CACHE_CONTROL};
use http::{Method, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Below this path errors have simplejwt's shapes.
pub const PREFIX: &str = "/api/token/";

/// A body with a refresh token.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read field by field, as simplejwt reads it")]
pub struct RefreshBody {
    refresh: String,
}

/// Nothing: `{}`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Empty {}

/// Why a token that we have signed does not count, if it does not: its session ended, or it was used and its grace time
/// is over.
async fn fault(state: &AppState, claims: &ReadClaims, now: Timestamp) -> Option<TokenApiError> {
    match state.store.standing(claims.sid, claims.jti, now, state.tokens.config().grace()).await {
        Ok(Standing::Valid) => None,
        Ok(Standing::Revoked) => Some(TokenApiError::Blacklisted),
        Ok(Standing::Unknown) => Some(TokenError::Invalid.into()),
        Err(error) => Some(error.into()),
    }
}

/// What another method than POST gets: OPTIONS is told what there is, the rest that there is nothing.
#[must_use]
pub fn other_method(method: Method) -> Response {
    if method == Method::OPTIONS {
        (StatusCode::NO_CONTENT, [(ALLOW, error::METHODS)]).into_response()
    } else {
        TokenApiError::Method(method).into_response()
    }
}

/// An answer that no cache may keep (RFC 6749 section 5.1).
struct Uncached<T>(T);

impl<T: Serialize> IntoResponse for Uncached<T> {
    fn into_response(self) -> Response {
        ([(CACHE_CONTROL, "no-store")], axum::Json(self.0)).into_response()
    }
}
