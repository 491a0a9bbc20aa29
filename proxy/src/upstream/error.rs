//! Why an upstream gave no response.

use super::dial::DialError;
use super::gate::Sent;
use super::http2::Http2Error;
use crate::metrics::Failure;
use serve::BodyError;
use std::io;
use std::time::Duration;

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
    /// Nobody of an upstream that was expected back came back in time.
    #[error("no endpoint came back in time")]
    NotBack,
    /// Too many wait already for an upstream that is expected back.
    #[error("too many requests wait for an endpoint to come back")]
    ParkFull,
    /// Every endpoint that could be asked has as many requests as it may have.
    #[error("every endpoint has as many requests as it may have")]
    Full,
    /// The queue for a place is full.
    #[error("too many requests wait for a place")]
    QueueFull,
    /// There was no place in time.
    #[error("no place became free in time")]
    QueueTimeout,
    /// An answer would come after the request's deadline.
    #[error("what is left of the request's time is too short for an answer")]
    Shed,
    /// Every endpoint has failed too often and is left alone, for so long.
    #[error("every endpoint has failed too often and is left alone")]
    CircuitOpen(Duration),
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
    /// As metrics and the access log call it. Of what the client did itself they have another name.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self.failure() {
            Some(failure) => failure.label(),
            None => "client",
        }
    }

    /// As it is counted; `None` for what the client did.
    pub(super) const fn failure(&self) -> Option<Failure> {
        Some(match self {
            Self::Resolve(_) => Failure::Resolve,
            Self::Connect(_) => Failure::Connect,
            Self::ConnectTimeout => Failure::ConnectTimeout,
            Self::ResponseTimeout => Failure::ResponseTimeout,
            Self::Tls(_) => Failure::Tls,
            Self::Busy => Failure::Busy,
            Self::NotBack => Failure::NotBack,
            Self::Full | Self::QueueFull => Failure::QueueFull,
            Self::QueueTimeout => Failure::QueueTimeout,
            Self::Shed => Failure::Shed,
            Self::CircuitOpen(_) => Failure::CircuitOpen,
            Self::ParkFull => Failure::ParkFull,
            Self::Reset(_) | Self::StreamReset(_) => Failure::Reset,
            Self::Malformed(_) | Self::StreamMalformed(_) => Failure::Malformed,
            Self::Client(_) => return None,
        })
    }

    /// The same once more, for another request that waited for the same call.
    #[must_use]
    pub fn retold(&self) -> Self {
        let again = |error: &io::Error| io::Error::new(error.kind(), error.to_string());
        match self {
            Self::Resolve(error) => Self::Resolve(again(error)),
            Self::Connect(error) => Self::Connect(again(error)),
            Self::Tls(error) => Self::Tls(again(error)),
            Self::Busy => Self::Busy,
            Self::NotBack => Self::NotBack,
            Self::Full => Self::Full,
            Self::QueueFull => Self::QueueFull,
            Self::QueueTimeout => Self::QueueTimeout,
            Self::Shed => Self::Shed,
            Self::CircuitOpen(left) => Self::CircuitOpen(*left),
            Self::ParkFull => Self::ParkFull,
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

impl From<Sent> for UpstreamError {
    fn from(sent: Sent) -> Self {
        match sent {
            Sent::Full => Self::QueueFull,
            Sent::Late => Self::QueueTimeout,
            Sent::Hopeless => Self::Shed,
        }
    }
}
