//! Moves a request's body into its stream, as fast as the endpoint's windows allow and no faster.

use super::outgoing::Outgoing;
use crate::upstream::trailer;
use bytes::Bytes;
use h2::{Reason, SendStream};
use http::HeaderName;
use http_body::{Body as HttpBody, Frame};
use serve::BodyError;
use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// A body and the stream that it goes into. Dropped before its end, it resets the stream.
pub(super) struct Pump {
    outgoing: Outgoing,
    stream: SendStream<Bytes>,
    /// Taken from the body and not yet given to the stream.
    rest: Bytes,
    waits_for_client: bool,
    ended: bool,
    client: Client,
}

/// What matters of whoever sends the body.
pub(in crate::upstream) struct Client {
    /// Told the bytes taken from it.
    pub(in crate::upstream) counter: Option<Rc<Cell<u64>>>,
    /// Fields that it must not send.
    pub(in crate::upstream) identity_headers: Rc<[HeaderName]>,
}

/// Why a body does not reach its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stopped {
    /// It broke off, or is too large.
    Client(BodyError),
    /// The endpoint wants no more of it. Its response says why.
    Endpoint,
}

impl Pump {
    /// `ended`: the head said already that there is no body.
    pub(super) fn new(outgoing: Outgoing, stream: SendStream<Bytes>, ended: bool, client: Client) -> Self {
        Self { outgoing, stream, rest: Bytes::new(), waits_for_client: false, ended, client }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether the last poll had to wait for the client.
    pub(super) fn waits_for_client(&self) -> bool {
        self.waits_for_client
    }

    /// Bytes taken from the client.
    pub(super) fn bytes(&self) -> u64 {
        self.outgoing.bytes()
    }

    /// The body, to be sent elsewhere.
    pub(super) fn into_outgoing(self) -> Outgoing {
        self.outgoing
    }

    /// The response has begun: the request is in the endpoint's hands.
    pub(super) fn forget(&mut self) {
        self.outgoing.forget();
    }

    /// Sends what can be sent; ready when the whole body has been given to the stream.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stopped>> {
        let polled = self.poll_to_end(cx);
        if let Some(counter) = &self.client.counter {
            counter.set(self.outgoing.bytes());
        }
        match polled {
            Poll::Pending => {}
            Poll::Ready(Ok(()) | Err(Stopped::Endpoint)) => self.ended = true,
            // The endpoint must not take half a body for a whole one.
            Poll::Ready(Err(Stopped::Client(_))) => self.stream.send_reset(Reason::CANCEL),
        }
        polled
    }

    fn poll_to_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stopped>> {
        while !self.ended {
            if !self.rest.is_empty() {
                ready!(self.poll_rest(cx))?;
                continue;
            }
            let polled = Pin::new(&mut self.outgoing).poll_frame(cx);
            self.waits_for_client = polled.is_pending();
            let Poll::Ready(frame) = polled else {
                // While the client says nothing, the endpoint may lose interest.
                let lost = self.stream.poll_reset(cx).is_ready();
                return if lost { Poll::Ready(Err(Stopped::Endpoint)) } else { Poll::Pending };
            };
            let frame = frame.transpose().map_err(Stopped::Client)?;
            match frame.map(Frame::into_data) {
                Some(Ok(data)) if data.is_empty() && !self.outgoing.is_end_stream() => {}
                Some(Ok(data)) if data.is_empty() => self.send(Bytes::new(), true)?,
                Some(Ok(data)) => self.rest = data,
                Some(Err(frame)) => {
                    let mut trailers = frame.into_trailers().unwrap_or_default();
                    trailer::cleanse(&mut trailers, &self.client.identity_headers);
                    self.stream.send_trailers(trailers).map_err(|_| Stopped::Endpoint)?;
                    self.ended = true;
                }
                None => self.send(Bytes::new(), true)?,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Gives the stream as much of `rest` as fits the windows, at least one byte.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stopped>> {
        self.waits_for_client = false;
        self.stream.reserve_capacity(self.rest.len());
        while self.stream.capacity() == 0 {
            match ready!(self.stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(Err(Stopped::Endpoint)),
            }
        }
        let piece = self.rest.split_to(self.stream.capacity().min(self.rest.len()));
        let ends = self.rest.is_empty() && self.outgoing.is_end_stream();
        Poll::Ready(self.send(piece, ends))
    }

    fn send(&mut self, data: Bytes, ends: bool) -> Result<(), Stopped> {
        self.stream.send_data(data, ends).map_err(|_| Stopped::Endpoint)?;
        self.ended = ends;
        Ok(())
    }
}
