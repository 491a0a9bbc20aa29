//! One request on one stream, up to the head of its response.

use super::connection::Slot;
use super::head;
use super::incoming::Http2Body;
use super::outgoing::Outgoing;
use super::pump::{Client, Pump, Stopped};
use crate::upstream::dial;
use crate::upstream::exchange::{CONTINUE_AWAITED_FOR, INTERIM_MAX};
use h2::Reason;
use h2::client::ResponseFuture;
use http::header::{CONTENT_LENGTH, EXPECT, TRAILER};
use http::{HeaderMap, Method, Response, StatusCode, request};
use http_body::Body as _;
use serve::timer::Deadline;
use serve::{Body, BodyError};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// The limits of one request.
#[derive(Debug, Clone, Copy)]
pub(in crate::upstream) struct Limits {
    /// Bytes of its body.
    pub(in crate::upstream) body_bytes_max: u64,
    /// Between two pieces of its body.
    pub(in crate::upstream) progress_timeout: Duration,
    /// Between two pieces that the endpoint takes, and from the last to the head of the response.
    pub(in crate::upstream) response_timeout: Duration,
}

/// Why no response came.
#[derive(Debug, thiserror::Error)]
pub(in crate::upstream) enum Http2Error {
    #[error("{0}")]
    Client(BodyError),
    #[error("no response in time")]
    Timeout,
    #[error("the endpoint takes no more requests: {0}")]
    Refused(h2::Error),
    #[error("the stream ended before the response: {0}")]
    Reset(h2::Error),
    #[error("malformed response: {0}")]
    Malformed(h2::Error),
    #[error("TLS: {0}")]
    Tls(io::Error),
}

/// A request without a response.
pub(in crate::upstream) struct Failed {
    pub(in crate::upstream) error: Http2Error,
    /// The request from its beginning, where that can still be had.
    pub(in crate::upstream) again: Option<Box<(request::Parts, Body)>>,
    /// The endpoint itself says that it has not processed it.
    pub(in crate::upstream) unprocessed: bool,
    /// It may be sent twice, and its connection had been closed without a word.
    pub(in crate::upstream) stale: bool,
    /// Not even an interim response came.
    pub(in crate::upstream) silent: bool,
}

/// Sends a request and waits for the head of the response. Dropped, it resets the stream. `informational` is called
/// with each response before the final one (RFC 9110 section 15.2).
pub(in crate::upstream) async fn send(
    slot: Slot,
    head: request::Parts,
    body: Body,
    limits: Limits,
    client: Client,
    mut informational: impl FnMut(Response<()>),
) -> Result<Response<Http2Body>, Failed> {
    let connection = slot.connection();
    let mut outgoing = Outgoing::new(body, limits.body_bytes_max);
    let bodiless = outgoing.is_end_stream();
    let received = connection.received.bytes();
    let request = head::to_http2(&head, &connection.scheme);
    let (response, stream) = match connection.sender().send_request(request, bodiless) {
        Ok(sent) => sent,
        Err(error) => {
            // The connection has ended and takes no stream: nothing of the request was written.
            let unsent = error.is_io() || error.is_go_away();
            let failed = failed(error, &slot, received, head, outgoing);
            return Err(Failed { unprocessed: failed.unprocessed || unsent, ..failed });
        }
    };
    let expects = !bodiless && head.headers.contains_key(EXPECT);
    let mut waiting = Waiting::new(response, Pump::new(outgoing, stream, bodiless, client), limits, expects);
    let outcome = poll_fn(|cx| waiting.poll(cx, &mut informational)).await;
    let silent = waiting.interim_count == 0;
    let Waiting { mut pump, .. } = waiting;
    match outcome {
        Ok(mut response) => {
            connection.answers();
            pump.forget();
            let pump = (!pump.has_ended()).then_some(pump);
            let mut length = content_length(&head.method, response.status(), response.headers());
            if length.is_some() && response.headers().contains_key(TRAILER) {
                // HTTP/1.1 has no room for a trailer behind a length, and HTTP/2 needs none.
                response.headers_mut().remove(CONTENT_LENGTH);
                length = None;
            }
            Ok(response.map(|stream| Http2Body::new(stream, length, slot, pump)))
        }
        Err(Lost::Stream(error)) => {
            outgoing = pump.into_outgoing();
            Err(Failed { silent, ..failed(error, &slot, received, head, outgoing) })
        }
        Err(Lost::Client(error)) => Err(Http2Error::Client(error).into()),
        Err(Lost::TooLate) => {
            if connection.received.bytes() == received {
                // Not even for another request, nor a window update: most likely nobody is there.
                connection.retire();
            }
            let again = pump.into_outgoing().again().map(|body| Box::new((head, body)));
            Err(Failed { again, silent, ..Http2Error::Timeout.into() })
        }
    }
}

impl From<Http2Error> for Failed {
    fn from(error: Http2Error) -> Self {
        Self { error, again: None, unprocessed: false, stale: false, silent: true }
    }
}

