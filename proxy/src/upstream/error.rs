//! Why an upstream gave no response.

use super::dial::DialError;
use super::http2::Http2Error;
use serve::BodyError;
use std::io;

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// No endpoint's name is known to the resolver.
    #[error("no address: {0}")]
    Resolve(io::Error),
    /// No endpoint could be connected to.
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    /// The endpoint is not who it must be, or does not accept the proxy's certificate or protocol.
    #[error("TLS: {0}")]
    Tls(io::Error),
    /// Every place on the HTTP/2 connections is taken, or the endpoint refuses requests.
    #[error("the endpoint takes no more requests at once")]
    Busy,
    /// No endpoint answered a connect in time.
    #[error("connecting took too long")]
    ConnectTimeout,
    /// The head of the response did not come in time.
    #[error("no response in time")]
    ResponseTimeout,
    /// The connection broke before the head of the response was complete.
    #[error("the connection closed before the response: {0}")]
    Reset(io::Error),
    /// What came is no HTTP response, or none to this request.
    #[error("malformed response: {0}")]
    Malformed(&'static str),
    /// As [`Self::Reset`], over HTTP/2.
    #[error("the stream ended before the response: {0}")]
    StreamReset(h2::Error),
    /// As [`Self::Malformed`], over HTTP/2.
    #[error("malformed response: {0}")]
    StreamMalformed(h2::Error),
    /// The client's body failed: it is too large, too slow, or broke off.
    #[error("{0}")]
    Client(BodyError),
}

impl UpstreamError {
    /// The same once more, for another request that waited for the same call.
    #[must_use]
    pub fn retold(&self) -> Self {
        let again = |error: &io::Error| io::Error::new(error.kind(), error.to_string());
        match self {
            Self::Resolve(error) => Self::Resolve(again(error)),
            Self::Connect(error) => Self::Connect(again(error)),
            Self::Tls(error) => Self::Tls(again(error)),
            Self::Busy => Self::Busy,
            Self::ConnectTimeout => Self::ConnectTimeout,
            Self::ResponseTimeout => Self::ResponseTimeout,
            Self::Reset(error) => Self::Reset(again(error)),
            Self::Malformed(what) => Self::Malformed(what),
            Self::StreamReset(error) => Self::Reset(io::Error::other(error.to_string())),
            Self::StreamMalformed(error) => {
                Self::StreamMalformed(h2::Error::from(error.reason().unwrap_or(h2::Reason::PROTOCOL_ERROR)))
            }
            Self::Client(error) => Self::Client(*error),
        }
    }
}

impl From<DialError> for UpstreamError {
    fn from(error: DialError) -> Self {
        match error {
            DialError::Resolve(error) => Self::Resolve(error),
            DialError::Connect(error) => Self::Connect(error),
            DialError::Timeout => Self::ConnectTimeout,
            DialError::Tls(error) => Self::Tls(error),
            DialError::Http2(error) if error.is_io() || error.is_remote() => Self::StreamReset(error),
            DialError::Http2(error) => Self::StreamMalformed(error),
        }
    }
}

impl From<Http2Error> for UpstreamError {
    fn from(error: Http2Error) -> Self {
        match error {
            Http2Error::Client(error) => Self::Client(error),
            Http2Error::Timeout => Self::ResponseTimeout,
            Http2Error::Refused(_) => Self::Busy,
            Http2Error::Reset(error) => Self::StreamReset(error),
            Http2Error::Malformed(error) => Self::StreamMalformed(error),
            Http2Error::Tls(error) => Self::Tls(error),
        }
    }
}
