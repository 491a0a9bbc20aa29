//! The body of a request as both servers see it.
//!
//! Everything behind the accept loop takes a [`Body`], which can be made without a connection, and so runs without a
//! socket.

pub use crate::body_error::BodyError;
use crate::exchange::{Exchange, Interim};
use crate::http2::incoming::Incoming;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A request's body: nothing, bytes at hand, or a stream. `Send`, so that any framework can take it.
///
/// It also leads back to the connection that the request came from: interim responses go that way, and the bytes
/// behind a switch of protocols come from there.
#[derive(Debug)]
pub struct Body {
    kind: Kind,
    exchange: Option<Arc<Exchange>>,
    /// Rarely there, so it takes no room.
    tunnel: Option<Box<Kind>>,
}

enum Kind {
    Full(Option<Bytes>),
    /// From an HTTP/1 connection.
    Received(Reading),
    /// From an HTTP/2 stream.
    Http2(Incoming),
    Stream(Pin<Box<dyn HttpBody<Data = Bytes, Error = BodyError> + Send>>),
}

impl Body {
    /// No body.
    #[must_use]
    pub const fn empty() -> Self {
        Self::of(Kind::Full(None))
    }

    /// Bytes at hand.
    #[must_use]
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self::of(Kind::Full((!bytes.is_empty()).then_some(bytes)))
    }

    /// Any other body, boxed.
    pub fn stream(body: impl HttpBody<Data = Bytes, Error = BodyError> + Send + 'static) -> Self {
        Self::of(Kind::Stream(Box::pin(body)))
    }

    const fn of(kind: Kind) -> Self {
        Self { kind, exchange: None, tunnel: None }
    }

    /// The body of a request that a connection received.
    pub(crate) fn received(exchange: &Arc<Exchange>, is_empty: bool) -> Self {
        let kind = if is_empty { Kind::Full(None) } else { Kind::Received(Reading(Arc::clone(exchange))) };
        Self { kind, exchange: Some(Arc::clone(exchange)), tunnel: None }
    }

    /// The body of a request whose client wants to switch protocols: empty, but more may follow.
    pub(crate) fn offering_tunnel(exchange: &Arc<Exchange>) -> Self {
        let tunnel = Box::new(Kind::Received(Reading(Arc::clone(exchange))));
        Self { tunnel: Some(tunnel), ..Self::received(exchange, true) }
    }

    /// The body of a request that came on an HTTP/2 stream; `None` when it is empty.
    pub(crate) fn http2(exchange: &Arc<Exchange>, incoming: Option<Incoming>) -> Self {
        let kind = incoming.map_or(Kind::Full(None), Kind::Http2);
        Self { kind, exchange: Some(Arc::clone(exchange)), tunnel: None }
    }

    /// The body of an extended CONNECT (RFC 8441): empty, but what follows on its stream may become a tunnel.
    pub(crate) fn http2_offering_tunnel(exchange: &Arc<Exchange>, incoming: Incoming) -> Self {
        Self { tunnel: Some(Box::new(Kind::Http2(incoming))), ..Self::http2(exchange, None) }
    }

    /// What the client sends after it was answered 101 (HTTP/1.1) or 200 (extended CONNECT), if the client asked to
    /// switch protocols and its connection can. Such an answer makes the connection pass bytes as they are: this body
    /// is one direction, the response's body the other. Until then this body waits; after another answer it ends.
    pub fn take_tunnel(&mut self) -> Option<Self> {
        self.tunnel.take().map(|kind| Self::of(*kind))
    }

    /// Another body in the place of this one, with the same way back to the client.
    #[must_use]
    pub fn replaced_by(self, body: impl HttpBody<Data = Bytes, Error = BodyError> + Send + 'static) -> Self {
        let Self { kind: _, exchange, tunnel } = self;
        Self { kind: Kind::Stream(Box::pin(body)), exchange, tunnel }
    }

    /// What is still to come of this body; this one is empty afterwards and keeps the way back to the client.
    #[must_use]
    pub fn take_stream(&mut self) -> Self {
        Self::of(std::mem::replace(&mut self.kind, Kind::Full(None)))
    }

    /// The way back for interim responses; `None` for a body that no connection received.
    #[must_use]
    pub fn interim(&self) -> Option<InterimSender> {
        self.exchange.clone().map(InterimSender)
    }
}

/// Tells the connection when nobody wants the rest of a body.
struct Reading(Arc<Exchange>);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// Sends interim responses to the client of one request.
#[derive(Debug, Clone)]
pub struct InterimSender(Arc<Exchange>);

impl InterimSender {
    /// Sends `103 Early Hints`, for example (RFC 8297), before the response. Clients of HTTP/1.0 don't get it.
    ///
    /// False when it can't be sent: its status is none from 100 to 199 (or is 101, which is no interim response), or
    /// too many wait to be written.
    pub fn send(&self, status: StatusCode, fields: HeaderMap) -> bool {
        let interim = status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS;
        interim && self.0.send_interim(Interim { status, fields })
    }
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Full(None) => "Empty",
            Self::Full(Some(_)) => "Full",
            Self::Received(_) => "Received",
            Self::Http2(_) => "Http2",
            Self::Stream(_) => "Stream",
        })
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.kind {
            Kind::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Received(reading) => reading.0.poll_piece(cx),
            Kind::Http2(incoming) => incoming.poll_frame(cx),
            Kind::Stream(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Full(bytes) => bytes.is_none(),
            Kind::Received(reading) => reading.0.is_at_end(),
            Kind::Http2(incoming) => incoming.is_at_end(),
            Kind::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Kind::Received(reading) => reading.0.left().map_or_else(SizeHint::new, SizeHint::with_exact),
            Kind::Http2(incoming) => incoming.left().map_or_else(SizeHint::new, SizeHint::with_exact),
            Kind::Stream(body) => body.size_hint(),
        }
    }
}
