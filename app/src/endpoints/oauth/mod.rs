//! What OAuth 2.0 has standards for: revocation (RFC 7009), introspection (RFC 7662), metadata (RFC 8414).

mod form;
pub mod introspect;
pub mod metadata;
pub mod revoke;

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

/// The body of an OAuth error (RFC 6749 section 5.2).
#[derive(Debug, Serialize, ToSchema)]
pub struct OauthErrorBody {
    /// A stable code.
    error: &'static str,
    /// For developers.
    error_description: &'static str,
}

/// One error of these endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OauthError {
    /// 400: no form, or without its `token`.
    InvalidRequest(&'static str),
    /// 401: the caller has not proved who it is.
    InvalidClient,
    /// 503: the database is away.
    Unavailable,
    /// 500.
    Internal,
}

impl IntoResponse for OauthError {
    fn into_response(self) -> Response {
        let (status, error, error_description) = match self {
            Self::InvalidRequest(description) => (StatusCode::BAD_REQUEST, "invalid_request", description),
            Self::InvalidClient => (StatusCode::UNAUTHORIZED, "invalid_client", "the secret is missing or wrong"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "try again later"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "server_error", "the fault is on this side"),
        };
        let body = axum::Json(OauthErrorBody { error, error_description });
        let mut response = (status, [(CACHE_CONTROL, "no-store")], body).into_response();
        if self == Self::InvalidClient {
            let challenge = HeaderValue::from_static("Bearer realm=\"introspection\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl From<crate::store::StoreError> for OauthError {
    fn from(error: crate::store::StoreError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
        match error {
            crate::store::StoreError::Unavailable(_) => Self::Unavailable,
            _ => Self::Internal,
        }
    }
}
