//! A file without a name, written and read off the worker's thread: a slow disk stalls no other connection.

use crate::budget::{Budget, Share};
use bytes::{Bytes, BytesMut};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes read at once, and written at once while the memory budget has room to gather them.
const PIECE_BYTES: usize = 64 * 1024;

/// Bytes gathered for one write by a body that the memory budget has no room for. They are not counted, as its
/// connection's own buffers are not.
const SMALL_PIECE_BYTES: usize = 4 * 1024;

/// A growing file that is gone when nobody holds it any more, whatever happens to the process.
#[derive(Debug, Clone)]
pub(super) struct Scratch {
    file: Arc<File>,
    written: Arc<Mutex<Written>>,
}

#[derive(Debug)]
struct Written {
    bytes: u64,
    /// What of the budget the file takes.
    share: Share,
}

/// Bytes on their way into a file: each write costs a turn of another thread, so small pieces are gathered.
pub(super) struct Writing {
    scratch: Scratch,
    /// What is not written yet.
    tail: BytesMut,
    /// When it is written.
    piece_bytes: usize,
    /// What of the memory budget the tail takes.
    _room: Option<Share>,
}

impl Scratch {
    async fn make(directory: &Path, share: Share) -> io::Result<Self> {
        let directory = directory.to_owned();
        let file = blocking(move || {
            std::fs::create_dir_all(&directory)?;
            tempfile::tempfile_in(&directory)
        });
        Ok(Self { file: Arc::new(file.await?), written: Arc::new(Mutex::new(Written { bytes: 0, share })) })
    }

    /// Writes behind what is there; returns when the kernel has it.
    async fn append(&self, data: Bytes) -> io::Result<()> {
        let (scratch, start, length) = (self.clone(), self.bytes(), data.len() as u64);
        blocking(move || scratch.file.write_all_at(&data, start)).await?;
        self.written().bytes = start + length;
        Ok(())
    }

    pub(super) fn bytes(&self) -> u64 {
        self.written().bytes
    }

    /// Reads a piece from `start`, at least one byte of those that were written.
    pub(super) async fn read(self, start: u64) -> io::Result<Bytes> {
        let left = usize::try_from(self.bytes() - start).unwrap_or(usize::MAX);
        let mut piece = BytesMut::zeroed(left.min(PIECE_BYTES));
        blocking(move || {
            self.file.read_exact_at(&mut piece, start)?;
            Ok(piece.freeze())
        })
        .await
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writing {
    /// A new file below `directory`, which is made if need be. It takes `share` of the disk.
    pub(super) async fn begin(directory: &Path, share: Share, memory: &Arc<Budget>) -> io::Result<Self> {
        let scratch = Scratch::make(directory, share).await?;
        let room = memory.take(PIECE_BYTES as u64);
        let piece_bytes = if room.is_some() { PIECE_BYTES } else { SMALL_PIECE_BYTES };
        Ok(Self { scratch, tail: BytesMut::new(), piece_bytes, _room: room })
    }

    /// Takes more of the disk's budget; false when it has not as much.
    pub(super) fn grow(&self, bytes: u64) -> bool {
        self.scratch.written().share.grow(bytes)
    }

    /// Takes a piece to be written. After an error what is not written can be taken back.
    pub(super) async fn append(&mut self, data: &[u8]) -> io::Result<()> {
        self.tail.extend_from_slice(data);
        if self.tail.len() >= self.piece_bytes { self.flush().await } else { Ok(()) }
    }

    /// Writes what was gathered.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        if self.tail.is_empty() {
            return Ok(());
        }
        let piece = self.tail.split().freeze();
        let written = self.scratch.append(piece.clone()).await;
        if written.is_err() {
            self.tail = BytesMut::from(&piece[..]);
        }
        written
    }

    /// The file, and what is not written to it.
    pub(super) fn end(self) -> (Scratch, Bytes) {
        (self.scratch, self.tail.freeze())
    }

    #[cfg(test)]
    pub(super) const fn scratch(&self) -> &Scratch {
        &self.scratch
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}
