//! The body of a request as it comes in on a stream.
//!
//! It is read straight from `h2`, by whoever reads it, on whatever task that runs. A piece's window is given back when
//! the piece is taken, so that a client can send no further ahead than the window of a stream.

use crate::body_error::BodyError;
use crate::exchange::{Exchange, Interim};
use bytes::Bytes;
use h2::RecvStream;
use http::{HeaderMap, StatusCode};
use http_body::Frame;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// A body, or what follows a switch of protocols.
#[derive(Debug)]
pub(crate) struct Incoming {
    stream: RecvStream,
    /// Bytes still to come, when that was announced; `h2` holds the client to it.
    left: Option<u64>,
    before: Before,
}

/// What comes before the first piece.
#[derive(Debug)]
enum Before {
    Nothing,
    /// The client waits to be asked (RFC 9110 section 10.1.1).
    Continue(Arc<Exchange>),
    /// The service has to say yes (RFC 8441 section 5).
    Switch(Arc<Exchange>),
}

impl Incoming {
    pub(super) const fn new(stream: RecvStream, left: Option<u64>) -> Self {
        Self { stream, left, before: Before::Nothing }
    }

    /// Asks the client for the body once somebody wants it.
    pub(super) fn after_continue(self, exchange: &Arc<Exchange>) -> Self {
        Self { before: Before::Continue(Arc::clone(exchange)), ..self }
    }

    /// Begins when the service has switched protocols; ends at once if it does not.
    pub(super) fn after_switch(self, exchange: &Arc<Exchange>) -> Self {
        Self { before: Before::Switch(Arc::clone(exchange)), ..self }
    }

    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Before::Switch(exchange) = &self.before {
            if !ready!(exchange.poll_switched(cx)) {
                return Poll::Ready(None);
            }
            self.before = Before::Nothing;
        }
        loop {
            let data = match self.stream.poll_data(cx) {
                Poll::Pending => {
                    if let Before::Continue(exchange) = std::mem::replace(&mut self.before, Before::Nothing) {
                        exchange.send_interim(Interim { status: StatusCode::CONTINUE, fields: HeaderMap::new() });
                    }
                    return Poll::Pending;
                }
                Poll::Ready(None) => break,
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(why(&error)))),
                Poll::Ready(Some(Ok(data))) => data,
            };
            // A stream may end in a frame without data.
            if !data.is_empty() {
                self.left = self.left.map(|left| left.saturating_sub(data.len() as u64));
                // Fails only for more than was received.
                let _ = self.stream.flow_control().release_capacity(data.len());
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
        }
        let trailer = ready!(self.stream.poll_trailers(cx));
        Poll::Ready(trailer.map_err(|error| why(&error)).transpose().map(|trailer| trailer.map(Frame::trailers)))
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.stream.is_end_stream()
    }

    pub(crate) const fn left(&self) -> Option<u64> {
        self.left
    }
}

fn why(error: &h2::Error) -> BodyError {
    if error.is_library() && error.is_reset() {
        BodyError::Malformed("its frames break the rules of HTTP/2, or its length is not the announced one")
    } else {
        BodyError::Disconnected
    }
}
