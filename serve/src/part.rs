//! What a response's body gives: frames, or parts of an open file that the connection may send itself.

use bytes::Bytes;
use http_body::Frame;
use std::fs::File;
use std::sync::Arc;

/// What comes next of a response's body.
#[derive(Debug)]
pub enum Part {
    /// Bytes at hand, or the trailer.
    Frame(Frame<Bytes>),
    /// Bytes of an open file.
    File(FilePart),
}

/// Bytes of an open file, for the kernel to send from its page cache: nobody copies them.
///
/// Whoever makes one has seen that they are in the page cache. The thread that sends them serves other connections too,
/// and would wait for a disk.
#[derive(Debug, Clone)]
pub struct FilePart {
    /// The file.
    pub file: Arc<File>,
    /// Where the part begins, in bytes.
    pub offset: u64,
    /// How many bytes it has; more than none.
    pub length: usize,
}

impl Part {
    /// Bytes of the body in it.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Frame(frame) => frame.data_ref().map_or(0, Bytes::len),
            Self::File(part) => part.length,
        }
    }
}
