//! What waits to be written: heads and chunk lines in one buffer, bodies as they are, and all of it in one system call.

use super::encode;
use super::head::Framing;
use bytes::Bytes;
use http::HeaderMap;
use smallvec::SmallVec;
use std::cell::Cell;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;

/// Pieces handed to the kernel at once.
const SLICES_MAX: usize = 16;

/// When this many bytes wait, no more is gathered: larger writes don't cost fewer system calls that matter.
const GATHERED_BYTES_MAX: usize = 128 * 1024;

/// To copy this much is cheaper than to have the kernel gather one more piece.
const COPIED_BYTES_MAX: usize = 1024;

/// A buffer for heads is used again up to this size.
const KEPT_BYTES_MAX: usize = 16 * 1024;

thread_local! {
    /// The buffer for heads that no connection of this thread needs now: usually one is enough for all, and an idle
    /// connection has none.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Bytes on their way out.
#[derive(Debug, Default)]
pub struct Outgoing {
    /// Heads, chunk lines and trailers, one behind the other.
    text: Vec<u8>,
    pieces: SmallVec<[Piece; 4]>,
    /// How much of the first piece has been written.
    written: usize,
    /// The first piece that is not written.
    first: usize,
    /// Bytes that wait.
    bytes: usize,
}

#[derive(Debug)]
enum Piece {
    Text(Range<usize>),
    Data(Bytes),
}

impl Outgoing {
    /// Whether nothing waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Bytes that wait.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether enough waits to be written before more is gathered.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.bytes >= GATHERED_BYTES_MAX || self.pieces.len() - self.first >= SLICES_MAX - 2
    }

    /// Appends what `write` appends to the buffer that it gets.
    pub fn text(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.text.capacity() == 0 {
            self.text = SPARE.take();
        }
        let start = self.text.len();
        write(&mut self.text);
        let end = self.text.len();
        self.bytes += end - start;
        match self.pieces.last_mut() {
            Some(Piece::Text(range)) if range.end == start => range.end = end,
            _ => self.pieces.push(Piece::Text(start..end)),
        }
    }

    /// Appends bytes; only few are copied, so that they leave with what is before and behind them as one piece.
    pub fn data(&mut self, data: Bytes) {
        if data.is_empty() {
        } else if data.len() <= COPIED_BYTES_MAX {
            self.text(|out| out.extend_from_slice(&data));
        } else {
            self.bytes += data.len();
            self.pieces.push(Piece::Data(data));
        }
    }

    /// Appends a piece of a body, framed.
    pub fn body(&mut self, framing: Framing, data: Bytes) {
        if framing == Framing::Chunked && !data.is_empty() {
            self.text(|out| encode::chunk_line(out, data.len()));
            self.data(data);
            self.text(|out| out.extend_from_slice(b"\r\n"));
        } else {
            self.data(data);
        }
    }

    /// Appends the end of a body, framed.
    pub fn end(&mut self, framing: Framing, trailer: Option<&HeaderMap>) {
        if framing == Framing::Chunked {
            self.text(|out| encode::last_chunk(out, trailer));
        }
    }

    /// Writes until nothing waits.
    ///
    /// # Errors
    /// What the stream says.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, mut io: impl AsyncWrite + Unpin) -> Poll<io::Result<()>> {
        while self.bytes > 0 {
            let mut slices: SmallVec<[IoSlice<'_>; SLICES_MAX]> = SmallVec::new();
            for (index, piece) in self.pieces[self.first..].iter().take(SLICES_MAX).enumerate() {
                let bytes = match piece {
                    Piece::Text(range) => &self.text[range.clone()],
                    Piece::Data(data) => data,
                };
                slices.push(IoSlice::new(if index == 0 { &bytes[self.written..] } else { bytes }));
            }
            let count = if let [slice] = &slices[..] {
                ready!(Pin::new(&mut io).poll_write(cx, slice))?
            } else {
                ready!(Pin::new(&mut io).poll_write_vectored(cx, &slices))?
            };
            drop(slices);
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(count);
        }
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, count: usize) {
        self.bytes -= count;
        if self.bytes == 0 {
            self.clear();
            return;
        }
        let mut done = self.written + count;
        while let Some(piece) = self.pieces.get_mut(self.first) {
            let length = match piece {
                Piece::Text(range) => range.len(),
                Piece::Data(data) => data.len(),
            };
            if done < length {
                break;
            }
            done -= length;
            // Lets go of the bytes before the rest is written.
            *piece = Piece::Text(0..0);
            self.first += 1;
        }
        self.written = done;
        if self.first >= SLICES_MAX {
            self.compact();
        }
    }

    /// Forgets what has been written, for a reader so slow that something always waits.
    fn compact(&mut self) {
        self.pieces.drain(..self.first);
        self.first = 0;
        let starts = self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(range) => Some(range.start),
            Piece::Data(_) => None,
        });
        let unneeded = starts.min().unwrap_or(self.text.len());
        self.text.drain(..unneeded);
        for piece in &mut self.pieces {
            if let Piece::Text(range) = piece {
                *range = range.start - unneeded..range.end - unneeded;
            }
        }
    }

    fn clear(&mut self) {
        self.text.clear();
        let text = std::mem::take(&mut self.text);
        if text.capacity() <= KEPT_BYTES_MAX {
            SPARE.set(text);
        }
        self.pieces = SmallVec::new();
        self.written = 0;
        self.first = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Takes as many bytes at a time as it is told, and then none until asked again.
    struct Slow {
        taken: Vec<u8>,
        steps: Vec<usize>,
    }

    impl AsyncWrite for Slow {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            let Some(step) = self.steps.pop() else { return Poll::Pending };
            let count = step.min(buf.len());
            self.taken.extend_from_slice(&buf[..count]);
            Poll::Ready(Ok(count))
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bufs: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let Some(step) = self.steps.pop() else { return Poll::Pending };
            let all: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).take(step).collect();
            self.taken.extend_from_slice(&all);
            Poll::Ready(Ok(all.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    proptest! {
        #[test]
        fn every_byte_leaves_once_and_in_order(
            pieces in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..40)), 0..60),
            steps in prop::collection::vec(1_usize..50, 0..200),
        ) {
            let mut outgoing = Outgoing::default();
            let mut slow = Slow { taken: Vec::new(), steps };
            let mut wanted = Vec::new();
            let cx = &mut Context::from_waker(std::task::Waker::noop());
            for (is_text, bytes) in pieces {
                wanted.extend_from_slice(&bytes);
                if is_text {
                    outgoing.text(|out| out.extend_from_slice(&bytes));
                } else {
                    outgoing.data(Bytes::from(bytes));
                }
                if slow.steps.len().is_multiple_of(3) {
                    let _ = outgoing.poll_write(cx, &mut slow);
                }
            }
            slow.steps = vec![usize::MAX; 100];
            prop_assert!(outgoing.poll_write(cx, &mut slow).is_ready());
            prop_assert!(outgoing.is_empty());
            prop_assert_eq!(slow.taken, wanted);
        }
    }
}
