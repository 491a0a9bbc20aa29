//! What waits to be written: heads and chunk lines in one buffer, bodies as they are, and all of it in one system call.
//! Parts of files have a call each, which copies nothing.

use super::encode;
use super::head::Framing;
use crate::file_sink::FileSink;
use crate::part::FilePart;
use bytes::Bytes;
use http::HeaderMap;
use smallvec::SmallVec;
use std::cell::Cell;
use std::fs::File;
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
    /// The stream ends behind them.
    last: bool,
}

#[derive(Debug)]
enum Piece {
    Text(Range<usize>),
    Data(Bytes),
    File(FilePart),
}

impl Piece {
    const fn len(&self) -> usize {
        match self {
            Self::Text(range) => range.end - range.start,
            Self::Data(data) => data.len(),
            Self::File(part) => part.length,
        }
    }
}

/// A stream that no file is gathered for.
struct Plain<W>(W);

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

    /// Appends a part of a file, framed. What is gathered must then be written by [`Self::poll_send`].
    pub fn file(&mut self, framing: Framing, part: FilePart) {
        let (length, is_chunk) = (part.length, framing == Framing::Chunked && part.length > 0);
        if is_chunk {
            self.text(|out| encode::chunk_line(out, length));
        }
        if length > 0 {
            self.bytes += length;
            self.pieces.push(Piece::File(part));
        }
        if is_chunk {
            self.text(|out| out.extend_from_slice(b"\r\n"));
        }
    }

    /// Says that the stream is ended at once when all that waits has been written.
    pub const fn mark_last(&mut self) {
        self.last = true;
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
    /// What the stream says; "unsupported" at a part of a file.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, io: impl AsyncWrite + Unpin) -> Poll<io::Result<()>> {
        self.poll_send(cx, &mut Plain(io))
    }

    /// Writes until nothing waits, also parts of files.
    ///
    /// # Errors
    /// What the stream says; "unexpected end" when a file has become shorter than a part of it.
    pub fn poll_send(&mut self, cx: &mut Context<'_>, io: &mut impl FileSink) -> Poll<io::Result<()>> {
        while self.bytes > 0 {
            let count = if let Some(Piece::File(part)) = self.pieces.get(self.first) {
                let (at, left) = (part.offset + self.written as u64, part.length - self.written);
                let count = ready!(io.poll_send_file(cx, &part.file, at, left))?;
                if count == 0 {
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
                count
            } else {
                let count = ready!(self.poll_write_bytes(cx, io))?;
                if count == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                count
            };
            self.advance(count);
        }
        Poll::Ready(Ok(()))
    }

    /// Writes what stands before the next part of a file. It leaves as a packet of its own: to have the kernel wait for
    /// the part (`MSG_MORE`) costs a third more for 100 KiB where the congestion control paces (BBR), and elsewhere the
    /// same.
    fn poll_write_bytes(&self, cx: &mut Context<'_>, io: &mut impl FileSink) -> Poll<io::Result<usize>> {
        let mut slices: SmallVec<[IoSlice<'_>; SLICES_MAX]> = SmallVec::new();
        let pieces = &self.pieces[self.first..];
        for (index, piece) in pieces.iter().take(SLICES_MAX).enumerate() {
            let bytes = match piece {
                Piece::Text(range) => &self.text[range.clone()],
                Piece::Data(data) => data,
                Piece::File(_) => break,
            };
            slices.push(IoSlice::new(if index == 0 { &bytes[self.written..] } else { bytes }));
        }
        match &slices[..] {
            slices if self.last && slices.len() == pieces.len() => io.poll_write_last(cx, slices),
            [slice] => Pin::new(io).poll_write(cx, slice),
            _ => Pin::new(io).poll_write_vectored(cx, &slices),
        }
    }

    fn advance(&mut self, count: usize) {
        self.bytes -= count;
        if self.bytes == 0 {
            self.clear();
            return;
        }
        let mut done = self.written + count;
        while let Some(piece) = self.pieces.get_mut(self.first) {
            let length = piece.len();
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
            Piece::Data(_) | Piece::File(_) => None,
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

impl<W: AsyncWrite + Unpin> AsyncWrite for Plain<W> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl<W: AsyncWrite + Unpin> FileSink for Plain<W> {
    fn poll_send_file(&mut self, _: &mut Context<'_>, _: &File, _: u64, _: usize) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }
}

#[cfg(test)]
mod tests;
