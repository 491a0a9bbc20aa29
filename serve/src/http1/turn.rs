//! One request and its response, as far as the connection is concerned.

use super::fields::lists;
use super::head::{Framing, RequestHead};
use super::incoming::Incoming;
use crate::body::Body;
use crate::exchange::Exchange;
use http::{Method, Request, Version, header};
use std::sync::Arc;

/// One request and its response.
pub(super) struct Turn {
    pub(super) is_head: bool,
    pub(super) version: Version,
    pub(super) keep_alive: bool,
    /// The client said that no request follows (RFC 9112 section 9.6), or did not ask for a connection that is kept.
    pub(super) client_closes: bool,
    /// The client waits for leave to send its body (RFC 9110 section 10.1.1).
    pub(super) expects_continue: bool,
    /// The protocol that the client wants to switch to.
    pub(super) offers_tunnel: bool,
    pub(super) exchange: Option<Arc<Exchange>>,
    pub(super) incoming: Incoming,
    /// The body ended in an error: what follows is not the next request.
    pub(super) broken: bool,
    /// The head of the response is on its way.
    pub(super) answered: bool,
}

impl Turn {
    pub(super) fn begin(head: RequestHead) -> (Self, Request<Body>) {
        let RequestHead { parts, framing, keep_alive } = head;
        let fields = &parts.headers;
        let is_http_11 = parts.version == Version::HTTP_11;
        let incoming = Incoming::new(framing);
        let offers_tunnel = framing == Framing::Empty
            && is_http_11
            && fields.contains_key(header::UPGRADE)
            && lists(fields, &header::CONNECTION, "upgrade");
        let exchange = Exchange::new(incoming.left());
        let body = if offers_tunnel {
            exchange.await_switch();
            Body::offering_tunnel(&exchange)
        } else {
            Body::received(&exchange, incoming.has_ended())
        };
        let turn = Self {
            is_head: parts.method == Method::HEAD,
            version: parts.version,
            keep_alive,
            client_closes: !keep_alive,
            expects_continue: is_http_11
                && framing != Framing::Empty
                && fields
                    .get(header::EXPECT)
                    .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue")),
            offers_tunnel,
            exchange: Some(exchange),
            incoming,
            broken: false,
            answered: false,
        };
        (turn, Request::from_parts(parts, body))
    }

    /// For bytes that are no request.
    pub(super) const fn refused() -> Self {
        Self {
            is_head: false,
            version: Version::HTTP_11,
            keep_alive: false,
            client_closes: false,
            expects_continue: false,
            offers_tunnel: false,
            exchange: None,
            incoming: Incoming::new(Framing::Empty),
            broken: true,
            answered: false,
        }
    }

    /// Whether the end of the response is that of the connection, and nothing can have come behind the request. Not when
    /// only we want no further request: the client may have sent one.
    pub(super) fn ends_connection(&self) -> bool {
        self.client_closes && !self.incoming_is_left()
    }

    /// Whether the client may have sent, or may be sending, what nobody has read.
    pub(super) fn incoming_is_left(&self) -> bool {
        self.broken || !self.incoming.has_ended()
    }
}
