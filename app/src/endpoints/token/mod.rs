//! `/api/token/...`: the token service, answer for answer that of djangorestframework-simplejwt 5.5, so that a client
//! written for it works unchanged.
//!
//! The bodies were compared with the original. Three answers differ on purpose: the refresh of a deleted user is 401
//! (the original fails with 500), `verify` of a blacklisted token is 401 `token_not_valid` (400 there), and a refresh
//! token that is used twice within seconds returns the same successor (401 there, which logs out one of two tabs).

pub mod blacklist;
mod error;
mod fields;
mod json_error;
pub mod obtain;
pub mod refresh;
pub mod verify;

pub use error::{Detail, TokenApiError};

use crate::domain::account::User;
use crate::domain::session::Refresh;
use crate::state::AppState;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CACHE_CONTROL};
use http::{Method, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Below this path errors have simplejwt's shapes.
pub const PREFIX: &str = "/api/token/";

/// A refresh token and an access token.
#[derive(Debug, Serialize, ToSchema)]
pub struct Pair {
    /// Used once, to get the next pair.
    refresh: String,
    /// Goes into `Authorization: Bearer`.
    access: String,
}

/// A body with a refresh token.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read field by field, as simplejwt reads it")]
pub struct RefreshBody {
    refresh: String,
}

/// Nothing: `{}`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Empty {}

impl Pair {
    /// Signs the pair of one link of a session's chain.
    fn sign(
        state: &AppState,
        user: &User,
        session: Uuid,
        refresh: &Refresh,
        now: Timestamp,
    ) -> Result<Self, TokenApiError> {
        Ok(Self {
            refresh: state.tokens.sign_refresh(user.id, session, refresh)?,
            access: state.tokens.sign_access(user, session, now)?,
        })
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