fn failed(error: h2::Error, slot: &Slot, received_bytes: u64, head: request::Parts, outgoing: Outgoing) -> Failed {
    let connection = slot.connection();
    let refused = error.is_reset() && error.is_remote() && error.reason() == Some(Reason::REFUSED_STREAM);
    if refused {
        connection.was_refused();
    }
    // What the endpoint says it has not processed may be sent again whatever its method (RFC 9113 section 8.7). A
    // stream ends with the peer's GOAWAY only when its number is above the last one that the peer will process.
    let left_out = error.is_go_away() && error.is_remote();
    // The endpoint has closed a connection at the moment of its next use, without a word. As over HTTP/1.1, only
    // what may be sent twice is sent again (RFC 9110 section 9.2.2).
    let stale = error.is_io()
        && connection.has_answered()
        && connection.received.bytes() == received_bytes
        && head.method.is_idempotent()
        && outgoing.bytes() == 0;
    let again = outgoing.again().map(|body| Box::new((head, body)));
    let error = match error {
        error if refused => Http2Error::Refused(error),
        error if !error.is_remote() && error.reason().is_some() => Http2Error::Malformed(error),
        error => dial::tls_failure_in(&error).map_or_else(|| Http2Error::Reset(error), Http2Error::Tls),
    };
    Failed { error, again, unprocessed: refused || left_out, stale, silent: true }
}

/// What the body's length will be, as far as it is known.
fn content_length(method: &Method, status: StatusCode, headers: &HeaderMap) -> Option<u64> {
    // The length says what a GET, or a response without condition, would bring (RFC 9110 section 8.6).
    if method == Method::HEAD || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return None;
    }
    // h2 has refused what is no number.
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

enum Lost {
    Stream(h2::Error),
    Client(BodyError),
    TooLate,
}

/// A request on its way: its body moves, its response is awaited, and somebody has so much time.
struct Waiting {
    response: ResponseFuture,
    pump: Pump,
    limits: Limits,
    deadline: Deadline,
    turn: Option<Turn>,
    seen_bytes: u64,
    /// The client's body waits for the endpoint to ask for it, until then.
    continued: Option<Deadline>,
    interim_count: u32,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    ClientSends,
    EndpointTakes,
    EndpointThinks,
}

impl Waiting {
    fn new(response: ResponseFuture, pump: Pump, limits: Limits, expects: bool) -> Self {
        let deadline = Deadline::after(limits.response_timeout);
        let continued = expects.then(|| Deadline::after(CONTINUE_AWAITED_FOR));
        Self { response, pump, limits, deadline, turn: None, seen_bytes: 0, continued, interim_count: 0 }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        informational: &mut impl FnMut(Response<()>),
    ) -> Poll<Result<Response<h2::RecvStream>, Lost>> {
        if self.continued.as_ref().is_some_and(|limit| limit.poll(cx).is_ready()) {
            self.continued = None;
        }
        // The body first: a response may be complete before a body that is at hand has been looked at.
        self.send(cx)?;
        while let Poll::Ready(Some(response)) = self.response.poll_informational(cx) {
            let response = response.map_err(Lost::Stream)?;
            self.interim_count += 1;
            // HTTP/2 has no 101 (RFC 9113 section 8.6).
            if response.status() == StatusCode::SWITCHING_PROTOCOLS || self.interim_count > INTERIM_MAX {
                return Poll::Ready(Err(Lost::Stream(Reason::PROTOCOL_ERROR.into())));
            }
            // The 100 is between this stream's ends: our server says its own when the body is asked for.
            if response.status() != StatusCode::CONTINUE {
                informational(response);
            } else if self.continued.take().is_some() {
                self.send(cx)?;
            }
        }
        if let Poll::Ready(outcome) = Pin::new(&mut self.response).poll(cx) {
            return Poll::Ready(outcome.map_err(Lost::Stream));
        }
        self.poll_patience(cx)
    }

    /// Sends what the client has sent.
    fn send(&mut self, cx: &mut Context<'_>) -> Result<(), Lost> {
        if self.continued.is_some() || self.pump.has_ended() {
            return Ok(());
        }
        match self.pump.poll(cx) {
            Poll::Ready(Err(Stopped::Client(error))) => Err(Lost::Client(error)),
            Poll::Ready(Ok(()) | Err(Stopped::Endpoint)) | Poll::Pending => Ok(()),
        }
    }

    /// Every change of turn and every piece that moves begins a new term.
    fn poll_patience<T>(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, Lost>> {
        let turn = if self.pump.has_ended() {
            Turn::EndpointThinks
        } else if self.pump.waits_for_client() {
            Turn::ClientSends
        } else {
            Turn::EndpointTakes
        };
        let bytes = self.pump.bytes();
        if self.turn.replace(turn) != Some(turn) || std::mem::replace(&mut self.seen_bytes, bytes) != bytes {
            self.deadline.set(match turn {
                Turn::ClientSends => self.limits.progress_timeout,
                Turn::EndpointTakes | Turn::EndpointThinks => self.limits.response_timeout,
            });
        }
        self.deadline.poll(cx).map(|()| {
            Err(match turn {
                Turn::ClientSends => Lost::Client(BodyError::TooSlow),
                Turn::EndpointTakes | Turn::EndpointThinks => Lost::TooLate,
            })
        })
    }
}
