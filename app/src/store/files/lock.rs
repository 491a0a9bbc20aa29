//! One at a time for each content: putting it in its place and removing it exclude each other.
//!
//! Two locks are taken: one in memory, on which tasks wait without a thread, then one on a file, which holds against
//! another process that serves the same directory while one version of the app replaces another.

use super::blocking;
use super::upload::Received;
use crate::domain::attachment::Digest;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// How many locks all digests share. Also the most threads that can wait for another process.
const LOCKS: usize = 64;

#[derive(Debug, Clone)]
pub(super) struct Locks(Arc<[Arc<Mutex<()>>]>);

/// The right to put or remove the content of one digest.
#[derive(Debug)]
pub struct DigestLock {
    root: Arc<Path>,
    digest: Digest,
    // Fields drop in this order: the file first, so that the next task does not wait for it with a thread.
    _between_processes: File,
    _between_tasks: OwnedMutexGuard<()>,
}

impl Locks {
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory(root))?;
        Ok(Self((0..LOCKS).map(|_| Arc::default()).collect()))
    }

    pub(super) async fn lock(&self, root: &Arc<Path>, digest: Digest) -> io::Result<DigestLock> {
        let index = usize::from(digest.first_byte()) % LOCKS;
        let between_tasks = Arc::clone(&self.0[index]).lock_owned().await;
        let path = directory(root).join(index.to_string());
        let between_processes = blocking(move || {
            let file = File::options().create(true).append(true).open(path)?;
            file.lock()?;
            Ok(file)
        })
        .await?;
        Ok(DigestLock {
            root: Arc::clone(root),
            digest,
            _between_processes: between_processes,
            _between_tasks: between_tasks,
        })
    }
}

impl DigestLock {
    /// Puts a received attachment in its place, durably. Content that is there already stays.
    ///
    /// # Errors
    /// When the disk fails, or the attachment is not the one that is locked.
    pub async fn put(&self, received: Received) -> io::Result<()> {
        if received.digest != self.digest {
            return Err(io::Error::other("another content is locked"));
        }
        let root = Arc::clone(&self.root);
        let target = self.target();
        blocking(move || {
            let directory = target.parent().unwrap_or(&root);
            fs::create_dir_all(directory)?;
            // A file of another length under this name is damaged: it is replaced.
            match fs::metadata(&target) {
                Ok(metadata) if metadata.len() == received.size_bytes => received.temporary.remove()?,
                _ => received.temporary.persist(&target)?,
            }
            // A name is durable when its directory is synced, and so on up to the root.
            directory.ancestors().take(3).try_for_each(|directory| File::open(directory)?.sync_all())
        })
        .await
    }

    /// Removes the content. None there is fine.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn remove(&self) -> io::Result<()> {
        let target = self.target();
        blocking(move || match fs::remove_file(target) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
        .await
    }

    fn target(&self) -> PathBuf {
        self.root.join(self.digest.path())
    }
}

pub(super) fn directory(root: &Path) -> PathBuf {
    root.join(".locks")
}
