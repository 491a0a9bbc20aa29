//! What a byte stream can do beside taking bytes.

use std::fs::File;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;

/// What a file can be sent to.
pub trait FileSink: AsyncWrite + Unpin {
    /// Sends up to `count` bytes of a file, from `at` on; 0 is the end of the file.
    ///
    /// Ready with the error of stream or file.
    fn poll_send_file(&mut self, cx: &mut Context<'_>, file: &File, at: u64, count: usize) -> Poll<io::Result<usize>>;

    /// Writes the last bytes of the stream. It is ended at once when they are taken, and they may be kept until then, so
    /// that bytes and end are one packet.
    ///
    /// Ready with the error of the stream.
    fn poll_write_last(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(self).poll_write_vectored(cx, bufs)
    }
}
