//! The small files that one worker keeps in memory: a hit costs a lookup and a copy of the prepared fields.
//!
//! Each worker has its own, so there are no locks. A file is looked up by the path as the client has written it, before
//! anything is decoded; only files that exist are kept, so no client can fill it with names of its own.

use super::body::Sealed;
use super::open_files::{OpenFiles, ServerId};
use super::places::Place;
use super::representation::{Content, Representation};
use super::stamp::Stamp;
use crate::metrics::FileCounters;
use lru::{DefaultHasher, LruCache};
use std::cell::RefCell;
use std::hash::BuildHasher;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often files that nobody asks for are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// What an entry costs beside its bytes and its path: fields, also as the texts that are made of them, validators, the
/// list's links. Rounded up.
const ENTRY_BYTES: usize = 4096;

/// The small files of one worker in memory and its large ones that are open, across all routes. Not `Sync`: each worker
/// makes its own.
#[derive(Debug)]
pub struct SmallFiles {
    kept: RefCell<Kept>,
    open: RefCell<OpenFiles>,
    bytes_max: usize,
    /// Quick, and not made against collisions: an entry repeats what it is for, and only files that exist have one.
    hasher: DefaultHasher,
    counters: Arc<FileCounters>,
}

#[derive(Debug)]
struct Kept {
    /// By the hash of server and path, which the entry repeats: so a lookup needs no owned key.
    entries: LruCache<u64, Entry>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    server: ServerId,
    path: Box<str>,
    stamp: Stamp,
    representation: Rc<Representation>,
    fresh_until: Instant,
}

impl Entry {
    fn cost(&self) -> usize {
        let content = match &self.representation.content {
            Content::Memory(bytes) => bytes.len(),
            Content::File(..) => 0,
        };
        let sealed = self.representation.sealed.as_ref().map_or(0, Sealed::len);
        ENTRY_BYTES + self.path.len() + content + sealed + self.representation.variants.bytes()
    }

    fn is_for(&self, server: ServerId, path: &str) -> bool {
        self.server == server && *self.path == *path
    }
}

/// As much as each worker keeps unless it is told otherwise, counted by nobody.
impl Default for SmallFiles {
    fn default() -> Self {
        Self::new(32 * 1024 * 1024, 128, Arc::default())
    }
}

impl SmallFiles {
    /// Keeps at most `bytes_max` bytes and `open_max` open files, the least recently served leave first.
    #[must_use]
    pub fn new(bytes_max: usize, open_max: usize, counters: Arc<FileCounters>) -> Self {
        let kept = RefCell::new(Kept { entries: LruCache::unbounded(), bytes: 0 });
        let open = RefCell::new(OpenFiles::new(open_max));
        Self { kept, open, bytes_max, hasher: DefaultHasher::default(), counters }
    }

    /// Lets go of open files in time. Must be called on the worker's local runtime.
    pub fn sweep_regularly(self: &Rc<Self>) {
        let files = Rc::downgrade(self);
        tokio::task::spawn_local(async move {
            let mut ticks = tokio::time::interval(SWEEP_EVERY);
            loop {
                ticks.tick().await;
                let Some(files) = files.upgrade() else { return };
                files.sweep(Instant::now());
            }
        });
    }

    /// Closes open files that nobody has asked for in a while.
    pub(super) fn sweep(&self, now: Instant) {
        self.open.borrow_mut().sweep(now);
        self.note();
    }

    /// How many files are held open.
    #[cfg(test)]
    pub(super) fn open_count(&self) -> usize {
        self.open.borrow().len()
    }

    /// What is known of a path, as something that tells it from what is known later.
    #[cfg(test)]
    pub(super) fn known(&self, path: &str) -> Option<*const Representation> {
        let kept = self.kept.borrow();
        kept.entries.iter().find(|(_, entry)| *entry.path == *path).map(|(_, entry)| Rc::as_ptr(&entry.representation))
    }

