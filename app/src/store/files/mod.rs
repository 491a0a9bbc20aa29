//! The bytes of attachments: one file per content, named by its SHA-256 digest, shared by every attachment with that
//! content and removed with the last of them.
//!
//! An upload goes to a file of its own in `.incoming` and moves to its place whole and synced, so that no reader and
//! no crash ever meets half of one. All file work runs on the blocking pool.

mod incoming;
mod lock;
mod upload;

pub use lock::DigestLock;
pub use upload::{Received, Upload, UploadError};

use crate::domain::attachment::Digest;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The directory of attachments. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Files {
    root: Arc<Path>,
    locks: lock::Locks,
}

impl Files {
    /// Opens the directory, makes it if needed, and removes what an earlier process left half done.
    ///
    /// # Errors
    /// When the directory can't be made or read.
    pub async fn open(root: PathBuf) -> io::Result<Self> {
        blocking(move || {
            incoming::sweep(&incoming::directory(&root))?;
            let locks = lock::Locks::open(&root)?;
            Ok(Self { root: root.into(), locks })
        })
        .await
    }

    /// Begins an upload of at most `bytes_max` bytes.
    ///
    /// # Errors
    /// When no file can be made.
    pub async fn receive(&self, bytes_max: u64) -> io::Result<Upload> {
        let directory = incoming::directory(&self.root);
        let temporary = blocking(move || incoming::Temporary::create(&directory)).await?;
        Ok(Upload::new(temporary, bytes_max))
    }

    /// Waits until nobody else puts or removes the content of this digest, in this process or another one with the
    /// same directory. Hold it over the database's commit: then a row never outlives its file.
    ///
    /// # Errors
    /// When the lock's file can't be used.
    pub async fn lock(&self, digest: Digest) -> io::Result<DigestLock> {
        self.locks.lock(&self.root, digest).await
    }
}

/// Runs file work where it may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests;
