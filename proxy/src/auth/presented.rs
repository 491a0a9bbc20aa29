//! What of a request the rule of its route looks at.

use http::{HeaderMap, HeaderValue, Method};
use std::net::IpAddr;

/// A request as it came, before anything of it was removed.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'r> {
    /// The method; GET where a WebSocket is wanted by an extended CONNECT (RFC 8441).
    pub method: &'r Method,
    /// The fields.
    pub headers: &'r HeaderMap,
    /// The query, without `?`.
    pub query: Option<&'r str>,
    /// The client, as trusted hops tell; `None`: a peer on a Unix socket who told of none.
    pub client: Option<IpAddr>,
    /// Whether the client spoke TLS, as trusted hops tell.
    pub https: bool,
    /// The host that was asked for, with the port if the client wrote one.
    pub authority: &'r HeaderValue,
    /// Whether it wants to switch to WebSocket.
    pub websocket: bool,
}
