//! The one error type of all bodies, in both directions.

/// Why a body ended before its end. The kinds decide what is answered and logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The peer went away or broke the framing.
    #[error("the peer closed the body before its end")]
    Disconnected,
    /// The peer's bytes are no body.
    #[error("the body is malformed: {0}")]
    Malformed(&'static str),
    /// More bytes than the route allows.
    #[error("the body is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The limit in force, in bytes.
        limit_bytes: u64,
    },
    /// The peer sent or took bytes more slowly than the route allows.
    #[error("the body made no progress in time")]
    TooSlow,
    /// The upstream's answer broke off.
    #[error("the upstream closed the response before its end")]
    Upstream,
    /// A file could not be read, or shrank while it was sent.
    #[error("the file could not be read to its end")]
    File,
}
