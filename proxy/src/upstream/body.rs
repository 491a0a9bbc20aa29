//! A response's body on its way from an endpoint over HTTP/1.1; polling it drives the connection under it.

use super::connection::Connection;
use super::endpoint::Counted;
use super::upload::Progress;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use serve::BodyError;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// The body of an HTTP/1.1 response. Dropping it before its end closes the connection, which tells the application
/// that nobody waits any more; at its end the connection goes back to its endpoint.
pub(super) struct Http1Body {
    incoming: Option<Incoming>,
    lease: Option<Lease>,
}

/// What a response's body holds on to until its end.
pub(super) struct Lease {
    pub(super) connection: Connection,
    pub(super) counted: Counted,
    pub(super) idle_max: usize,
    pub(super) upload: Rc<Progress>,
}

impl Http1Body {
    pub(super) fn new(incoming: Incoming, lease: Lease) -> Self {
        let mut body = Self { incoming: Some(incoming), lease: Some(lease) };
        body.give_back_at_end();
        body
    }

    fn give_back_at_end(&mut self) {
        if self.incoming.as_ref().is_some_and(HttpBody::is_end_stream) {
            self.give_back();
        }
    }

    fn give_back(&mut self) {
        if let Some(Lease { connection, counted, idle_max, upload }) = self.lease.take() {
            // An answer may come before the request has been sent. Nobody would poll the rest of the upload on an idle
            // connection, and the client would wait: dropping both lets go of the client's body.
            if upload.ended.get() {
                // Whether it can be used again shows when it is taken: hyper needs a turn to finish.
                counted.endpoint().give_back(connection, idle_max);
            }
        }
    }
}

impl HttpBody for Http1Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let Some(incoming) = &mut this.incoming else { return Poll::Ready(None) };
        let mut polled = Pin::new(&mut *incoming).poll_frame(cx);
        if polled.is_pending()
            && let Some(lease) = &mut this.lease
        {
            // Asking told the connection that a piece is wanted; now it reads one, and the second look finds it.
            lease.connection.poll_alive(cx);
            polled = Pin::new(incoming).poll_frame(cx);
        }
        match &polled {
            // hyper does not ask again behind trailers.
            Poll::Ready(Some(Ok(frame))) if frame.is_trailers() => this.give_back(),
            Poll::Ready(Some(Ok(_))) => this.give_back_at_end(),
            Poll::Ready(Some(Err(_))) => this.lease = None,
            Poll::Ready(None) => this.give_back(),
            Poll::Pending => {}
        }
        polled.map_err(|_| BodyError::Upstream)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}
