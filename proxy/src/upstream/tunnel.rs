//! A connection after its endpoint switched protocols (RFC 9110 section 7.8): bytes both ways until an end.

use super::connection::Connection;
use super::endpoint::Counted;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use serve::timer::Deadline;
use serve::{Body, BodyError};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// What the endpoint sends; polling it moves what the client sends too. It ends with the endpoint's direction: the
/// client's may end before it.
pub(super) struct Tunnel {
    connection: Box<Connection>,
    client: Body,
    upward: Upward,
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
        Self { connection, client, upward: Upward::Open, idle, idle_timeout, _counted: counted }
    }

    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Err(error) = self.move_upward(cx) {
            return Poll::Ready(Some(Err(error)));
        }
        if self.connection.buffer.is_empty() {
            match self.connection.poll_fill_any(cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(None),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Some(Err(BodyError::Upstream))),
                Poll::Pending => return self.idle.poll(cx).map(|()| Some(Err(BodyError::TooSlow))),
            }
        }
        self.idle.set(self.idle_timeout);
        Poll::Ready(Some(Ok(Frame::data(self.connection.buffer.split().freeze()))))
    }

    fn move_upward(&mut self, cx: &mut Context<'_>) -> Result<(), BodyError> {
        while self.upward != Upward::Ended {
            let mut waits = false;
            while self.upward == Upward::Open && !self.connection.out.is_full() && !waits {
                match Pin::new(&mut self.client).poll_frame(cx)? {
                    Poll::Ready(Some(frame)) => {
                        self.idle.set(self.idle_timeout);
                        self.connection.out.data(frame.into_data().unwrap_or_default());
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