    /// Bytes in use, at most `bytes_max`.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.kept.borrow().bytes
    }

    /// The file, if its last look at the disk still counts.
    pub(super) fn fresh(&self, server: ServerId, path: &str, now: Instant) -> Option<Rc<Representation>> {
        let mut kept = self.kept.borrow_mut();
        let entry = kept.entries.get(&self.key(server, path)).filter(|entry| entry.is_for(server, path))?;
        (now < entry.fresh_until).then(|| {
            self.counters.hits.increment();
            Rc::clone(&entry.representation)
        })
    }

    /// The same for a file that is too large for memory.
    pub(super) fn fresh_open(&self, server: ServerId, path: &str, now: Instant) -> Option<Rc<Representation>> {
        let found = self.open.borrow_mut().fresh(self.key(server, path), server, path, now)?;
        self.counters.hits.increment();
        Some(found)
    }

    /// The file as it was known, for whoever is about to look at the disk. It counts as looked at from now on: one
    /// request does the work, those that come meanwhile are still served.
    pub(super) fn claim(
        &self,
        server: ServerId,
        path: &str,
        fresh_until: Instant,
    ) -> Option<(Stamp, Rc<Representation>)> {
        let mut kept = self.kept.borrow_mut();
        let entry = kept.entries.get_mut(&self.key(server, path)).filter(|entry| entry.is_for(server, path))?;
        entry.fresh_until = fresh_until;
        Some((entry.stamp, Rc::clone(&entry.representation)))
    }

    /// Counts a look at the disk.
    pub(super) fn note_look(&self) {
        self.counters.looks.increment();
    }

    /// The right to hold open a copy of a file that is in memory, if there is room for one more.
    pub(super) fn place(&self) -> Option<Place> {
        self.open.borrow().place()
    }

    /// Holds a file open that has just been opened.
    pub(super) fn insert_open(
        &self,
        server: ServerId,
        path: &str,
        stamp: Stamp,
        representation: &Rc<Representation>,
        times: (Instant, Instant),
    ) {
        let mut open = self.open.borrow_mut();
        if open.insert(self.key(server, path), (server, path), stamp, representation, times) {
            self.counters.evictions.increment();
        }
        drop(open);
        self.note();
    }

    /// Keeps a file that has just been read, in place of what was known of the name; not one that is larger than
    /// everything that may be kept.
    pub(super) fn insert(
        &self,
        server: ServerId,
        path: &str,
        stamp: Stamp,
        representation: &Rc<Representation>,
        fresh_until: Instant,
    ) {
        let representation = Rc::clone(representation);
        let entry = Entry { server, path: path.into(), stamp, representation, fresh_until };
        let cost = entry.cost();
        if cost > self.bytes_max {
            return self.forget(server, path);
        }
        let mut kept = self.kept.borrow_mut();
        if let Some(replaced) = kept.entries.put(self.key(server, path), entry) {
            kept.bytes -= replaced.cost();
        }
        kept.bytes += cost;
        while kept.bytes > self.bytes_max
            && let Some((_, oldest)) = kept.entries.pop_lru()
        {
            kept.bytes -= oldest.cost();
            self.counters.evictions.increment();
        }
        drop(kept);
        self.note();
    }

    /// Exchanges what is known of a file for the same with one more coding, if it is still what is known.
    pub(super) fn exchange(&self, server: ServerId, path: &str, known: &Rc<Representation>, more: &Rc<Representation>) {
        let entry = {
            let mut kept = self.kept.borrow_mut();
            let is_known = |entry: &Entry| entry.is_for(server, path) && Rc::ptr_eq(&entry.representation, known);
            let key = self.key(server, path);
            if !kept.entries.peek(&key).is_some_and(is_known) {
                return;
            }
            let Some(entry) = kept.entries.pop(&key) else { return };
            kept.bytes -= entry.cost();
            entry
        };
        self.insert(server, path, entry.stamp, more, entry.fresh_until);
    }

    /// Drops a file that is gone.
    pub(super) fn forget(&self, server: ServerId, path: &str) {
        let key = self.key(server, path);
        let mut kept = self.kept.borrow_mut();
        if let Some(entry) = kept.entries.pop(&key) {
            kept.bytes -= entry.cost();
        }
        drop(kept);
        self.open.borrow_mut().forget(key);
        self.note();
    }

    /// Shows what there is.
    fn note(&self) {
        let kept = self.kept.borrow();
        self.counters.bytes.set(kept.bytes);
        self.counters.kept.set(kept.entries.len());
        self.counters.open.set(self.open.borrow().len());
    }

    fn key(&self, server: ServerId, path: &str) -> u64 {
        self.hasher.hash_one((server, path))
    }
}

