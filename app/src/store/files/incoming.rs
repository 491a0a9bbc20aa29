//! Uploads that are not complete yet: each a file of its own, locked while its process lives.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Files younger than this stay at a sweep: their process may be between making and locking them.
const SWEEP_AGE_MIN: Duration = Duration::from_secs(60);

/// Where incoming files are: below the attachments' root, because a file moves atomically only within one file
/// system. No digest begins with a dot.
pub(super) fn directory(root: &Path) -> PathBuf {
    root.join(".incoming")
}

/// Makes the directory if needed and removes files that belong to no living process.
pub(super) fn sweep(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        // Another process may sweep too, so that a file may be gone at any of these steps.
        if let Err(error) = sweep_one(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
    }
    Ok(())
}

fn sweep_one(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    // A clock that was set back makes a file look young, which only keeps it for one more start.
    let age = SystemTime::now().duration_since(file.metadata()?.modified()?).unwrap_or_default();
    match file.try_lock() {
        Ok(()) if age >= SWEEP_AGE_MIN => fs::remove_file(path),
        Ok(()) | Err(TryLockError::WouldBlock) => Ok(()),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// A file that vanishes unless it is moved to its place.
#[derive(Debug)]
pub(super) struct Temporary {
    /// `None` once it was moved or removed.
    path: Option<PathBuf>,
    pub(super) file: File,
}

impl Temporary {
    pub(super) fn create(directory: &Path) -> io::Result<Self> {
        let path = directory.join(uuid::Uuid::new_v4().simple().to_string());
        let file = File::create_new(&path)?;
        let temporary = Self { path: Some(path), file };
        temporary.file.lock()?;
        Ok(temporary)
    }

    /// Moves it to `target`, replacing what is there.
    pub(super) fn persist(mut self, target: &Path) -> io::Result<()> {
        if let Some(path) = &self.path {
            fs::rename(path, target)?;
        }
        self.path = None;
        Ok(())
    }

    /// Removes it now.
    pub(super) fn remove(mut self) -> io::Result<()> {
        self.path.take().map_or(Ok(()), fs::remove_file)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let Some(leftover) = self.path.take().map(Leftover) else { return };
        // An upload whose client went away is dropped in the middle of a runtime's thread.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn_blocking(move || drop(leftover));
        }
    }
}

/// Removes its file when dropped: also by a runtime that shuts down and drops what it has not yet run.
struct Leftover(PathBuf);

impl Drop for Leftover {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "an incoming file stays until a later start");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_takes_only_old_files_of_dead_processes() {
        let directory = tempfile::tempdir().expect("a directory");
        let old = SystemTime::now() - Duration::from_secs(3600);
        let make = |name: &str, modified: SystemTime| {
            let file = File::create(directory.path().join(name)).expect("a file");
            file.set_modified(modified).expect("a time");
            file
        };
        make("dead", old);
        make("young", SystemTime::now());
        let alive = make("alive", old);
        alive.lock().expect("a lock");

        sweep(directory.path()).expect("a sweep");
        let mut left: Vec<_> =
            fs::read_dir(directory.path()).expect("a list").map(|entry| entry.expect("an entry").file_name()).collect();
        left.sort_unstable();
        assert_eq!(left, ["alive", "young"]);
    }
}
