//! A response on its way out: head, pieces of the body as far as the client's windows are open, trailer.
//!
//! A piece is handed to `h2` only as far as there is room for it in the windows. So `h2` never waits for a client with
//! our bytes in its hands, and a client that keeps a window shut is noticed here.

use super::call::{Call, Ended, Shared, remove_connection_fields};
use crate::counters::Protection;
use crate::date::with_date;
use crate::timer::Deadline;
use bytes::Bytes;
use h2::{Reason, SendStream};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header, response};
use http_body::Body as HttpBody;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The body of a response.
pub(super) struct Outgoing {
    send: SendStream<Bytes>,
    /// Bytes that the head announced and the body has not given yet.
    left: Option<u64>,
    /// The body said that nothing follows.
    body_ended: bool,
    /// What is being sent.
    piece: Bytes,
    /// What comes behind it, when that is known: the last frame of a stream says that it is the last.
    next: Option<Next>,
    /// Since when the windows have been shut.
    stalled: Option<Deadline>,
}

/// What a body gives.
enum Next {
    Piece(Bytes),
    Trailer(HeaderMap),
    End,
    /// It broke off, or is not as long as its head said.
    Broken,
}

impl Outgoing {
    /// Sends the head, and decides about the body.
    ///
    /// # Errors
    /// When that was all.
    pub(super) fn begin<B: HttpBody>(call: &mut Call<'_>, mut head: response::Parts, body: &B) -> Result<Self, Ended> {
        let status = head.status;
        if status.is_informational() {
            return Err(call.reset(Reason::INTERNAL_ERROR));
        }
        let fields = &mut head.headers;
        remove_connection_fields(fields);
        let switches = call.offers_tunnel && status.is_success();
        if switches {
            call.exchange.switched();
        } else if call.offers_tunnel {
            call.exchange.supply(None);
        }
        // RFC 9110 sections 8.6 and 9.3.6.
        if switches || status == StatusCode::NO_CONTENT {
            fields.remove(header::CONTENT_LENGTH);
        }
        let bodiless = call.is_head || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
        let given = fields.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        let ends = !switches && (bodiless || given == Some(0) || body.is_end_stream());
        if ends && !bodiless && given.is_some_and(|given| given > 0) {
            // Announced, and not there.
            return Err(call.reset(Reason::INTERNAL_ERROR));
        }
        let mut left = given;
        if given.is_none() && !switches && status != StatusCode::NO_CONTENT {
            left = body.size_hint().exact();
            // The length of an empty body is made up only where one was asked for (RFC 9110 section 8.6).
            if let Some(exact) = left.filter(|&exact| if bodiless { exact > 0 } else { exact > 0 || ends }) {
                fields.insert(header::CONTENT_LENGTH, HeaderValue::from(exact));
            }
        }
        if !fields.contains_key(header::DATE) {
            fields.insert(header::DATE, with_date(HeaderValue::clone));
        }
        match call.respond.send_response(Response::from_parts(head, ()), ends) {
            Ok(_) if ends => Err(Ended::Answered),
            Ok(send) => {
                let piece = Bytes::new();
                Ok(Self { send, left: left.filter(|_| !switches), body_ended: false, piece, next: None, stalled: None })
            }
            Err(error) => {
                tracing::debug!(%error, "response not sent");
                Err(call.reset(Reason::INTERNAL_ERROR))
            }
        }
    }

