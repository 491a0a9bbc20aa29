//! Which version of a file an open descriptor shows.

use rustix::fs::{AtFlags, StatxFlags, makedev, statx};
use rustix::io::Errno;
use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

/// Below this age a change may share its timestamp with the next one: file systems keep time in ticks, the coarsest
/// in use (FAT) of two seconds.
const TICK_MAX: Duration = Duration::from_secs(2);

/// What changes when a file is replaced, written to or truncated. The change time can't be set by users, so that also
/// a file that was given an old modification time (`cp -p`, image layers) has another stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// In bytes.
    pub size: u64,
    device: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// Takes the stamp from a file's metadata.
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            size: metadata.size(),
            device: metadata.dev(),
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// The stamp of an open file. Where somebody else has to be asked for it, this waits.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn of_file(file: &File) -> Result<Self, Errno> {
        let metadata = file.metadata().map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        Ok(Self::of(&metadata))
    }

    /// The stamp of an open file as the kernel has it in memory, so that a worker may ask. A file system whose files are
    /// also written elsewhere (NFS, say) would else ask its server each time.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn at_hand(file: &File) -> Result<Self, Errno> {
        let flags = AtFlags::EMPTY_PATH.union(AtFlags::STATX_DONT_SYNC);
        let Ok(facts) = statx(file, c"", flags, StatxFlags::BASIC_STATS) else {
            // A sandbox that does not know the call.
            return Self::of_file(file);
        };
        Ok(Self {
            size: facts.stx_size,
            device: makedev(facts.stx_dev_major, facts.stx_dev_minor),
            inode: facts.stx_ino,
            modified: (facts.stx_mtime.tv_sec, facts.stx_mtime.tv_nsec.into()),
            changed: (facts.stx_ctime.tv_sec, facts.stx_ctime.tv_nsec.into()),
        })
    }

    /// When the content was last changed; `None` before 1970.
    pub(super) fn modified(&self) -> Option<SystemTime> {
        since_epoch(self.modified)
    }

    /// Whether this can be a coded form of a file of that version: not older, and smaller, as no useful one is larger
    /// than its file.
    pub(super) fn can_be_twin_of(&self, file: &Self) -> bool {
        self.modified >= file.modified && self.size > 0 && self.size < file.size
    }

    /// Whether the file may have changed twice under this stamp.
    pub(super) fn is_settled(&self, now: SystemTime) -> bool {
        since_epoch(self.changed).is_some_and(|changed| now.duration_since(changed).is_ok_and(|age| age >= TICK_MAX))
    }

    /// All of it, for hashing.
    pub(super) fn to_bytes(self) -> [u8; 56] {
        let mut bytes = [0; 56];
        let (modified, changed) = (self.modified, self.changed);
        let times = [modified.0, modified.1, changed.0, changed.1].map(i64::to_le_bytes);
        let facts = [self.size, self.device, self.inode].map(u64::to_le_bytes);
        for (place, word) in bytes.chunks_exact_mut(8).zip(facts.iter().chain(&times)) {
            place.copy_from_slice(word);
        }
        bytes
    }
}

fn since_epoch((seconds, nanoseconds): (i64, i64)) -> Option<SystemTime> {
    let whole = Duration::from_secs(u64::try_from(seconds).ok()?);
    SystemTime::UNIX_EPOCH.checked_add(whole.checked_add(Duration::from_nanos(u64::try_from(nanoseconds).ok()?))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rewritten_file_has_another_stamp() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let (old, new) = (directory.path().join("old"), directory.path().join("new"));
        std::fs::write(&old, "one").expect("write");
        std::fs::write(&new, "two").expect("write");
        let stamp = |path: &std::path::Path| Stamp::of(&std::fs::metadata(path).expect("metadata"));
        let (before, replacement) = (stamp(&old), stamp(&new));
        assert_ne!(before, replacement);
        std::fs::rename(&new, &old).expect("rename");
        assert_ne!(stamp(&old), before);
        assert_ne!(stamp(&old).to_bytes(), before.to_bytes());
    }

    #[test]
    fn what_is_at_hand_is_what_the_disk_says() {
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        std::fs::write(file.path(), "content").expect("write");
        let file = file.into_file();
        assert_eq!(Stamp::at_hand(&file), Stamp::of_file(&file));
    }

    #[test]
    fn a_fresh_change_is_not_settled() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let stamp = Stamp::of(&std::fs::metadata(directory.path()).expect("metadata"));
        let now = SystemTime::now();
        assert!(!stamp.is_settled(now));
        assert!(stamp.is_settled(now + TICK_MAX));
        assert!(!stamp.is_settled(SystemTime::UNIX_EPOCH), "a clock that was set back settles nothing");
    }
}
