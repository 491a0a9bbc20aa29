//! What a connection may do and for how long.

use std::time::Duration;

/// What a connection may do and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Bytes of a request's head; more is 431, or 414 when its first line alone is longer.
    pub header_bytes_max: usize,
    /// Fields of a request; more is 431.
    pub header_count_max: usize,
    /// From accept to the end of the TLS handshake, the header of the PROXY protocol included.
    pub handshake_timeout: Duration,
    /// From the first byte of a request to the end of its head; then 408.
    pub header_timeout: Duration,
    /// Between requests.
    pub idle_timeout: Duration,
    /// Between two moments at which the client takes bytes of an answer; over HTTP/2, of each answer.
    pub send_timeout: Duration,
    /// HTTP/2 streams at once.
    pub streams_max: u32,
    /// Whether connections in the clear may speak HTTP/2 by prior knowledge (RFC 9113 section 3.3).
    pub h2c: bool,
    /// Requests on one HTTP/1.1 connection; the last is answered with `Connection: close`.
    pub requests_per_connection_max: u32,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            header_bytes_max: 32 * 1024,
            header_count_max: 100,
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            send_timeout: Duration::from_secs(30),
            streams_max: 128,
            h2c: false,
            requests_per_connection_max: 10_000,
        }
    }
}
