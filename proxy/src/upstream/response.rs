//! The body of an upstream's response, however it comes.

use super::body::{Http1Body, Lease};
use super::connection::RESPONSE_LIMITS;
use super::endpoint::Counted;
use super::http2::Http2Body;
use super::tunnel::Tunnel;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use serve::BodyError;
use serve::http1::{Framing, Incoming, Piece};
use serve::timer::Deadline;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// The body of an upstream's response. Dropping it before its end tells the application that nobody waits any more.
pub struct UpstreamBody {
    kind: Kind,
    /// Between two pieces.
    idle_timeout: Duration,
    /// Set while a piece is awaited.
    idle: Option<Deadline>,
}

enum Kind {
    /// It came together with its head, so that its connection is free already; or nothing is left of it.
    Whole(Option<Bytes>),
    Http1(Http1Body),
    /// Boxed: it is several times as large, and every answer of the proxy has room for either.
    Http2(Box<Http2Body>, Option<Counted>),
    /// Boxed: it is larger than the others and rare.
    Tunnel(Box<Tunnel>),
}

impl UpstreamBody {
    /// A body framed like this; its connection goes back to its endpoint at its end.
    pub(super) fn http1(framing: Framing, mut lease: Lease, idle_timeout: Duration) -> Self {
        let mut incoming = Incoming::new(framing);
        let at_hand = lease.connection.buffer.len() as u64;
        if incoming.left().is_none_or(|left| left > at_hand) {
            return Self { kind: Kind::Http1(Http1Body::new(incoming, lease)), idle_timeout, idle: None };
        }
        let whole = match incoming.next(&mut lease.connection.buffer, RESPONSE_LIMITS) {
            Ok(Piece::Data(data)) => Some(data),
            Ok(Piece::End(_) | Piece::Starved) | Err(_) => None,
        };
        lease.end();
        Self::whole(whole)
    }

    const fn whole(bytes: Option<Bytes>) -> Self {
        Self { kind: Kind::Whole(bytes), idle_timeout: Duration::MAX, idle: None }
    }

    /// In flight until its end.
    pub(super) fn http2(body: Http2Body, counted: Counted, idle_timeout: Duration) -> Self {
        if body.is_end_stream() {
            return Self::whole(None);
        }
        Self { kind: Kind::Http2(Box::new(body), Some(counted)), idle_timeout, idle: None }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.kind {
            Kind::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Http1(body) => body.poll_frame(cx),
            Kind::Http2(body, counted) => {
                let polled = Pin::new(&mut **body).poll_frame(cx);
                if body.is_end_stream() {
                    *counted = None;
                }
                polled
            }
            Kind::Tunnel(tunnel) => {
                let polled = tunnel.poll_frame(cx);
                if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
                    self.kind = Kind::Whole(None);
                }
                polled
            }
        }
    }

    /// Whether this is one direction of a tunnel, which lasts as long as its ends like.
    #[must_use]
    pub const fn is_tunnel(&self) -> bool {
        matches!(self.kind, Kind::Tunnel(_))
    }
}

impl From<Tunnel> for UpstreamBody {
    fn from(tunnel: Tunnel) -> Self {
        // It watches both directions itself.
        Self { kind: Kind::Tunnel(Box::new(tunnel)), idle_timeout: Duration::MAX, idle: None }
    }
}

impl HttpBody for UpstreamBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let polled = this.poll_piece(cx);
        if polled.is_ready() {
            this.idle = None;
            return polled;
        }
        if this.idle_timeout == Duration::MAX {
            return Poll::Pending;
        }
        let idle = this.idle.get_or_insert_with(|| Deadline::after(this.idle_timeout));
        if idle.poll(cx).is_pending() {
            return Poll::Pending;
        }
        *this = Self::whole(None);
        Poll::Ready(Some(Err(BodyError::Upstream)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Whole(bytes) => bytes.is_none(),
            Kind::Http1(body) => body.has_ended(),
            Kind::Http2(body, _) => body.is_end_stream(),
            Kind::Tunnel(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Kind::Http2(body, _) => body.size_hint(),
            Kind::Http1(body) => body.left().map_or_else(SizeHint::new, SizeHint::with_exact),
            Kind::Tunnel(_) => SizeHint::new(),
        }
    }
}
