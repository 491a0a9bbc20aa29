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

/// The files, as they were when they were read and at the last look.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    read: BTreeMap<PathBuf, Stamp>,
    seen: BTreeMap<PathBuf, Stamp>,
    /// As they were before they were read, while they are.
    before: BTreeMap<PathBuf, Stamp>,
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
    /// The files are about to be read: what becomes of those that are known from here on is a change.
    pub(crate) fn begin_reading(&mut self) {
        self.before = self.stamps();
    }

    fn stamps(&self) -> BTreeMap<PathBuf, Stamp> {
        self.read.keys().map(|file| (file.clone(), stamp(file))).collect()
    }

    /// Begins anew with these files, as they were before they were read, or, where they were not known then, as they are
    /// now.
    pub(crate) fn follow(&mut self, mut files: Vec<PathBuf>, config: Option<&Config>) {
        if let Some(config) = config {
            let keys = config.upstreams.iter().filter_map(|upstream| upstream.assertion_key.as_ref());
            files.extend(keys.map(|key| key.path.clone()));
        } else {
            // What was not reached behind a mistake is still watched: its change may be what mends it.
            files.extend(self.read.keys().cloned());
        }
        let before = std::mem::take(&mut self.before);
        let stamped = |file: PathBuf| {
            let stamp = before.get(&file).copied().unwrap_or_else(|| stamp(&file));
            (file, stamp)
        };
        self.read = files.into_iter().map(stamped).collect();
        self.seen.clone_from(&self.read);
    }

    /// Looks at all of them.
    pub(crate) fn look(&mut self) -> Look {
        let now = self.stamps();
        let rests = now == self.seen;
        self.seen = now;
        match (self.seen == self.read, rests) {
            (true, _) => Look::Same,
            (false, false) => Look::Changing,
            (false, true) => Look::Changed,
        }
    }
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

    #[test]
    fn a_change_counts_once_it_is_at_rest() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, missing) = (folder.path().join("a.toml"), folder.path().join("b.toml"));
        fs::write(&file, "one").expect("written");
        let mut watch = Watch::default();
        watch.follow(vec![file.clone(), missing.clone()], None);
        assert_eq!(watch.look(), Look::Same);
        fs::write(&file, "three").expect("written");
        assert_eq!([watch.look(), watch.look()], [Look::Changing, Look::Changed]);
        watch.follow(Vec::new(), None);
        assert_eq!(watch.look(), Look::Same, "files from before are still watched, as they are now");
        // As editors do it.
        let new = folder.path().join("new");
        fs::write(&new, "three").expect("written");
        fs::rename(&new, &file).expect("renamed");
        fs::write(&missing, "").expect("written");
        assert_eq!(watch.look(), Look::Changing);
        fs::write(&missing, "more").expect("written");
        assert_eq!([watch.look(), watch.look()], [Look::Changing, Look::Changed]);
    }

    /// Found in a review: the files were looked at behind their reading, so what changed meanwhile was never noticed.
    #[test]
    fn what_changes_while_it_is_read_is_a_change() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.toml");
        fs::write(&file, "one").expect("written");
        let mut watch = Watch::default();
        watch.follow(vec![file.clone()], None);
        watch.begin_reading();
        assert_eq!(fs::read(&file).expect("read"), b"one");
        fs::write(&file, "three").expect("written");
        watch.follow(vec![file], None);
        assert_eq!([watch.look(), watch.look()], [Look::Changing, Look::Changed]);
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
        watch.follow(vec![path("a.toml")], None);
        assert_eq!(watch.look(), Look::Same);
        symlink("v2", path("..data_tmp")).expect("a link");
        fs::rename(path("..data_tmp"), path("..data")).expect("renamed");
        assert_eq!([watch.look(), watch.look()], [Look::Changing, Look::Changed]);
    }
}
