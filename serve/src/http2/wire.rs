//! The byte stream under `h2`: what is written in one turn of the connection leaves together, and what comes in is
//! metered.
//!
//! `h2` writes and flushes each frame on its own. Handed through, each would be a TLS record and a system call. So a
//! flush does nothing here: the connection hands over everything at the end of its turn, behind the streams that were
//! ready in it. Measured on small answers: 0.53 of nginx's CPU instead of 0.86.

use super::meter::Meter;
use crate::counters::ConnectionCounters;
use crate::timer;
use crate::transport::Transport;
use bytes::{Buf, BytesMut};
use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is gathered before it is handed over early: the answers of a few dozen small streams. A TLS session cuts it
/// into records and writes these in one system call; it holds as much itself.
const GATHERED_BYTES_MAX: usize = 64 * 1024;

/// Pieces from this size on are not copied when they come first: one TLS record (RFC 8446 section 5.1).
const LARGE_BYTES: usize = 16 * 1024;

/// What one turn reads at most, so that a fast sender doesn't keep its worker from everybody else.
const TURN_BYTES_MAX: usize = 256 * 1024;

thread_local! {
    /// The buffer that no connection of this thread needs now. Usually one is enough for all: it is needed from the
    /// first frame of a turn to the turn's end. An idle connection has none.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A transport with what waits to be written to it.
pub(super) struct Wire {
    transport: Transport,
    /// Bytes that were read before `h2` was there.
    early: BytesMut,
    pub(super) meter: Meter,
    counters: Arc<ConnectionCounters>,
    gathered: Vec<u8>,
    /// How many of `gathered` are handed over.
    handed: usize,
    /// Something was handed over that the TLS session may still hold.
    unflushed: bool,
    /// The peer did not take what was last handed over; the task is woken when it does.
    blocked: bool,
    /// Nothing more is to be had in this turn.
    dry: bool,
    /// The turn ended before the transport did.
    unread: bool,
    turn_bytes_left: usize,
    ended: bool,
    received: u64,
    sent: u64,
}

impl Wire {
    pub(super) fn new(
        transport: Transport,
        early: BytesMut,
        header_bytes_max: usize,
        counters: Arc<ConnectionCounters>,
    ) -> Self {
        Self {
            transport,
            early,
            meter: Meter::new(header_bytes_max, timer::coarse_ms()),
            counters,
            gathered: Vec::new(),
            handed: 0,
            unflushed: false,
            blocked: false,
            dry: false,
            unread: false,
            turn_bytes_left: TURN_BYTES_MAX,
            ended: false,
            received: 0,
            sent: 0,
        }
    }

    /// A turn begins: there may be something to read again.
    pub(super) fn begin_turn(&mut self) {
        self.dry = false;
        self.unread = false;
        self.turn_bytes_left = TURN_BYTES_MAX;
    }

    /// Whether something was left in the transport that nobody will be woken for.
    pub(super) const fn has_unread(&self) -> bool {
        self.unread
    }

    /// Whether the peer takes no bytes now.
    pub(super) const fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Whether the peer has ended its direction.
    pub(super) const fn has_ended(&self) -> bool {
        self.ended
    }

    /// Bytes that have come in.
    pub(super) const fn received(&self) -> u64 {
        self.received
    }

    /// Bytes that the transport took.
    pub(super) const fn sent(&self) -> u64 {
        self.sent
    }

    /// Lets go of everything that was written.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_hand_over(cx))?;
        if !self.unflushed {
            return Poll::Ready(Ok(()));
        }
        let flushed = Pin::new(&mut self.transport).poll_flush(cx);
        self.blocked = flushed.is_pending();
        self.unflushed = flushed.is_pending();
        flushed
    }

    fn poll_hand_over(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.handed < self.gathered.len() {
            let written = Pin::new(&mut self.transport).poll_write(cx, &self.gathered[self.handed..]);
            self.handed += ready!(self.wrote(written))?;
        }
        self.handed = 0;
        if !self.gathered.is_empty() {
            self.gathered.clear();
            SPARE.set(std::mem::take(&mut self.gathered));
        }
        Poll::Ready(Ok(()))
    }

    fn wrote(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.blocked = written.is_pending();
        let count = ready!(written)?;
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.unflushed = true;
        self.sent += count as u64;
        self.counters.sent_bytes.add(count as u64);
        self.meter.moved(count);
        Poll::Ready(Ok(count))
    }

    fn poll_gather(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let total: usize = bufs.iter().map(|buf| buf.len()).sum();
        if self.gathered.len() + total > GATHERED_BYTES_MAX {
            ready!(self.poll_hand_over(cx))?;
        }
        if self.gathered.is_empty() {
            if total >= LARGE_BYTES {
                let written = Pin::new(&mut self.transport).poll_write_vectored(cx, bufs);
                return self.wrote(written);
            }
            self.gathered = SPARE.take();
        }
        bufs.iter().for_each(|buf| self.gathered.extend_from_slice(buf));
        Poll::Ready(Ok(total))
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.dry {
            return Poll::Pending;
        }
        let before = buf.filled().len();
        if self.early.is_empty() {
            if self.turn_bytes_left == 0 {
                self.dry = true;
                self.unread = true;
                return Poll::Pending;
            }
            let polled = Pin::new(&mut self.transport).poll_read(cx, buf);
            self.dry = polled.is_pending();
            ready!(polled)?;
        } else {
            let count = self.early.len().min(buf.remaining());
            buf.put_slice(&self.early[..count]);
            self.early.advance(count);
        }
        let read = &buf.filled()[before..];
        self.ended |= read.is_empty();
        self.received += read.len() as u64;
        self.counters.received_bytes.add(read.len() as u64);
        self.turn_bytes_left = self.turn_bytes_left.saturating_sub(read.len());
        self.meter.received(read, timer::coarse_ms());
        if self.meter.tripped().is_some() {
            // The connection is to see it before any more.
            self.dry = true;
        }
        Poll::Ready(Ok(()))
    }
}

