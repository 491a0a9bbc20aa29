//! Whether the files of the configuration have changed: all that were looked at when it was read, and the key files
//! that are read later.
//!
//! They are looked at, not listened to: `stat` of some dozen paths a second costs nothing, follows symbolic links (which
//! is how a mounted Kubernetes `ConfigMap` changes), sees files that are replaced as a whole, and works on every file
//! system, the remote ones too, where inotify is silent.

use crate::config::Config;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What tells two states of a file apart; `None`: there is no file.
type Stamp = Option<(u64, u64, i64, i64, u64)>;

/// The state of files.
pub(crate) type Stamps = BTreeMap<PathBuf, Stamp>;

/// The files, as they were when they were read and at the last look. Never looks itself: whoever does may have to wait
/// for a disk.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    read: Stamps,
    seen: Stamps,
}

/// What a look has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Nothing new.
    Same,
    /// Something is being changed: the next look tells whether that has ended.
    Changing,
    /// Something has changed and is at rest.
    Changed,
}

impl Watch {
    /// The files to look at.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.read.keys().cloned().collect()
    }

    /// Begins anew with what [`reading`] says.
    pub(crate) fn follow(&mut self, read: Stamps) {
        self.seen.clone_from(&read);
        self.read = read;
    }

    /// Takes in what a look at all of them has found.
    pub(crate) fn look(&mut self, now: Stamps) -> Look {
        let rests = now == self.seen;
        self.seen = now;
        match (self.seen == self.read, rests) {
            (true, _) => Look::Same,
            (false, false) => Look::Changing,
            (false, true) => Look::Changed,
        }
    }
}

/// Loads a configuration, which says what files it looked at. With them come the files to watch: as they were before, if
/// they are `known`, since what becomes of those from here on is a change; the others as they are now. May wait for disks.
pub(crate) fn reading<E>(
    known: Vec<PathBuf>,
    load: impl FnOnce() -> (Result<Config, E>, Vec<PathBuf>),
) -> (Result<Config, E>, Stamps) {
    let before = stamps(known);
    let (loaded, mut files) = load();
    if let Ok(config) = &loaded {
        let keys = config.upstreams.iter().filter_map(|upstream| upstream.assertion_key.as_ref());
        files.extend(keys.map(|key| key.path.clone()));
    } else {
        // What was not reached behind a mistake is still watched: its change may be what mends it.
        files.extend(before.keys().cloned());
    }
    let stamped = |file: PathBuf| {
        let stamp = before.get(&file).copied().unwrap_or_else(|| stamp(&file));
        (file, stamp)
    };
    (loaded, files.into_iter().map(stamped).collect())
}

/// Looks at files. May wait for disks.
pub(crate) fn stamps(files: Vec<PathBuf>) -> Stamps {
    let stamped = |file: PathBuf| {
        let stamp = stamp(&file);
        (file, stamp)
    };
    files.into_iter().map(stamped).collect()
}

fn stamp(file: &Path) -> Stamp {
    let file = if file.as_os_str().is_empty() { Path::new(".") } else { file };
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.dev(), metadata.ino(), metadata.mtime(), metadata.mtime_nsec(), metadata.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// Reads these files; there is a mistake in them.
    fn follow(watch: &mut Watch, files: Vec<PathBuf>) {
        let (_, read) = reading(watch.files(), || (Err(()), files));
        watch.follow(read);
    }

    fn look(watch: &mut Watch) -> Look {
        watch.look(stamps(watch.files()))
    }

    #[test]
    fn a_change_counts_once_it_is_at_rest() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, missing) = (folder.path().join("a.toml"), folder.path().join("b.toml"));
        fs::write(&file, "one").expect("written");
        let mut watch = Watch::default();
        follow(&mut watch, vec![file.clone(), missing.clone()]);
        assert_eq!(look(&mut watch), Look::Same);
        fs::write(&file, "three").expect("written");
        assert_eq!([look(&mut watch), look(&mut watch)], [Look::Changing, Look::Changed]);
        follow(&mut watch, Vec::new());
        assert_eq!(look(&mut watch), Look::Same, "files from before are still watched, as they are now");
        // As editors do it.
        let new = folder.path().join("new");
        fs::write(&new, "three").expect("written");
        fs::rename(&new, &file).expect("renamed");
        fs::write(&missing, "").expect("written");
        assert_eq!(look(&mut watch), Look::Changing);
        fs::write(&missing, "more").expect("written");
        assert_eq!([look(&mut watch), look(&mut watch)], [Look::Changing, Look::Changed]);
    }

    /// Found in a review: the files were looked at behind their reading, so what changed meanwhile was never noticed.
    #[test]
    fn what_changes_while_it_is_read_is_a_change() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.toml");
        fs::write(&file, "one").expect("written");
        let mut watch = Watch::default();
        follow(&mut watch, vec![file.clone()]);
        let (_, read) = reading(watch.files(), || {
            assert_eq!(fs::read(&file).expect("read"), b"one");
            fs::write(&file, "three").expect("written");
            (Err(()), vec![file])
        });
        watch.follow(read);
        assert_eq!([look(&mut watch), look(&mut watch)], [Look::Changing, Look::Changed]);
    }

    /// A mounted ConfigMap: the file is a link through `..data`, which is a link to a folder and is replaced.
    #[test]
    fn a_link_that_leads_elsewhere_is_a_change() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for version in ["v1", "v2"] {
            fs::create_dir(path(version)).expect("a folder");
            fs::write(path(version).join("a.toml"), "same").expect("written");
        }
        symlink("v1", path("..data")).expect("a link");
        symlink("..data/a.toml", path("a.toml")).expect("a link");
        let mut watch = Watch::default();
        follow(&mut watch, vec![path("a.toml")]);
        assert_eq!(look(&mut watch), Look::Same);
        symlink("v2", path("..data_tmp")).expect("a link");
        fs::rename(path("..data_tmp"), path("..data")).expect("renamed");
        assert_eq!([look(&mut watch), look(&mut watch)], [Look::Changing, Look::Changed]);
    }
}
