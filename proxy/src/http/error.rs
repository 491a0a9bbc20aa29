//! Every cause of an error that the edge answers, and the one place that words it.
//!
//! Each cause has one status and one stable code. The detail says what an operator or a developer can act on and
//! nothing about the inside that a client must not know; the exact reason goes to the log.

use super::body::ProxyBody;
use crate::auth::Refusal;
use crate::config::ErrorShape;
use crate::files::{self, FileError};
use crate::route::Ambiguous;
use crate::upstream::UpstreamError;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serve::BodyError;
use serve::contract::problem::{PROBLEM_JSON, Problem, Source};

/// Why a request is not answered as it wished.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cause {
    #[error("{0}")]
    Host(&'static str),
    #[error("the request target is no path")]
    Target,
    #[error("no site has this host name")]
    UnknownHost,
    #[error("the request target is longer than {0} bytes")]
    TargetTooLong(usize),
    #[error("the fields are larger than {0} bytes")]
    HeadTooLarge(usize),
    #[error("{0}")]
    Path(Ambiguous),
    #[error("no route leads there")]
    NoRoute,
    #[error("CONNECT is for forward proxies")]
    Connect,
    #[error("{}", .0.log_reason())]
    Refused(Box<Refusal>),
    #[error("the body is larger than {0} bytes")]
    BodyTooLarge(u64),
    #[error("{0}")]
    File(FileError),
    #[error("{error}")]
    Upstream { name: String, error: UpstreamError },
    #[error("the upstream switched protocols unasked")]
    UnaskedUpgrade,
    #[error("the application named an internal file that can't be served: {0}")]
    InternalFile(FileError),
    #[error("the request took longer than its route allows")]
    TotalTimeout,
    #[error("a defect in the proxy")]
    Panic,
}

/// How a cause looks from outside.
struct Wording {
    status: StatusCode,
    code: &'static str,
    detail: Option<String>,
}