    /// Sends the body.
    pub(super) fn poll<B>(&mut self, cx: &mut Context<'_>, mut body: Pin<&mut B>, shared: &Shared<'_>) -> Poll<Ended>
    where
        B: HttpBody<Data = Bytes>,
    {
        loop {
            if self.piece.is_empty() {
                let next = match self.next.take() {
                    Some(next) => next,
                    None => match self.poll_next(cx, body.as_mut()) {
                        Poll::Ready(next) => next,
                        Poll::Pending => return self.send.poll_reset(cx).map(|_| Ended::Reset),
                    },
                };
                match next {
                    Next::Piece(piece) => self.piece = piece,
                    Next::Trailer(mut fields) => {
                        remove_connection_fields(&mut fields);
                        let sent = self.send.send_trailers(fields);
                        return Poll::Ready(self.last(sent));
                    }
                    Next::End => {
                        let sent = self.send.send_data(Bytes::new(), true);
                        return Poll::Ready(self.last(sent));
                    }
                    Next::Broken => {
                        self.send.send_reset(Reason::INTERNAL_ERROR);
                        return Poll::Ready(Ended::Reset);
                    }
                }
            }
            let Some(room) = ready!(self.poll_room(cx, shared)) else { return Poll::Ready(Ended::Reset) };
            if room >= self.piece.len() && self.next.is_none() {
                self.next = match self.poll_next(cx, body.as_mut()) {
                    Poll::Ready(next) => Some(next),
                    Poll::Pending => None,
                };
            }
            let piece = self.piece.split_to(room.min(self.piece.len()));
            let is_last = self.piece.is_empty() && matches!(self.next, Some(Next::End));
            let sent = self.send.send_data(piece, is_last);
            if is_last || sent.is_err() {
                return Poll::Ready(self.last(sent));
            }
        }
    }

    /// Nothing more is sent.
    fn last(&mut self, sent: Result<(), h2::Error>) -> Ended {
        match sent {
            Ok(()) => Ended::Answered,
            Err(error) => {
                // Usually the client has reset the stream.
                tracing::debug!(%error, "response broke off");
                self.send.send_reset(Reason::INTERNAL_ERROR);
                Ended::Reset
            }
        }
    }

    fn poll_next<B>(&mut self, cx: &mut Context<'_>, mut body: Pin<&mut B>) -> Poll<Next>
    where
        B: HttpBody<Data = Bytes>,
    {
        let is_whole = |left: Option<u64>, next| if left.is_none_or(|left| left == 0) { next } else { Next::Broken };
        while !self.body_ended {
            let Some(frame) = ready!(body.as_mut().poll_frame(cx)) else { break };
            let Ok(frame) = frame else { return Poll::Ready(Next::Broken) };
            match frame.into_data() {
                Ok(data) => {
                    self.body_ended = body.is_end_stream();
                    if let Some(left) = &mut self.left {
                        let Some(rest) = left.checked_sub(data.len() as u64) else {
                            return Poll::Ready(Next::Broken);
                        };
                        *left = rest;
                    }
                    if !data.is_empty() {
                        return Poll::Ready(Next::Piece(data));
                    }
                }
                Err(frame) => {
                    self.body_ended = true;
                    if let Ok(fields) = frame.into_trailers() {
                        return Poll::Ready(is_whole(self.left, Next::Trailer(fields)));
                    }
                }
            }
        }
        self.body_ended = true;
        Poll::Ready(is_whole(self.left, Next::End))
    }

    /// Waits until there is room in the windows for some of the piece. `None` when the stream was reset, by the client
    /// or because it gave no room for too long.
    fn poll_room(&mut self, cx: &mut Context<'_>, shared: &Shared<'_>) -> Poll<Option<usize>> {
        self.send.reserve_capacity(self.piece.len());
        let mut room = self.send.capacity();
        while room == 0 {
            match self.send.poll_capacity(cx) {
                Poll::Ready(Some(Ok(capacity))) => room = capacity,
                Poll::Ready(_) => return Poll::Ready(None),
                Poll::Pending => return self.poll_stalled(cx, shared).map(|()| None),
            }
        }
        self.stalled = None;
        Poll::Ready(Some(room))
    }

    fn poll_stalled(&mut self, cx: &mut Context<'_>, shared: &Shared<'_>) -> Poll<()> {
        let limit = shared.limits.send_timeout;
        let deadline = self.stalled.get_or_insert_with(|| Deadline::after(limit));
        ready!(deadline.poll(cx));
        if shared.wire.borrow().is_blocked() {
            // The socket is what waits: that is the connection's matter.
            deadline.set(limit);
            return deadline.poll(cx);
        }
        shared.note(Protection::WindowStall);
        shared.wire.borrow_mut().meter.stalled();
        self.send.send_reset(Reason::CANCEL);
        Poll::Ready(())
    }
}