#[cfg(test)]
mod tests {
    use super::super::cache_control::{Audience, CachePolicy};
    use super::super::validators::Validators;
    use super::*;
    use bytes::Bytes;
    use std::time::Duration;

    const SITE: ServerId = ServerId(1);

    fn file(length: usize) -> (Stamp, Rc<Representation>) {
        let stamp = Stamp::of(&std::fs::metadata("/").expect("metadata"));
        let policy = CachePolicy::of_audience(Audience::Everyone);
        let validators = Validators { etag: None, last_modified: None };
        let content = Content::Memory(Bytes::from(vec![0; length]));
        (stamp, Rc::new(Representation::new("a.txt", validators, content, &policy)))
    }

    fn soon(now: Instant) -> Instant {
        now + Duration::from_secs(1)
    }

    #[test]
    fn a_file_is_fresh_for_a_second_and_then_claimed_once() {
        let files = SmallFiles::default();
        let (stamp, representation) = file(10);
        let start = Instant::now();
        assert!(files.fresh(SITE, "/a", start).is_none());
        let later = start + Duration::from_secs(1);
        files.insert(SITE, "/a", stamp, &representation, later);
        assert!(files.fresh(SITE, "/a", later.checked_sub(Duration::from_millis(1)).expect("a time")).is_some());
        assert!(files.fresh(SITE, "/a", later).is_none());
        let claimed = files.claim(SITE, "/a", later + Duration::from_secs(1));
        assert_eq!(claimed.map(|(stamp, _)| stamp), Some(stamp));
        assert!(files.fresh(SITE, "/a", later).is_some(), "others are served while one looks");
    }

    #[test]
    fn roots_do_not_share_names() {
        let files = SmallFiles::default();
        let (stamp, representation) = file(10);
        let now = Instant::now();
        files.insert(SITE, "/a", stamp, &representation, soon(now));
        assert!(files.fresh(ServerId(2), "/a", now).is_none());
    }

    #[test]
    fn the_least_recently_served_leave_first_and_the_bytes_are_bounded() {
        let files = SmallFiles::new(3 * (ENTRY_BYTES + 1000 + 2), 0, Arc::default());
        let (stamp, representation) = file(1000);
        let now = Instant::now();
        for path in ["/a", "/b", "/c"] {
            files.insert(SITE, path, stamp, &representation, soon(now));
        }
        assert!(files.fresh(SITE, "/a", now).is_some());
        files.insert(SITE, "/d", stamp, &representation, soon(now));
        assert!(files.fresh(SITE, "/b", now).is_none(), "the oldest left");
        for path in ["/a", "/c", "/d"] {
            assert!(files.fresh(SITE, path, now).is_some(), "{path}");
        }
        assert!(files.bytes() <= files.bytes_max);
    }

    #[test]
    fn replacing_and_forgetting_keep_the_account() {
        let files = SmallFiles::default();
        let now = Instant::now();
        for length in [10, 5000, 1] {
            let (stamp, representation) = file(length);
            files.insert(SITE, "/a", stamp, &representation, soon(now));
            assert_eq!(files.bytes(), ENTRY_BYTES + 2 + length);
        }
        files.forget(SITE, "/a");
        files.forget(SITE, "/a");
        assert_eq!(files.bytes(), 0);
    }

    #[test]
    fn a_file_larger_than_everything_is_not_kept() {
        let files = SmallFiles::new(1000, 0, Arc::default());
        let (stamp, representation) = file(1000);
        files.insert(SITE, "/a", stamp, &representation, soon(Instant::now()));
        assert_eq!(files.bytes(), 0);
    }

    /// Found in a review: the version before stayed, and each look made it fresh again.
    #[test]
    fn a_file_that_has_become_too_large_is_not_answered_by_the_version_before() {
        let files = SmallFiles::new(ENTRY_BYTES + 1000, 0, Arc::default());
        let now = Instant::now();
        for length in [10, 5000] {
            let (stamp, representation) = file(length);
            files.insert(SITE, "/a", stamp, &representation, soon(now));
        }
        assert!(files.fresh(SITE, "/a", now).is_none());
        assert_eq!(files.bytes(), 0);
    }
}
