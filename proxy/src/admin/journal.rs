//! Posted revocations in a file below `server.state`, so that a restart, a crash or an upgrade forgets none.
//!
//! Each post is one line, added under a lock and synced before it is answered. Every process at this state reads what
//! others have added; applying a line twice changes nothing. A start leaves out what has expired once it is most of the
//! file.

use super::posted::Posted;
use crate::auth::Issuers;
use rustix::fs::{FlockOperation, flock};
use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The longest line that is read: a post has 1 MiB at most.
const LINE_BYTES_MAX: u64 = 4 << 20;
/// A file below this size is left as it is.
const COMPACT_FROM_BYTES: u64 = 1 << 20;

/// The file, and how far this process has read it.
pub(crate) struct Journal {
    file: PathBuf,
    /// The inode, and the byte behind the last line.
    read: Cell<(u64, u64)>,
}

impl Journal {
    /// The one below this folder. A first start compacts it.
    pub(crate) fn of(state: &Path) -> Self {
        let journal = Self { file: state.join("revocations.jsonl"), read: Cell::default() };
        if let Err(error) = journal.compact(SystemTime::now()) {
            tracing::warn!(%error, file = %journal.file.display(), "the journal of revocations is not compacted");
        }
        journal
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Adds a post. It is on the disk when this returns.
    pub(super) fn append(&self, posted: &Posted) -> io::Result<()> {
        if let Some(folder) = self.file.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let mut line = serde_json::to_vec(posted)?;
        line.push(b'\n');
        loop {
            let mut file = OpenOptions::new().create(true).read(true).append(true).mode(0o600).open(&self.file)?;
            flock(&file, FlockOperation::LockExclusive)?;
            // Another process may have put a shorter one in its place.
            if std::fs::metadata(&self.file)
                .is_ok_and(|now| Some(now.ino()) == file.metadata().ok().map(|own| own.ino()))
            {
                let end = file.metadata()?.len();
                let mut last = [b'\n'];
                if end > 0 {
                    file.read_exact_at(&mut last, end - 1)?;
                }
                if last != [b'\n'] {
                    // Whoever wrote it has not come to its end, and never will: this process has the lock.
                    file.write_all(b"\n")?;
                }
                file.write_all(&line)?;
                return file.sync_data();
            }
        }
    }

    /// Applies what was added since the last time.
    pub(crate) fn catch_up(&self, issuers: &Issuers, now: SystemTime) {
        match self.read_on(issuers, now) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, file = %self.file.display(), "posted revocations can't be read");
            }
            _ => {}
        }
    }

    fn read_on(&self, issuers: &Issuers, now: SystemTime) -> io::Result<()> {
        let now = seconds(now);
        let (inode, mut offset) = self.read.get();
        let metadata = std::fs::metadata(&self.file)?;
        if metadata.ino() == inode && metadata.len() == offset {
            return Ok(());
        }
        let mut file = File::open(&self.file)?;
        let metadata = file.metadata()?;
        if metadata.ino() != inode || metadata.len() < offset {
            offset = 0;
        }
        file.seek(SeekFrom::Start(offset))?;
        lines(&mut BufReader::new(file), |line| {
            offset += line.len() as u64;
            let Ok(posted) = serde_json::from_slice::<Posted>(line) else { return };
            if let Some(set) = issuers.posted(&posted.issuer) {
                // Full: the set says itself that it is incomplete.
                posted.revocations.iter().for_each(|revocation| {
                    let _ = set.insert(revocation, now);
                });
            }
        })?;
        self.read.set((metadata.ino(), offset));
        Ok(())
    }

    fn compact(&self, now: SystemTime) -> io::Result<()> {
        let now = seconds(now);
        let file = match OpenOptions::new().read(true).append(true).open(&self.file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        flock(&file, FlockOperation::LockExclusive)?;
        let bytes = file.metadata()?.len();
        if bytes < COMPACT_FROM_BYTES {
            return Ok(());
        }
        let mut kept = Vec::new();
        lines(&mut BufReader::new(&file), |line| {
            let Ok(mut posted) = serde_json::from_slice::<Posted>(line) else { return };
            posted.revocations.retain(|revocation| revocation.until > now);
            if !posted.revocations.is_empty() && serde_json::to_writer(&mut kept, &posted).is_ok() {
                kept.push(b'\n');
            }
        })?;
        if kept.len() as u64 > bytes / 2 {
            return Ok(());
        }
        let new = self.file.with_extension("new");
        let mut shorter = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
        shorter.write_all(&kept)?;
        shorter.sync_all()?;
        std::fs::rename(&new, &self.file)
    }
}

