//! Bytes that are no message, and what is said about them.

use crate::counters::Protection;
use http::StatusCode;

/// Why the bytes on a connection are no request that can be served. The connection ends after the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Malformed {
    /// What it is answered with, when it is a request.
    pub status: StatusCode,
    /// A stable name for logs and clients.
    pub code: &'static str,
    /// What exactly is wrong, for people.
    pub reason: &'static str,
}

impl Malformed {
    const fn bad(reason: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: "malformed_request", reason }
    }

    const fn too_large(reason: &'static str) -> Self {
        Self { status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, code: "headers_too_large", reason }
    }

    pub(super) const START: Self = Self::bad("this is no HTTP request");
    pub(super) const NO_RESPONSE: Self = Self::bad("this is no HTTP response");
    pub(super) const EMPTY_LINES: Self = Self::bad("too many empty lines before a request");
    pub(super) const LINE_END: Self = Self::bad("a line does not end in CR LF");
    pub(super) const START_LINE: Self = Self::bad("the first line is malformed");
    pub(super) const METHOD: Self = Self::bad("the method is too long");
    pub(super) const FIELD_NAME: Self = Self::bad("a field name is malformed");
    pub(super) const FIELD_VALUE: Self = Self::bad("a field value is malformed");
    pub(crate) const TARGET: Self = Self::bad("the request target is malformed");
    pub(super) const BOTH_FRAMINGS: Self = Self::bad("Content-Length and Transfer-Encoding exclude each other");
    pub(crate) const LENGTH: Self = Self::bad("Content-Length is not one number");
    pub(super) const ENCODING: Self = Self::bad("Transfer-Encoding does not end in one chunked");
    pub(super) const ENCODING_BEFORE_1_1: Self = Self::bad("HTTP/1.0 has no Transfer-Encoding");
    pub(super) const CHUNK: Self = Self::bad("a chunk is malformed");
    pub(super) const TRAILER: Self = Self::bad("the trailer is malformed");
    pub(crate) const FIELDS_TOO_LARGE: Self = Self::too_large("the fields are too large");
    pub(crate) const FIELDS_TOO_MANY: Self = Self::too_large("there are too many fields");
    pub(super) const EXTENSIONS_TOO_LARGE: Self = Self::bad("the chunk extensions are too large");
    pub(super) const TARGET_TOO_LONG: Self =
        Self { status: StatusCode::URI_TOO_LONG, code: "uri_too_long", reason: "the request line is too long" };
    pub(super) const CODING: Self = Self {
        status: StatusCode::NOT_IMPLEMENTED,
        code: "coding_unsupported",
        reason: "chunked is the only transfer coding here",
    };
    pub(super) const VERSION: Self = Self {
        status: StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        code: "version_unsupported",
        reason: "HTTP/1.0 and HTTP/1.1 are spoken here",
    };
    /// The head did not end in time (RFC 9110 section 15.5.9).
    pub(crate) const TOO_SLOW: Self = Self {
        status: StatusCode::REQUEST_TIMEOUT,
        code: "request_timeout",
        reason: "the request head did not end in time",
    };

    /// The protection that this is, for those that are one.
    pub(crate) fn protection(self) -> Option<Protection> {
        match self.code {
            code if code == Self::TOO_SLOW.code => Some(Protection::SlowHead),
            code if code == Self::FIELDS_TOO_LARGE.code => Some(Protection::HeaderList),
            code if code == Self::START.code => Some(Protection::Malformed),
            _ => None,
        }
    }

    /// Every code, with its status, for documents and tests.
    pub const ALL_CODES: [(&'static str, StatusCode); 6] = [
        (Self::START.code, Self::START.status),
        (Self::FIELDS_TOO_LARGE.code, Self::FIELDS_TOO_LARGE.status),
        (Self::TARGET_TOO_LONG.code, Self::TARGET_TOO_LONG.status),
        (Self::CODING.code, Self::CODING.status),
        (Self::VERSION.code, Self::VERSION.status),
        (Self::TOO_SLOW.code, Self::TOO_SLOW.status),
    ];
}
