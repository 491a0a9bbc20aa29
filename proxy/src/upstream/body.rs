//! A response's body on its way from an HTTP/1.1 endpoint; polling it drives the connection under it.

use super::connection::{Connection, RESPONSE_LIMITS};
use super::endpoint::Counted;
use super::upload::Upload;
use bytes::{Bytes, BytesMut};
use http_body::Frame;
use serve::BodyError;
use serve::http1::{Incoming, Piece};
use serve::timer::Deadline;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// The body of a response that is not at hand as a whole. Dropped before its end, it closes the connection, which
/// tells the application that nobody waits any more; at its end the connection goes back to its endpoint.
pub(super) struct Http1Body {
    incoming: Incoming,
    lease: Option<Lease>,
}

/// What a response's body holds on to until its end.
pub(super) struct Lease {
    pub(super) connection: Box<Connection>,
    pub(super) counted: Counted,
    pub(super) idle_max: usize,
    /// The response allows another request behind it.
    pub(super) keep_alive: bool,
    /// What of the request is still to be sent: an answer may come early.
    pub(super) rest: Option<Box<Rest>>,
}

/// The rest of a request that has been answered. It may take as long as bytes move.
pub(super) struct Rest {
    upload: Box<Upload>,
    progress_timeout: Duration,
    deadline: Deadline,
    /// What changes when bytes move: those taken from the client, and those that wait for the endpoint.
    progress: (u64, usize),
}

impl Rest {
    pub(super) fn new(upload: Box<Upload>, progress_timeout: Duration) -> Self {
        Self { upload, progress_timeout, deadline: Deadline::after(progress_timeout), progress: (0, 0) }
    }

    /// Ready when nothing has moved for too long. `waiting`: bytes that wait for the endpoint.
    fn poll_late(&mut self, cx: &mut Context<'_>, waiting: usize) -> Poll<()> {
        let progress = (self.upload.taken_bytes, waiting);
        if self.progress != progress {
            self.progress = progress;
            self.deadline.set(self.progress_timeout);
        }
        self.deadline.poll(cx)
    }
}

impl Lease {
    /// The response has ended. Nobody would send the rest of the request on an idle connection, and the client would
    /// wait: dropping both lets go of the client's body.
    pub(super) fn end(self) {
        let Self { mut connection, counted, idle_max, keep_alive, rest } = self;
        if keep_alive && rest.is_none() && connection.is_quiet() {
            // Even an empty part of a shared block would keep all of it.
            connection.buffer = BytesMut::new();
            counted.endpoint().give_back(connection, idle_max);
        }
    }

    /// Goes on sending the request. Ready when the rest of it was given up because nothing moved.
    fn send_on(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, BodyError> {
        loop {
            let more = match &mut self.rest {
                Some(rest) => {
                    let upload = &mut rest.upload;
                    upload.poll_gather(cx, &mut self.connection.out)?.is_ready() && !upload.is_done()
                }
                None => false,
            };
            match self.connection.poll_send(cx) {
                Poll::Ready(Ok(())) if more => {}
                Poll::Ready(Ok(())) => {
                    self.rest.take_if(|rest| rest.upload.is_done());
                    break;
                }
                Poll::Pending => break,
                Poll::Ready(Err(_)) => {
                    // It has answered without reading all of it, and may do so.
                    self.connection.stop_sending();
                    self.rest = None;
                    return Ok(Poll::Pending);
                }
            }
        }
        let waiting = self.connection.out.bytes();
        let given_up = self.rest.as_mut().is_some_and(|rest| rest.poll_late(cx, waiting).is_ready());
        if !given_up {
            return Ok(Poll::Pending);
        }
        self.rest = None;
        self.connection.stop_sending();
        // It sees that the request breaks off. What a full socket does not take now is not worth a wait.
        let _ = self.connection.poll_shutdown(cx);
        Ok(Poll::Ready(()))
    }
}

impl Http1Body {
    pub(super) const fn new(incoming: Incoming, lease: Lease) -> Self {
        Self { incoming, lease: Some(lease) }
    }

    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = self.poll_piece(cx);
        match &polled {
            Poll::Ready(Ok(Piece::Data(_) | Piece::End(_))) if self.incoming.has_ended() => {
                if let Some(lease) = self.lease.take() {
                    lease.end();
                }
            }
            Poll::Ready(Ok(Piece::End(_)) | Err(_)) => self.lease = None,
            _ => {}
        }
        polled.map(|piece| match piece {
            Ok(Piece::Data(data)) => Some(Ok(Frame::data(data))),
            Ok(Piece::End(trailer)) => trailer.map(|fields| Ok(Frame::trailers(fields))),
            Ok(Piece::Starved) => None,
            Err(error) => Some(Err(error)),
        })
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, BodyError>> {
        let Some(lease) = &mut self.lease else { return Poll::Ready(Ok(Piece::End(None))) };
        if (lease.rest.is_some() || !lease.connection.out.is_empty())
            && lease.send_on(cx)?.is_ready()
            && self.incoming.may_end_here()
        {
            // The endpoint may close now, and then half a response would look like a whole one.
            return Poll::Ready(Err(BodyError::TooSlow));
        }
        loop {
            match self.incoming.next(&mut lease.connection.buffer, RESPONSE_LIMITS) {
                Ok(Piece::Starved) => {}
                Ok(piece) => return Poll::Ready(Ok(piece)),
                Err(_) => return Poll::Ready(Err(BodyError::Upstream)),
            }
            match ready!(lease.connection.poll_fill(cx, self.incoming.left())) {
                Ok(0) if self.incoming.may_end_here() => return Poll::Ready(Ok(Piece::End(None))),
                Ok(0) | Err(_) => return Poll::Ready(Err(BodyError::Upstream)),
                Ok(_) => {}
            }
        }
    }

    /// Whether nothing is left to be read.
    pub(super) const fn has_ended(&self) -> bool {
        self.lease.is_none()
    }

    /// Bytes that are still to come, where they are known.
    pub(super) const fn left(&self) -> Option<u64> {
        if self.has_ended() { Some(0) } else { self.incoming.left() }
    }
}