impl Cause {
    fn wording(&self) -> Wording {
        let plain = |status, code| Wording { status, code, detail: None };
        let told = |status, code| Wording { status, code, detail: Some(self.to_string()) };
        match self {
            Self::Host(_) => told(StatusCode::BAD_REQUEST, "bad_host"),
            Self::Target => told(StatusCode::BAD_REQUEST, "bad_target"),
            Self::UnknownHost => told(StatusCode::NOT_FOUND, "unknown_host"),
            Self::TargetTooLong(_) => told(StatusCode::URI_TOO_LONG, "uri_too_long"),
            Self::HeadTooLarge(_) => told(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large"),
            Self::Path(_) => told(StatusCode::BAD_REQUEST, "bad_path"),
            Self::NoRoute => plain(StatusCode::NOT_FOUND, "no_route"),
            Self::Connect => told(StatusCode::METHOD_NOT_ALLOWED, "connect_unsupported"),
            Self::Refused(refusal) => plain(refusal.status(), refusal.code()),
            Self::BodyTooLarge(_) => told(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            Self::File(error) => Self::file(error),
            Self::Upstream { name, error } => Self::upstream(name, error),
            Self::UnaskedUpgrade => plain(StatusCode::BAD_GATEWAY, "upstream_malformed"),
            Self::InternalFile(_) => plain(StatusCode::BAD_GATEWAY, "internal_file"),
            Self::TotalTimeout => told(StatusCode::GATEWAY_TIMEOUT, "total_timeout"),
            Self::Panic => plain(StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }

    fn file(error: &FileError) -> Wording {
        let (status, code) = match error {
            FileError::NotFound { .. } => (StatusCode::NOT_FOUND, "file_not_found"),
            FileError::BadPath(_) => (StatusCode::BAD_REQUEST, "bad_path"),
            FileError::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            FileError::Forbidden => (StatusCode::FORBIDDEN, "file_forbidden"),
            FileError::RangeNotSatisfiable { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, "range_not_satisfiable"),
            FileError::PreconditionFailed => (StatusCode::PRECONDITION_FAILED, "precondition_failed"),
            FileError::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "file_unavailable"),
            FileError::FieldsTooLarge => (StatusCode::BAD_GATEWAY, "internal_file"),
        };
        let detail = matches!(error, FileError::BadPath(_)).then(|| error.to_string());
        Wording { status, code, detail }
    }

    /// Users ask "which hop said it" and "what did it try", so the upstream is named; its address stays in the log.
    fn upstream(name: &str, error: &UpstreamError) -> Wording {
        let (status, code, what) = match error {
            UpstreamError::Resolve(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "upstream_unresolved", "its name has no address")
            }
            UpstreamError::Connect(_) => {
                (StatusCode::BAD_GATEWAY, "upstream_connect", "it does not accept connections")
            }
            // Which check has failed says how to pass it, so it stays in the log.
            UpstreamError::Tls(_) => (StatusCode::BAD_GATEWAY, "upstream_tls", "no secure connection to it"),
            UpstreamError::Busy => {
                (StatusCode::SERVICE_UNAVAILABLE, "upstream_busy", "it takes no more requests at once")
            }
            UpstreamError::ConnectTimeout => {
                (StatusCode::GATEWAY_TIMEOUT, "upstream_connect_timeout", "it does not answer a connect")
            }
            UpstreamError::ResponseTimeout => {
                (StatusCode::GATEWAY_TIMEOUT, "upstream_timeout", "it did not answer in time")
            }
            UpstreamError::Reset(_) | UpstreamError::StreamReset(_) => {
                (StatusCode::BAD_GATEWAY, "upstream_reset", "it closed the connection before its answer")
            }
            UpstreamError::Malformed(_) | UpstreamError::StreamMalformed(_) => {
                (StatusCode::BAD_GATEWAY, "upstream_malformed", "its answer is no HTTP")
            }
            UpstreamError::Client(error) => return Self::body(error),
        };
        Wording { status, code, detail: Some(format!("upstream \"{name}\": {what}")) }
    }

    fn body(error: &BodyError) -> Wording {
        let (status, code) = match error {
            BodyError::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            BodyError::TooSlow => (StatusCode::REQUEST_TIMEOUT, "body_too_slow"),
            BodyError::Disconnected | BodyError::Upstream | BodyError::File => (StatusCode::BAD_REQUEST, "body_broken"),
        };
        Wording { status, code, detail: Some(error.to_string()) }
    }

    /// The stable code, for the log.
    pub(super) fn code(&self) -> &'static str {
        self.wording().code
    }

    /// Whether the rest of the connection can't be trusted or is not worth reading (HTTP/1.1 only).
    pub(super) fn closes(&self) -> bool {
        matches!(
            self,
            Self::Host(_)
                | Self::Target
                | Self::TargetTooLong(_)
                | Self::HeadTooLarge(_)
                | Self::Connect
                | Self::BodyTooLarge(_)
                | Self::Panic
        ) || matches!(self, Self::Upstream { error: UpstreamError::Client(_), .. })
    }

    /// The answer.
    pub(super) fn into_response(self, request_id: &str) -> Response<ProxyBody> {
        let Wording { status, code, detail } = self.wording();
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let body = match &self {
            Self::Refused(refusal) if refusal.shape() == ErrorShape::SimpleJwt => {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                refusal.simplejwt_body().to_string().into_bytes()
            }
            _ => {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
                let title = status.canonical_reason().unwrap_or("Error");
                let problem = Problem::new(status, code, title, Source::Edge, request_id);
                match detail {
                    Some(detail) => problem.with_detail(detail).to_json(),
                    None => problem.to_json(),
                }
            }
        };
        self.fields(&mut headers);
        let mut response = Response::new(ProxyBody::bytes(Bytes::from(body)));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }

    fn fields(&self, headers: &mut HeaderMap) {
        match self {
            Self::Refused(refusal) => {
                if let Some(challenge) = refusal.challenge() {
                    headers.insert(header::WWW_AUTHENTICATE, challenge);
                }
                if let Some(after) = refusal.retry_after() {
                    headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
                }
            }
            Self::Connect => {
                let allowed = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
                headers.insert(header::ALLOW, allowed);
            }
            Self::File(FileError::MethodNotAllowed) => {
                headers.insert(header::ALLOW, files::ALLOW);
            }
            Self::File(FileError::RangeNotSatisfiable { size_bytes }) => {
                // RFC 9110 section 14.4: tells the client how long the file is.
                if let Ok(value) = HeaderValue::try_from(format!("bytes */{size_bytes}")) {
                    headers.insert(header::CONTENT_RANGE, value);
                }
            }
            Self::Upstream {
                error: UpstreamError::Resolve(_) | UpstreamError::Connect(_) | UpstreamError::Busy,
                ..
            }
            | Self::File(FileError::Unavailable(_)) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
    }
}
