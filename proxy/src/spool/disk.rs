//! A file without a name, written and read off the worker's thread: a slow disk stalls no other connection.

use super::budget::Share;
use bytes::{Bytes, BytesMut};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;

/// A growing file that is gone when nobody holds it any more, whatever happens to the process.
#[derive(Debug, Clone)]
pub(super) struct Scratch {
    file: Arc<File>,
    written: Arc<Mutex<Written>>,
}

#[derive(Debug, Default)]
struct Written {
    bytes: u64,
    /// What of the budget the file takes.
    shares: Vec<Share>,
}

impl Scratch {
    pub(super) async fn make(directory: &Path) -> io::Result<Self> {
        let directory = directory.to_owned();
        let file = blocking(move || {
            std::fs::create_dir_all(&directory)?;
            tempfile::tempfile_in(&directory)
        });
        Ok(Self { file: Arc::new(file.await?), written: Arc::default() })
    }

    /// Writes behind what is there; returns when the kernel has it.
    pub(super) async fn append(&self, data: Bytes, share: Share) -> io::Result<()> {
        let (file, start, length) = (Arc::clone(&self.file), self.bytes(), data.len() as u64);
        blocking(move || file.write_all_at(&data, start)).await?;
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.bytes = start + length;
        written.shares.push(share);
        Ok(())
    }

    pub(super) fn bytes(&self) -> u64 {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }

    /// Reads a piece from `start`, at least one byte of those that were written.
    pub(super) async fn read(self, start: u64) -> io::Result<Bytes> {
        let left = usize::try_from(self.bytes() - start).unwrap_or(usize::MAX);
        let mut piece = BytesMut::zeroed(left.min(READ_BYTES));
        blocking(move || {
            self.file.read_exact_at(&mut piece, start)?;
            Ok(piece.freeze())
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}
