//! What is known of one request while it is served.

use super::random;
use super::websocket;
use crate::auth::Verified;
use crate::config::Server;
use crate::rules::Facts;
use crate::snapshot::Snapshot;
use crate::upstream::Attempt;
use http::{HeaderMap, HeaderValue, Method, Uri, request};
use serve::connection::ConnectionInfo;
use serve::contract::forwarded::{self, Origin};
use serve::contract::request_id::{RequestId, X_REQUEST_ID};
use serve::contract::trace::TraceParent;
use serve::listener::{Address, Peer};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use tokio::time::Instant;

/// Filled in by the steps of the handler and read by the log at the end.
pub(super) struct RequestContext {
    pub(super) request_id: RequestId,
    pub(super) started: Instant,
    pub(super) info: Rc<ConnectionInfo>,
    pub(super) peer_ip: Option<IpAddr>,
    /// Whether the peer's word about the request counts.
    pub(super) peer_trusted: bool,
    pub(super) local_port: Option<u16>,
    /// The client as trusted hops tell: the one truth for logs, limits and the application.
    pub(super) origin: Origin,
    pub(super) site: Option<Rc<str>>,
    /// The trace that the request belongs to; made when it is forwarded, unless the client sent a sound one.
    pub(super) trace: Option<TraceParent>,
    pub(super) site_index: Option<usize>,
    pub(super) route: Option<Arc<str>>,
    pub(super) route_index: Option<usize>,
    pub(super) upstream: Option<Rc<str>>,
    pub(super) attempt: Attempt,
    /// Until when there must be a response.
    pub(super) deadline: Option<Instant>,
    /// The id of the request that made the upstream call, where it was another one.
    pub(super) coalesced: Option<Arc<str>>,
    pub(super) caller: Option<Arc<Verified>>,
    /// An extended CONNECT to WebSocket (RFC 8441), which goes on as the GET of a handshake.
    pub(super) extended_connect: bool,
    /// For the client's next DPoP proof.
    pub(super) dpop_nonce: Option<Box<HeaderValue>>,
    /// The answer binds the client to an endpoint.
    pub(super) binds_client: bool,
    /// Kept where the rules about the response are made of the request.
    pub(super) asked: Option<Box<Asked>>,
    /// The code and the exact reason of an error.
    pub(super) cause: Option<(&'static str, String)>,
}

/// What a request asked for.
pub(super) struct Asked {
    pub(super) method: Method,
    /// Without a token in its query.
    pub(super) uri: Uri,
    /// The host, with its port if the client wrote one.
    pub(super) authority: HeaderValue,
}

impl RequestContext {
    /// Boxed once: it goes from the ring through the handler to the log, and is large.
    pub(super) fn begin(head: &request::Parts, info: &Rc<ConnectionInfo>, server: &Server) -> Box<Self> {
        let trusted = &server.trusted_proxies;
        let peer_ip = info.peer.ip();
        let peer_trusted = peer_ip.is_none_or(|peer| forwarded::is_trusted(peer, trusted));
        let https = info.tls.is_some();
        let local_port = match *info.local {
            Address::Tcp(address) => Some(address.port()),
            Address::Unix(_) => None,
        };
        Box::new(Self {
            request_id: request_id(&head.headers, peer_trusted),
            started: Instant::now(),
            origin: forwarded::read(&head.headers, peer_ip, https, trusted),
            info: Rc::clone(info),
            trace: server.trace.then(|| TraceParent::read(&head.headers)).flatten(),
            peer_ip,
            peer_trusted,
            local_port,
            site: None,
            site_index: None,
            route_index: None,
            route: None,
            upstream: None,
            attempt: Attempt::default(),
            deadline: None,
            coalesced: None,
            caller: None,
            extended_connect: websocket::is_extended_connect(head),
            dpop_nonce: None,
            binds_client: false,
            asked: None,
            cause: None,
        })
    }

    /// The client's end of the connection. Its port is 0 when a trusted hop told of the client, which tells no port.
    pub(super) fn client_end(&self) -> Option<SocketAddr> {
        let client = self.origin.client?;
        let port = match self.info.peer {
            Peer::Tcp(peer) if peer.ip() == client => peer.port(),
            _ => 0,
        };
        Some(SocketAddr::new(client, port))
    }

    /// What the client connected to.
    pub(super) fn server_end(&self) -> Option<SocketAddr> {
        match *self.info.local {
            Address::Tcp(address) => Some(address),
            Address::Unix(_) => None,
        }
    }

    /// Begins a trace where none came. It has the request's id where that has the form of one, so that what is found
    /// by the one id is found by the other too.
    pub(super) fn trace(&mut self) -> &TraceParent {
        self.trace.get_or_insert_with(|| {
            let span = low_half(random::bits());
            match self.request_id.as_trace_id() {
                Some(id) => TraceParent::begin(id, span),
                None => TraceParent::begin_anew(random::bits(), span),
            }
        })
    }

    /// What rules may tell of the request.
    pub(super) fn facts<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        method: &'a Method,
        uri: &'a Uri,
        authority: &'a HeaderValue,
    ) -> Facts<'a> {
        Facts {
            host: authority.to_str().unwrap_or_default(),
            path: uri.path(),
            query: uri.query(),
            client: self.origin.client,
            scheme: if self.origin.https { "https" } else { "http" },
            method: method.as_str(),
            request_id: self.request_id.as_str(),
            route: self.route.as_deref().unwrap_or_default(),
            site: self.site_index.map_or("", |site| &snapshot.site(site).name),
            subject: self.caller.as_ref().map_or("", |caller| caller.subject()),
            tls_version: self.info.tls.as_ref().and_then(|tls| tls.version).map_or("", version_of_tls),
        }
    }
}

/// As other servers call it.
fn version_of_tls(version: rustls::ProtocolVersion) -> &'static str {
    match version {
        rustls::ProtocolVersion::TLSv1_2 => "TLSv1.2",
        rustls::ProtocolVersion::TLSv1_3 => "TLSv1.3",
        other => other.as_str().unwrap_or_default(),
    }
}

/// Takes over the id of a trusted peer; from others it could be used to mix up the logs.
fn request_id(headers: &HeaderMap, believed: bool) -> RequestId {
    let given = believed.then(|| headers.get(&X_REQUEST_ID).and_then(RequestId::accept)).flatten();
    given.unwrap_or_else(|| RequestId::from_random(random::bits()))
}

fn low_half(random: u128) -> u64 {
    let [_, _, _, _, _, _, _, _, low @ ..] = random.to_be_bytes();
    u64::from_be_bytes(low)
}