/// Calls `take` with each whole line and its end. One that is being written waits for the next time.
fn lines(reader: &mut impl BufRead, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return Ok(());
        }
        take(&line);
    }
}

fn seconds(moment: SystemTime) -> u64 {
    moment.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serve::contract::link::{Revocation, RevocationKind};
    use std::time::Duration;

    fn issuers() -> Issuers {
        let text = "[listener.a]\naddress = \"127.0.0.1:0\"\n[issuer.own]\niss = \"https://own.example\"\nkeys = { secret = \"0123456789abcdef0123456789abcdef\" }\n\
                    algorithms = [\"HS256\"]\naudiences = [\"a\"]\n\
                    [[route]]\nmatch = \"/\"\nauth = \"public\"\nrespond = { body = \"\" }";
        let config = crate::config::load_str("a.toml", text, &|_| None, Path::new(""));
        let config = config.unwrap_or_else(|problems| panic!("{problems}"));
        Issuers::build(&config.issuers, None).expect("issuers")
    }

    fn posted(value: &str, until: u64) -> Posted {
        let revocation = Revocation { kind: RevocationKind::Jti, value: value.to_owned(), before: None, until };
        Posted { issuer: "own".to_owned(), revocations: vec![revocation] }
    }

    #[test]
    fn what_one_process_was_told_the_others_know_and_the_next() {
        let folder = tempfile::tempdir().expect("a folder");
        let now = UNIX_EPOCH + Duration::from_secs(100);
        let (one, other) = (Journal::of(&folder.path().join("state")), Journal::of(&folder.path().join("state")));
        let known = issuers();
        let count = || known.posted("own").expect("the issuer").len();
        other.catch_up(&known, now);
        one.append(&posted("a", 200)).expect("kept");
        other.catch_up(&known, now);
        assert_eq!(count(), 1);
        // One that is being written is no line yet.
        let mut file = OpenOptions::new().append(true).open(one.file()).expect("the file");
        let line = serde_json::to_string(&posted("b", 200)).expect("JSON");
        file.write_all(line.as_bytes()).expect("written");
        other.catch_up(&known, now);
        assert_eq!(count(), 1);
        file.write_all(b"\nnonsense\n").expect("written");
        other.catch_up(&known, now);
        assert_eq!(count(), 2);

        let next = issuers();
        Journal::of(&folder.path().join("state")).catch_up(&next, now);
        assert_eq!(next.posted("own").expect("the issuer").len(), 2);

        // What a crash has left of a line takes no other with it.
        file.write_all(b"{\"issuer\":").expect("written");
        one.append(&posted("c", 200)).expect("kept");
        other.catch_up(&known, now);
        assert_eq!(count(), 3);
    }

    #[test]
    fn a_start_leaves_out_what_has_expired_and_the_others_follow() {
        let folder = tempfile::tempdir().expect("a folder");
        let (one, known) = (Journal::of(folder.path()), issuers());
        let expired = posted(&"x".repeat(500), 10);
        let mut text = Vec::new();
        while text.len() as u64 <= COMPACT_FROM_BYTES {
            text.extend(serde_json::to_vec(&expired).expect("JSON"));
            text.push(b'\n');
        }
        std::fs::write(one.file(), text).expect("written");
        one.append(&posted("lasting", u64::MAX)).expect("kept");
        one.catch_up(&known, SystemTime::now());
        let other = Journal::of(folder.path());
        assert!(std::fs::metadata(one.file()).expect("the file").len() < 200);
        other.append(&posted("later", u64::MAX)).expect("kept");
        one.catch_up(&known, SystemTime::now());
        assert_eq!(known.posted("own").expect("the issuer").len(), 2);
    }
}
