//! simplejwt's error bodies.

use crate::endpoints::cookies::CsrfFault;
use crate::passwords::PasswordError;
use crate::store::StoreError;
use crate::throttle::Wait;
use crate::tokens::{SignError, TokenError};
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, StatusCode};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// What every endpoint of the token service takes.
pub(super) const METHODS: &str = "POST, OPTIONS";

/// simplejwt's usual error body.
#[derive(Debug, Serialize, ToSchema)]
pub struct Detail {
    /// What went wrong, in words that clients compare.
    detail: String,
    /// `token_not_valid`, where a token is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
}

/// Messages by field, in the order of the fields, which a map of serde_json would lose.
struct ByField(Vec<(&'static str, String)>);

impl Serialize for ByField {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(field, message)| (field, [message])))
    }
}

/// One error of the token service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenApiError {
    /// 400: messages by field, in the order of the fields.
    Fields(Vec<(&'static str, String)>),
    /// 400: the body can't be parsed.
    Parse(String),
    /// 401: wrong password, unknown user or inactive user; nobody learns which.
    NoAccount,
    /// 401: the user of a token is inactive or gone.
    NoAccountForToken,
    /// 401: the token is at fault.
    Token(TokenError),
    /// 401: the token was good until its session ended.
    Blacklisted,
    /// 403: a cookie that does not count.
    Csrf(CsrfFault),
    /// 405.
    Method(Method),
    /// 413.
    TooLarge,
    /// 415, with what the client named.
    MediaType(String),
    /// 429: too many tries; how long until the next one.
    Throttled(Duration),
    /// 503: too many sign-ins, or the database is away.
    Unavailable,
    /// 500.
    Internal,
}

impl TokenApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Fields(_) | Self::Parse(_) => StatusCode::BAD_REQUEST,
            Self::NoAccount | Self::NoAccountForToken | Self::Token(_) | Self::Blacklisted => StatusCode::UNAUTHORIZED,
            Self::Csrf(_) => StatusCode::FORBIDDEN,
            Self::Throttled(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn detail(self) -> Detail {
        let (detail, code) = match self {
            // Answered by field; see `into_response`.
            Self::Fields(_) => (String::new(), None),
            Self::Parse(message) => (message, None),
            Self::NoAccount => ("No active account found with the given credentials".to_owned(), None),
            Self::NoAccountForToken => ("No active account found for the given token.".to_owned(), None),
            Self::Token(error) => (error.to_string(), Some("token_not_valid")),
            Self::Blacklisted => ("Token is blacklisted".to_owned(), Some("token_not_valid")),
            Self::Csrf(fault) => (fault.to_string(), None),
            Self::Throttled(wait) => (throttled(whole_seconds(wait)), None),
            Self::Method(method) => (format!("Method \"{method}\" not allowed."), None),
            Self::TooLarge => ("Request body is too large.".to_owned(), None),
            Self::MediaType(name) => (format!("Unsupported media type \"{name}\" in request."), None),
            Self::Unavailable => ("Service temporarily unavailable, try again later.".to_owned(), None),
            Self::Internal => ("A server error occurred.".to_owned(), None),
        };
        Detail { detail, code }
    }
}

impl IntoResponse for TokenApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        let retry_after = match &self {
            Self::Throttled(wait) => Some(whole_seconds(*wait)),
            Self::Unavailable => Some(1),
            _ => None,
        };
        let mut response = match self {
            Self::Fields(fields) => (status, axum::Json(ByField(fields))).into_response(),
            other => (status, axum::Json(other.detail())).into_response(),
        };
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"api\""));
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(ALLOW, HeaderValue::from_static(METHODS));
            }
            _ => {}
        }
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl TokenApiError {
    /// A field that is missing.
    pub(super) fn required(name: &'static str) -> Self {
        Self::Fields(vec![(name, "This field is required.".to_owned())])
    }
}

/// Rounded up: who comes back then is not too early.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// `rest_framework.exceptions.Throttled`.
fn throttled(seconds: u64) -> String {
    let plural = if seconds == 1 { "" } else { "s" };
    format!("Request was throttled. Expected available in {seconds} second{plural}.")
}

impl From<Wait> for TokenApiError {
    fn from(Wait(wait): Wait) -> Self {
        Self::Throttled(wait)
    }
}

impl From<CsrfFault> for TokenApiError {
    fn from(fault: CsrfFault) -> Self {
        Self::Csrf(fault)
    }
}

impl From<TokenError> for TokenApiError {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

impl From<StoreError> for TokenApiError {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
        match error {
            StoreError::Unavailable(_) => Self::Unavailable,
            _ => Self::Internal,
        }
    }
}

impl From<PasswordError> for TokenApiError {
    fn from(error: PasswordError) -> Self {
        tracing::warn!(%error, "a password was not checked");
        match error {
            PasswordError::Busy => Self::Unavailable,
            PasswordError::Failed => Self::Internal,
        }
    }
}

impl From<SignError> for TokenApiError {
    fn from(error: SignError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "no token");
        Self::Internal
    }
}