/// `h2`'s end of a [`Wire`].
pub(super) struct Handle(pub(super) Rc<RefCell<Wire>>);

impl AsyncRead for Handle {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_fill(cx, buf)
    }
}

impl AsyncWrite for Handle {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().poll_gather(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().poll_gather(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // At the end of the turn.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut wire = self.0.borrow_mut();
        ready!(wire.poll_flush(cx))?;
        let ended = Pin::new(&mut wire.transport).poll_shutdown(cx);
        wire.blocked = ended.is_pending();
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;
    use tokio::net::UnixStream;

    fn pair() -> (Rc<RefCell<Wire>>, UnixStream) {
        let (ours, peer) = UnixStream::pair().expect("a pair");
        (Rc::new(RefCell::new(Wire::new(Transport::Unix(ours), BytesMut::new(), 1024, Arc::default()))), peer)
    }

    #[tokio::test]
    async fn the_frames_of_a_turn_leave_together_at_its_end() {
        let (wire, mut peer) = pair();
        let mut handle = Handle(Rc::clone(&wire));
        let cx = &mut Context::from_waker(std::task::Waker::noop());
        for frame in [&b"one "[..], b"two"] {
            assert!(matches!(Pin::new(&mut handle).poll_write(cx, frame), Poll::Ready(Ok(_))));
            assert!(Pin::new(&mut handle).poll_flush(cx).is_ready());
        }
        let mut space = [0; 64];
        assert!(peer.try_read(&mut space).is_err(), "nothing has left yet");
        std::future::poll_fn(|cx| wire.borrow_mut().poll_flush(cx)).await.expect("flushed");
        assert_eq!(peer.read(&mut space).await.expect("bytes"), 7);
        assert_eq!(wire.borrow().sent(), 7);
    }

    #[tokio::test]
    async fn a_peer_that_takes_nothing_blocks() {
        let (wire, _peer) = pair();
        let mut handle = Handle(Rc::clone(&wire));
        let cx = &mut Context::from_waker(std::task::Waker::noop());
        while Pin::new(&mut handle).poll_write(cx, &[0; 8 * 1024]).is_ready() {}
        assert!(wire.borrow_mut().poll_flush(cx).is_pending());
        assert!(wire.borrow().is_blocked());
        assert!(wire.borrow().gathered.len() <= GATHERED_BYTES_MAX);
    }

    #[tokio::test]
    async fn bytes_that_were_read_early_come_first() {
        let (ours, peer) = UnixStream::pair().expect("a pair");
        peer.try_write(b"cd").expect("written");
        let wire = Wire::new(Transport::Unix(ours), BytesMut::from(&b"ab"[..]), 1024, Arc::default());
        let mut handle = Handle(Rc::new(RefCell::new(wire)));
        let mut space = [0; 4];
        let mut read = ReadBuf::new(&mut space);
        while read.filled().len() < 4 {
            std::future::poll_fn(|cx| {
                handle.0.borrow_mut().begin_turn();
                Pin::new(&mut handle).poll_read(cx, &mut read)
            })
            .await
            .expect("read");
        }
        assert_eq!(read.filled(), b"abcd");
    }
}
