//! Every cause of an error that the edge answers, and the one place that words it.
//!
//! Each cause has an entry of the documented list (`error/codes.rs`) with one status and one stable code. The detail
//! says what an operator or a developer can act on and nothing about the inside that a client must not know; the exact
//! reason goes to the log.

mod answer;
mod codes;
mod page;

pub use page::error_reference;

use crate::auth::Refusal;
use crate::files::FileError;
use crate::route::Ambiguous;
use crate::rules::Unfitting;
use crate::upstream::UpstreamError;
use serve::BodyError;
use serve::contract::error_code::ErrorCode;
use serve::http1::Malformed;

/// Why a request is not answered as it wished.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cause {
    #[error("{0}")]
    Malformed(Malformed),
    #[error("{0}")]
    Host(&'static str),
    #[error("the request target is no path")]
    Target,
    #[error("the request target has another scheme than the connection")]
    Scheme,
    #[error("no site has this host name")]
    UnknownHost,
    #[error("the request target is longer than {0} bytes")]
    TargetTooLong(usize),
    #[error("the fields are larger than {0} bytes")]
    HeadTooLarge(usize),
    #[error("{0}")]
    Path(Ambiguous),
    #[error("{0}")]
    PathRule(Unfitting),
    #[error("no route leads there")]
    NoRoute,
    #[error("CONNECT is for forward proxies")]
    Connect,
    #[error("TRACE is answered by nobody here")]
    Trace,
    #[error("{}", .0.log_reason())]
    Refused(Box<Refusal>),
    #[error("the body is larger than {0} bytes")]
    BodyTooLarge(u64),
    #[error("{0}")]
    Body(BodyError),
    #[error("{0}")]
    File(FileError),
    #[error("{error}")]
    Upstream { name: String, error: UpstreamError },
    #[error("the upstream was to switch to WebSocket: {0}")]
    Switch(&'static str),
    #[error("the application named an internal file that can't be served: {0}")]
    InternalFile(FileError),
    #[error("the request took longer than its route allows")]
    TotalTimeout,
    #[error("there was no response by the request's deadline")]
    Deadline,
    #[error("the proxy's memory runs out")]
    Overload,
    #[error("a defect in the proxy")]
    Panic,
}

/// How a cause looks from outside.
struct Wording {
    code: &'static ErrorCode,
    detail: Option<String>,
}

impl Cause {
    fn wording(&self) -> Wording {
        let plain = |code| Wording { code, detail: None };
        let told = |code| Wording { code, detail: Some(self.to_string()) };
        match self {
            Self::Malformed(malformed) => told(codes::of_malformed(malformed.code)),
            Self::Host(_) => told(&codes::BAD_HOST),
            Self::Target | Self::Scheme => told(&codes::BAD_TARGET),
            Self::UnknownHost => told(&codes::UNKNOWN_HOST),
            Self::TargetTooLong(_) => told(&codes::URI_TOO_LONG),
            Self::HeadTooLarge(_) => told(&codes::HEADERS_TOO_LARGE),
            Self::Path(_) | Self::PathRule(_) => told(&codes::BAD_PATH),
            Self::NoRoute => plain(&codes::NO_ROUTE),
            Self::Connect => told(&codes::CONNECT_UNSUPPORTED),
            Self::Trace => told(&codes::TRACE_REFUSED),
            Self::Refused(refusal) => plain(refusal.entry()),
            Self::BodyTooLarge(_) => told(&codes::BODY_TOO_LARGE),
            Self::Body(error) => Self::body(error),
            Self::File(error) => Self::file(error),
            Self::Upstream { name, error } => Self::upstream(name, error),
            Self::Switch(_) => plain(&codes::UPSTREAM_MALFORMED),
            Self::InternalFile(_) => plain(&codes::INTERNAL_FILE),
            Self::TotalTimeout => told(&codes::TOTAL_TIMEOUT),
            Self::Deadline => told(&codes::DEADLINE),
            Self::Overload => plain(&codes::OVERLOADED),
            Self::Panic => plain(&codes::INTERNAL),
        }
    }

    fn file(error: &FileError) -> Wording {
        let code = match error {
            FileError::NotFound { .. } => &codes::FILE_NOT_FOUND,
            FileError::BadPath(_) => &codes::BAD_PATH,
            FileError::MethodNotAllowed => &codes::METHOD_NOT_ALLOWED,
            FileError::Forbidden => &codes::FILE_FORBIDDEN,
            FileError::RangeNotSatisfiable { .. } => &codes::RANGE_NOT_SATISFIABLE,
            FileError::PreconditionFailed => &codes::PRECONDITION_FAILED,
            FileError::Unavailable(_) => &codes::FILE_UNAVAILABLE,
            FileError::Stalled => &codes::DISK_STALLED,
            FileError::FieldsTooLarge => &codes::INTERNAL_FILE,
        };
        let detail = matches!(error, FileError::BadPath(_)).then(|| error.to_string());
        Wording { code, detail }
    }

    /// Users ask "which hop said it" and "what did it try", so the upstream is named; its address stays in the log.
    fn upstream(name: &str, error: &UpstreamError) -> Wording {
        let (code, what) = match error {
            UpstreamError::Resolve(_) => (&codes::UPSTREAM_UNRESOLVED, "its name has no address"),
            UpstreamError::Connect(_) => (&codes::UPSTREAM_CONNECT, "it does not accept connections"),
            // Which check has failed says how to pass it, so it stays in the log.
            UpstreamError::Tls(_) => (&codes::UPSTREAM_TLS, "no secure connection to it"),
            UpstreamError::Busy => (&codes::UPSTREAM_BUSY, "it takes no more requests at once"),
            UpstreamError::NotBack => (&codes::UPSTREAM_NOT_BACK, "none of its endpoints came back in time"),
            UpstreamError::Full | UpstreamError::QueueFull => (&codes::QUEUE_FULL, "too many wait for a place at it"),
            UpstreamError::QueueTimeout => (&codes::QUEUE_TIMEOUT, "no place at it became free in time"),
            UpstreamError::Shed => (&codes::REQUEST_SHED, "the request's time is too short for its answer"),
            UpstreamError::CircuitOpen(_) => (&codes::CIRCUIT_OPEN, "it has failed too often and is left alone"),
            UpstreamError::ParkFull => (&codes::PARKING_FULL, "too many wait for it to come back"),
            UpstreamError::ConnectTimeout => (&codes::UPSTREAM_CONNECT_TIMEOUT, "it does not answer a connect"),
            UpstreamError::ResponseTimeout => (&codes::UPSTREAM_TIMEOUT, "it did not answer in time"),
            UpstreamError::Reset(_) | UpstreamError::StreamReset(_) => {
                (&codes::UPSTREAM_RESET, "it closed the connection before its answer")
            }
            UpstreamError::Malformed(_) | UpstreamError::StreamMalformed(_) => {
                (&codes::UPSTREAM_MALFORMED, "its answer is no HTTP")
            }
            UpstreamError::Client(error) => return Self::body(error),
        };
        Wording { code, detail: Some(format!("upstream \"{name}\": {what}")) }
    }

    fn body(error: &BodyError) -> Wording {
        let code = match error {
            BodyError::TooLarge { .. } => &codes::BODY_TOO_LARGE,
            BodyError::Malformed(_) => &codes::MALFORMED_REQUEST,
            BodyError::TooSlow => &codes::BODY_TOO_SLOW,
            BodyError::Disconnected | BodyError::Upstream => &codes::BODY_BROKEN,
            BodyError::File => &codes::HELD_BODY,
        };
        Wording { code, detail: Some(error.to_string()) }
    }

    /// The stable code, for the log.
    pub(super) fn code(&self) -> &'static str {
        self.wording().code.code
    }

    /// Whether the rest of the connection can't be trusted or is not worth reading (HTTP/1.1 only).
    pub(super) fn closes(&self) -> bool {
        matches!(
            self,
            Self::Malformed(_)
                | Self::Host(_)
                | Self::Target
                | Self::Scheme
                | Self::TargetTooLong(_)
                | Self::HeadTooLarge(_)
                | Self::Connect
                | Self::BodyTooLarge(_)
                | Self::Body(_)
                | Self::Panic
        ) || matches!(self, Self::Upstream { error: UpstreamError::Client(_), .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Found in a review: the answer was 400, and told the operator to look at the client.
    #[test]
    fn a_held_body_that_the_disk_has_lost_is_no_mistake_of_the_client() {
        let error = UpstreamError::Client(BodyError::File);
        for cause in [Cause::Body(BodyError::File), Cause::Upstream { name: "app".to_owned(), error }] {
            let code = cause.wording().code;
            assert_eq!((code.code, code.status), ("held_body", http::StatusCode::INTERNAL_SERVER_ERROR));
        }
    }

    #[test]
    fn every_code_of_malformed_bytes_is_listed() {
        for (code, status) in Malformed::ALL_CODES {
            let entry = codes::of_malformed(code);
            assert_eq!((entry.code, entry.status), (code, status));
        }
    }
}
