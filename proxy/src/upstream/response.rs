//! The body of an upstream's response, however it comes.

use super::body::{Http1Body, Lease};
use super::connection::RESPONSE_LIMITS;
use super::tunnel::Tunnel;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use serve::BodyError;
use serve::http1::{Framing, Incoming, Piece};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The body of an upstream's response. Dropping it before its end tells the application that nobody waits any more.
pub struct UpstreamBody(Kind);

enum Kind {
    /// It came together with its head, so that its connection is free already; or nothing is left of it.
    Whole(Option<Bytes>),
    Http1(Http1Body),
    /// Boxed: it is larger than the others and rare.
    Tunnel(Box<Tunnel>),
}

impl UpstreamBody {
    /// A body framed like this; its connection goes back to its endpoint at its end.
    pub(super) fn http1(framing: Framing, mut lease: Lease) -> Self {
        let mut incoming = Incoming::new(framing);
        let at_hand = lease.connection.buffer.len() as u64;
        if incoming.left().is_none_or(|left| left > at_hand) {
            return Self(Kind::Http1(Http1Body::new(incoming, lease)));
        }
        let whole = match incoming.next(&mut lease.connection.buffer, RESPONSE_LIMITS) {
            Ok(Piece::Data(data)) => Some(data),
            Ok(Piece::End(_) | Piece::Starved) | Err(_) => None,
        };
        lease.end();
        Self(Kind::Whole(whole))
    }

    /// Whether this is one direction of a tunnel, which lasts as long as its ends like.
    #[must_use]
    pub const fn is_tunnel(&self) -> bool {
        matches!(self.0, Kind::Tunnel(_))
    }
}

impl From<Tunnel> for UpstreamBody {
    fn from(tunnel: Tunnel) -> Self {
        Self(Kind::Tunnel(Box::new(tunnel)))
    }
}

impl HttpBody for UpstreamBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        match &mut this.0 {
            Kind::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Http1(body) => body.poll_frame(cx),
            Kind::Tunnel(tunnel) => {
                let polled = tunnel.poll_frame(cx);
                if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
                    this.0 = Kind::Whole(None);
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(bytes) => bytes.is_none(),
            Kind::Http1(body) => body.has_ended(),
            Kind::Tunnel(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Kind::Http1(body) => body.left().map_or_else(SizeHint::new, SizeHint::with_exact),
            Kind::Tunnel(_) => SizeHint::new(),
        }
    }
}
