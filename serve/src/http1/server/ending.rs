//! What is between two requests of a connection, or between the last one and the end.

use super::{Ended, Wire};
use crate::http1::incoming::Piece;
use crate::http1::turn::Turn;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;
use tokio::io::AsyncWrite;

/// Bytes of a request's body that are taken in, and thrown away, after its response.
const DISCARDED_BYTES_MAX: usize = 1024 * 1024;

/// And for how long.
const DISCARDED_FOR: Duration = Duration::from_secs(2);

impl Wire<'_> {
    /// Whether another request may follow. Takes in the rest of a body that nobody wanted, within bounds: it stands
    /// before the next request.
    pub(super) async fn is_ready_for_next(&mut self, turn: &mut Turn) -> bool {
        if !turn.keep_alive || turn.broken {
            return false;
        }
        if !turn.incoming.has_ended() {
            self.deadline.set(DISCARDED_FOR);
            let mut left = DISCARDED_BYTES_MAX;
            let whole = poll_fn(|cx| {
                loop {
                    match turn.incoming.next(&mut self.buffer, self.head_limits) {
                        Ok(Piece::End(_)) => return Poll::Ready(true),
                        Ok(Piece::Data(data)) => match left.checked_sub(data.len()) {
                            Some(rest) => left = rest,
                            None => return Poll::Ready(false),
                        },
                        Ok(Piece::Starved) => match self.poll_fill_body(cx) {
                            Poll::Ready(Ok(1..)) => {}
                            Poll::Ready(_) => return Poll::Ready(false),
                            Poll::Pending => return self.deadline.poll(cx).map(|()| false),
                        },
                        Err(_) => return Poll::Ready(false),
                    }
                }
            });
            if !whole.await {
                turn.broken = true;
                return false;
            }
        }
        self.deadline.set(if self.buffer.is_empty() { self.limits.idle_timeout } else { self.limits.header_timeout });
        true
    }

    /// Ends the stream. With `lingers`, what the client is still sending is taken in for a while: a socket that is
    /// closed with unread bytes sends a reset, and the client's kernel would throw our answer away unread (RFC 9112
    /// section 9.6).
    pub(super) async fn close(&mut self, lingers: bool) -> Result<(), Ended> {
        let mut lingers = lingers || !self.buffer.is_empty();
        if !lingers && !self.io.is_tls() {
            // The usual end of a plain connection: nothing came behind the request, so to drop the socket says all that
            // there is to say, for one system call less.
            match poll_fn(|cx| Poll::Ready(self.poll_fill_body(cx))).await {
                Poll::Ready(Ok(1..)) => lingers = true,
                Poll::Ready(_) | Poll::Pending => return Ok(()),
            }
        }
        self.deadline.set(DISCARDED_FOR);
        let ending = poll_fn(|cx| match Pin::new(&mut self.io).poll_shutdown(cx) {
            Poll::Pending => self.deadline.poll(cx).map(Ok),
            ready => ready,
        });
        if ending.await.is_err() {
            return Ok(());
        }
        let mut left = DISCARDED_BYTES_MAX;
        poll_fn(|cx| {
            loop {
                self.buffer.clear();
                match self.poll_fill_body(cx) {
                    Poll::Ready(Ok(count @ 1..)) if count < left => {
                        left -= count;
                        lingers = true;
                    }
                    Poll::Pending if lingers => return self.deadline.poll(cx),
                    Poll::Ready(_) | Poll::Pending => return Poll::Ready(()),
                }
            }
        })
        .await;
        Ok(())
    }
}
