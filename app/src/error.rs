//! The error that endpoints return, and its one way into `application/problem+json`.
//!
//! An endpoint knows nothing of the request id. It returns an [`ApiError`]; the response carries it as an extension
//! and [`render`], the outermost layer of the router, writes the body. The paths under `/api/token/` speak
//! simplejwt's shapes instead and have an error of their own there.

use crate::passwords::PasswordError;
use crate::store::StoreError;
use crate::throttle::Wait;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serve::contract::problem::{PROBLEM_JSON, Problem, Source};
use serve::contract::request_id::X_REQUEST_ID;

/// One error of an endpoint. The constructors name the codes that clients may rely on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: Option<String>,
    errors: serde_json::Map<String, serde_json::Value>,
    retry_after_seconds: Option<u32>,
}

impl ApiError {
    /// An error with a code of its own.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, title: &'static str) -> Self {
        Self { status, code, title, detail: None, errors: serde_json::Map::new(), retry_after_seconds: None }
    }

    /// Adds what happened this time; shown to the client.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Tells the client when to come back.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// 400: the request can't be read.
    #[must_use]
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", "Bad request").with_detail(detail)
    }

    /// 400: fields break rules; add them with [`ApiError::with_field`].
    #[must_use]
    pub fn validation() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "validation", "Some fields are not valid")
    }

    /// One message for one field.
    #[must_use]
    pub fn with_field(mut self, field: &str, message: impl Into<String>) -> Self {
        let message = serde_json::Value::String(message.into());
        match self.errors.get_mut(field).and_then(serde_json::Value::as_array_mut) {
            Some(messages) => messages.push(message),
            None => drop(self.errors.insert(field.to_owned(), serde_json::Value::Array(vec![message]))),
        }
        self
    }

    /// 401: the edge has named nobody.
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "Authentication is needed")
    }

    /// 403: somebody, but not allowed.
    #[must_use]
    pub fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed")
    }

    /// 404: not there, or not visible to the caller.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Not found")
    }

    /// 405.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed")
    }

    /// 413: the body is larger than allowed.
    #[must_use]
    pub fn too_large(limit_bytes: u64) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "Too large")
            .with_detail(format!("at most {limit_bytes} bytes"))
    }

    /// 415: the body is not of the expected type.
    #[must_use]
    pub fn unsupported_media_type(expected: &str) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "Unsupported media type")
            .with_detail(format!("expected {expected}"))
    }

    /// 500: our fault. The cause is logged where it is known, never shown.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error")
    }

    /// 503: try again later.
    #[must_use]
    pub fn unavailable(code: &'static str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, "Not available").with_retry_after(1)
    }

    /// 507: a disk is full.
    #[must_use]
    pub fn storage_full() -> Self {
        Self::new(StatusCode::INSUFFICIENT_STORAGE, "storage_full", "No room left")
    }

    fn problem(self, request_id: &str) -> Problem {
        let mut problem = Problem::new(self.status, self.code, self.title, Source::App, request_id);
        problem.detail = self.detail;
        problem.errors = self.errors;
        problem
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
        match error {
            StoreError::Unavailable(_) => Self::unavailable("store_unavailable"),
            StoreError::Full(_) => Self::storage_full(),
            _ => Self::internal(),
        }
    }
}

impl From<PasswordError> for ApiError {
    fn from(error: PasswordError) -> Self {
        tracing::warn!(%error, "a password was not hashed");
        match error {
            PasswordError::Busy => Self::unavailable("busy"),
            PasswordError::Failed => Self::internal(),
        }
    }
}

impl From<Wait> for ApiError {
    fn from(Wait(wait): Wait) -> Self {
        // Rounded up: who comes back then is not too early.
        let seconds = u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
        Self::new(StatusCode::TOO_MANY_REQUESTS, "throttled", "Too many tries").with_retry_after(seconds)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            // RFC 9110 section 11.6.1: a 401 names a way in.
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the body of an error, now that the request's id is at hand.
pub async fn render(request: Request, next: Next) -> Response {
    let request_id = request.headers().get(&X_REQUEST_ID).cloned();
    let mut response = next.run(request).await;
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        let request_id = request_id.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default();
        *response.body_mut() = error.problem(request_id).to_json().into();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}
