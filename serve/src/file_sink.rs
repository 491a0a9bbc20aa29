//! A byte stream that files can be sent to.

use std::fs::File;
use std::io;
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;

/// What a file can be sent to.
pub trait FileSink: AsyncWrite + Unpin {
    /// Sends up to `count` bytes of a file, from `at` on; 0 is the end of the file.
    ///
    /// Ready with the error of stream or file.
    fn poll_send_file(&mut self, cx: &mut Context<'_>, file: &File, at: u64, count: usize) -> Poll<io::Result<usize>>;
}
