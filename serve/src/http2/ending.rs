//! How an HTTP/2 connection ends: why, and how the client learns of it.

use super::wire::{Handle, Wire};
use crate::counters::Protection;
use crate::timer::Deadline;
use h2::Reason;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

/// Bytes that are taken in, and thrown away, after the last frame was sent: a socket that is closed with unread bytes
/// sends a reset, and the client's kernel would throw our last frames away unread.
const DISCARDED_BYTES_MAX: usize = 1024 * 1024;

/// And for how long; also how long the last frames may take.
pub(super) const DISCARDED_FOR: Duration = Duration::from_secs(2);

/// Why a connection ended other than by its normal close.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    #[error("{0}")]
    Broken(#[from] h2::Error),
    #[error("{0}")]
    Lost(#[from] io::Error),
    #[error("no request in time")]
    Idle,
    #[error("the client did not begin HTTP/2 in time")]
    NotBegun,
    #[error("the client did not take the responses in time")]
    ReaderStalled,
    #[error("the client was cut: {}", .0.label())]
    Excess(Protection),
}

/// What a client was cut for, where that was not counted at the cut.
pub(super) fn protection(ended: &Ended, wire: &Wire) -> Option<Protection> {
    match ended {
        Ended::ReaderStalled => Some(Protection::SlowReader),
        Ended::NotBegun => Some(Protection::SlowHead),
        Ended::Broken(error) if error.is_library() && error.reason() == Some(Reason::ENHANCE_YOUR_CALM) => {
            Some(wire.meter.likely())
        }
        Ended::Broken(error) if error.is_library() => Some(Protection::Malformed),
        Ended::Excess(_) | Ended::Broken(_) | Ended::Lost(_) | Ended::Idle => None,
    }
}

/// Takes in what the client is still sending, for a while, until it has seen the end.
pub(super) async fn linger(wire: &Rc<RefCell<Wire>>) {
    let deadline = Deadline::after(DISCARDED_FOR);
    let mut handle = Handle(Rc::clone(wire));
    let mut left = DISCARDED_BYTES_MAX;
    let mut is_shut = false;
    poll_fn(|cx| {
        if !is_shut {
            match Pin::new(&mut handle).poll_shutdown(cx) {
                Poll::Ready(Ok(())) => is_shut = true,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return deadline.poll(cx),
            }
        }
        while !wire.borrow().has_ended() {
            wire.borrow_mut().begin_turn();
            let mut space = [0; 4096];
            let mut read = ReadBuf::new(&mut space);
            match Pin::new(&mut handle).poll_read(cx, &mut read) {
                Poll::Ready(Ok(())) if read.filled().len() < left => left -= read.filled().len(),
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return deadline.poll(cx),
            }
        }
        Poll::Ready(())
    })
    .await;
}
