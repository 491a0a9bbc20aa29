//! A connection after its endpoint switched protocols (RFC 9110 section 7.8): bytes both ways until an end.

use super::connection::Connection;
use super::endpoint::Counted;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use serve::timer::Deadline;
use serve::{Body, BodyError};
use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// What the endpoint sends; polling it moves what the client sends too. It ends with the endpoint's direction, as soon
/// as what the client had sent by then has left: its own end reaches the client by the end of this. The client's
/// direction may end before it.
pub(super) struct Tunnel {
    connection: Box<Connection>,
    client: Body,
    upward: Upward,
    /// The endpoint has ended its direction.
    ended: bool,
    /// The client was asked once more since then.
    asked: bool,
    /// Bytes that the client sent.
    counter: Rc<Cell<u64>>,
    idle: Deadline,
    idle_timeout: Duration,
    /// It is in flight as long as it lives.
    _counted: Counted,
}

/// The client's direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upward {
    Open,
    /// The client has ended it; the endpoint is still to be told.
    Ending,
    Ended,
}

impl Tunnel {
    pub(super) fn new(connection: Box<Connection>, client: Body, counted: Counted, idle_timeout: Duration) -> Self {
        let idle = Deadline::after(idle_timeout);
        Self {
            connection,
            client,
            upward: Upward::Open,
            ended: false,
            asked: false,
            counter: Rc::default(),
            idle,
            idle_timeout,
            _counted: counted,
        }
    }

    /// Counts the bytes that the client sends.
    pub(super) fn counter(&self) -> Rc<Cell<u64>> {
        Rc::clone(&self.counter)
    }

    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let before = self.counter.get();
        if let Err(error) = self.move_upward(cx) {
            return Poll::Ready(Some(Err(error)));
        }
        let moved = self.counter.get() > before;
        if self.connection.buffer.is_empty() && !self.ended {
            match self.connection.poll_fill_any(cx) {
                Poll::Ready(Ok(0)) => self.ended = true,
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Some(Err(BodyError::Upstream))),
                Poll::Pending => return self.idle.poll(cx).map(|()| Some(Err(BodyError::TooSlow))),
            }
        }
        if self.ended {
            return self.poll_end(cx, moved);
        }
        self.idle.set(self.idle_timeout);
        Poll::Ready(Some(Ok(Frame::data(self.connection.buffer.split().freeze()))))
    }

    /// Ready when nothing is left of what the client had sent: to learn that, it is asked until it has nothing at hand.
    fn poll_end(&mut self, cx: &mut Context<'_>, moved: bool) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.upward == Upward::Ended || (self.asked && !moved && self.connection.out.is_empty()) {
            return Poll::Ready(None);
        }
        if moved || !self.asked {
            self.asked = true;
            cx.waker().wake_by_ref();
        }
        self.idle.poll(cx).map(|()| Some(Err(BodyError::TooSlow)))
    }

    fn move_upward(&mut self, cx: &mut Context<'_>) -> Result<(), BodyError> {
        while self.upward != Upward::Ended {
            let mut waits = false;
            while self.upward == Upward::Open && !self.connection.out.is_full() && !waits {
                match Pin::new(&mut self.client).poll_frame(cx)? {
                    Poll::Ready(Some(frame)) => {
                        self.idle.set(self.idle_timeout);
                        let data = frame.into_data().unwrap_or_default();
                        self.counter.set(self.counter.get() + data.len() as u64);
                        self.connection.out.data(data);
                    }
                    Poll::Ready(None) => self.upward = Upward::Ending,
                    Poll::Pending => waits = true,
                }
            }
            match self.connection.poll_send(cx) {
                Poll::Ready(Ok(())) if self.upward == Upward::Ending => match self.connection.poll_shutdown(cx) {
                    Poll::Ready(_) => self.upward = Upward::Ended,
                    Poll::Pending => return Ok(()),
                },
                Poll::Ready(Ok(())) if waits => return Ok(()),
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => {
                    // What it has sent before is still worth reading.
                    self.connection.stop_sending();
                    self.upward = Upward::Ended;
                }
                Poll::Pending => return Ok(()),
            }
        }
        Ok(())
    }
}
