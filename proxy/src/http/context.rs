//! What is known of one request while it is served.

use super::random;
use super::websocket;
use crate::upstream::Attempt;
use http::{HeaderMap, request};
use ipnet::IpNet;
use serve::connection::ConnectionInfo;
use serve::contract::forwarded::{self, Origin};
use serve::contract::request_id::{RequestId, X_REQUEST_ID};
use serve::listener::Address;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use tokio::time::Instant;

/// Filled in by the steps of the handler and read by the log at the end.
pub(super) struct RequestContext {
    pub(super) request_id: RequestId,
    pub(super) started: Instant,
    pub(super) info: Rc<ConnectionInfo>,
    pub(super) peer_ip: Option<IpAddr>,
    pub(super) local_port: Option<u16>,
    /// The client as trusted hops tell: the one truth for logs, limits and the application.
    pub(super) origin: Origin,
    pub(super) site: Option<Rc<str>>,
    pub(super) route: Option<Arc<str>>,
    pub(super) upstream: Option<Rc<str>>,
    pub(super) attempt: Attempt,
    pub(super) subject: Option<Arc<serve::contract::identity::Identity>>,
    /// An extended CONNECT to WebSocket (RFC 8441), which goes on as the GET of a handshake.
    pub(super) extended_connect: bool,
    /// The code and the exact reason of an error.
    pub(super) cause: Option<(&'static str, String)>,
}

impl RequestContext {
    pub(super) fn begin(head: &request::Parts, info: &Rc<ConnectionInfo>, trusted: &[IpNet]) -> Self {
        let peer_ip = info.peer.ip();
        let https = info.tls.is_some();
        let local_port = match *info.local {
            Address::Tcp(address) => Some(address.port()),
            Address::Unix(_) => None,
        };
        Self {
            request_id: request_id(&head.headers, peer_ip, trusted),
            started: Instant::now(),
            origin: forwarded::read(&head.headers, peer_ip, https, trusted),
            info: Rc::clone(info),
            peer_ip,
            local_port,
            site: None,
            route: None,
            upstream: None,
            attempt: Attempt::default(),
            subject: None,
            extended_connect: websocket::is_extended_connect(head),
            cause: None,
        }
    }
}

/// Takes over the id of a trusted peer; from others it could be used to mix up the logs.
fn request_id(headers: &HeaderMap, peer: Option<IpAddr>, trusted: &[IpNet]) -> RequestId {
    let believed = peer.is_none_or(|peer| forwarded::is_trusted(peer, trusted));
    let given = headers.get(&X_REQUEST_ID).filter(|_| believed).and_then(RequestId::accept);
    given.unwrap_or_else(|| RequestId::from_random(random::bits()))
}
