//! A byte stream that files can be sent to.

use std::fs::File;
use std::io;
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;

/// What a file can be sent to.
pub trait FileSink: AsyncWrite + Unpin {
    /// Writes what more follows at once, so that the kernel need not send it on its own.
    ///
    /// Ready with the stream's error.
    fn poll_write_more(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>>;

    /// Sends up to `count` bytes of a file, from `at` on; 0 is the end of the file.
    ///
    /// Ready with the error of stream or file.
    fn poll_send_file(&mut self, cx: &mut Context<'_>, file: &File, at: u64, count: usize) -> Poll<io::Result<usize>>;
}
