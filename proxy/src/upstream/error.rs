//! Why an upstream gave no response.

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
    /// The client's body failed: it is too large, too slow, or broke off.
    #[error("{0}")]
    Client(BodyError),
}
