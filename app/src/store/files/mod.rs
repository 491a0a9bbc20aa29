//! The bytes of attachments: one file per content, named by its SHA-256 digest, shared by every attachment with that
//! content and removed with the last of them.
//!
//! An upload goes to a file of its own in `.incoming` and moves to its place whole and synced, so that no reader and
//! no crash ever meets half of one. All file work runs on the blocking pool.

mod incoming;
mod lock;
mod owner;
mod upload;

pub use lock::DigestLock;
pub use upload::{Received, Upload, UploadError};

use crate::domain::attachment::Digest;
use std::fs;
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

    /// Where the directory is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
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

    /// The digests of all files that are kept, for a look at which of them are still needed.
    ///
    /// # Errors
    /// When the directory can't be read.
    pub async fn digests(&self) -> io::Result<Vec<Digest>> {
        let root = Arc::clone(&self.root);
        blocking(move || {
            let mut digests = Vec::new();
            for first in folders(&root)? {
                for second in folders(&first)? {
                    let names = fs::read_dir(second)?.map(|entry| entry.map(|entry| entry.file_name()));
                    for name in names {
                        digests.extend(name?.to_str().and_then(|name| name.parse::<Digest>().ok()));
                    }
                }
            }
            Ok(digests)
        })
        .await
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

/// The folders in a folder whose names are two hexadecimal digits.
fn folders(parent: &Path) -> io::Result<Vec<PathBuf>> {
    let digits = |name: &str| name.len() == 2 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut found = Vec::new();
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(digits) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Runs file work where it may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests;
