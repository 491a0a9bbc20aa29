//! The body of an upstream's response, over whichever protocol it comes.

use super::body::Http1Body;
use super::endpoint::Counted;
use super::http2::Http2Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use serve::BodyError;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The body of an upstream's response. Dropping it before its end tells the application that nobody waits any more: by
/// the end of the connection (HTTP/1.1), or of the stream (HTTP/2).
pub struct UpstreamBody(Kind);

enum Kind {
    Empty,
    Http1(Http1Body),
    /// Boxed: it is several times as large as the other, and every answer of the proxy has room for either.
    Http2(Box<Http2Body>, Option<Counted>),
}

impl UpstreamBody {
    /// No body and no connection.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Kind::Empty)
    }

    /// In flight until its end.
    pub(super) fn http2(body: Http2Body, counted: Counted) -> Self {
        if body.is_end_stream() { Self::empty() } else { Self(Kind::Http2(Box::new(body), Some(counted))) }
    }
}

impl From<Http1Body> for UpstreamBody {
    fn from(body: Http1Body) -> Self {
        Self(Kind::Http1(body))
    }
}

impl HttpBody for UpstreamBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.get_mut().0 {
            Kind::Empty => Poll::Ready(None),
            Kind::Http1(body) => Pin::new(body).poll_frame(cx),
            Kind::Http2(body, counted) => {
                let polled = Pin::new(&mut **body).poll_frame(cx);
                if body.is_end_stream() {
                    *counted = None;
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Empty => true,
            Kind::Http1(body) => body.is_end_stream(),
            Kind::Http2(body, _) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Http1(body) => body.size_hint(),
            Kind::Http2(body, _) => body.size_hint(),
        }
    }
}
