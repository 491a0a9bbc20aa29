//! The large files that one worker holds open: a hit saves the resolution of the name, and that of its twins' names.
//!
//! What is in memory can't change under an answer; what is held open can, by a write in place. So each use asks for the
//! file's state, which for an open file needs no disk. It also tells when another file has taken the name: the old one
//! has lost a link then, which changes its state too.

use super::places::{Place, Places};
use super::representation::{Content, Representation};
use super::stamp::Stamp;
use lru::LruCache;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// A file that nobody asks for is closed after this time: its disk space may be wanted, where it was deleted meanwhile.
const UNUSED_MAX: Duration = Duration::from_secs(60);

/// Tells the files of different roots apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ServerId(pub u64);

/// Open files by the hash of server and path, the least recently served leave first.
#[derive(Debug)]
pub(super) struct OpenFiles {
    entries: LruCache<u64, Entry>,
    count_max: usize,
    /// Files that are open beside those of the entries.
    places: Places,
}

#[derive(Debug)]
struct Entry {
    server: ServerId,
    path: Box<str>,
    stamp: Stamp,
    representation: Rc<Representation>,
    fresh_until: Instant,
    used_at: Instant,
}

impl OpenFiles {
    /// Holds at most so many files. Each may have twins in three codings, which are open too.
    pub(super) fn new(count_max: usize) -> Self {
        Self { entries: LruCache::unbounded(), count_max, places: Places::default() }
    }

    /// How many are held.
    pub(super) fn len(&self) -> usize {
        self.entries.len() + self.places.taken()
    }

    /// A place for a file that somebody else holds, if there is room. They get half of all: it would be worse not to hold
    /// those that are too large for memory.
    pub(super) fn place(&self) -> Option<Place> {
        (self.len() < self.count_max && self.places.taken() < self.count_max / 2).then(|| self.places.take())
    }

    /// The file, if its name was looked up a moment ago and it has not changed since it was opened.
    pub(super) fn fresh(&mut self, key: u64, server: ServerId, path: &str, now: Instant) -> Option<Rc<Representation>> {
        let entry = self.entries.get_mut(&key).filter(|entry| entry.server == server && *entry.path == *path)?;
        entry.used_at = now;
        let is_fresh = now < entry.fresh_until && is_unchanged(&entry.representation, entry.stamp);
        is_fresh.then(|| Rc::clone(&entry.representation))
    }

    /// Holds a file that has just been opened. True when another one had to be closed for it.
    pub(super) fn insert(
        &mut self,
        key: u64,
        (server, path): (ServerId, &str),
        stamp: Stamp,
        representation: &Rc<Representation>,
        (now, fresh_until): (Instant, Instant),
    ) -> bool {
        let (path, representation) = (path.into(), Rc::clone(representation));
        self.entries.put(key, Entry { server, path, stamp, representation, fresh_until, used_at: now });
        let is_full = self.len() > self.count_max;
        if is_full {
            self.entries.pop_lru();
        }
        is_full
    }

    /// Lets go of a file that is gone.
    pub(super) fn forget(&mut self, key: u64) {
        self.entries.pop(&key);
    }

    /// Closes what nobody has asked for in a while.
    pub(super) fn sweep(&mut self, now: Instant) {
        while let Some((_, oldest)) = self.entries.peek_lru()
            && now.saturating_duration_since(oldest.used_at) >= UNUSED_MAX
        {
            self.entries.pop_lru();
        }
    }
}

fn is_unchanged(representation: &Representation, stamp: Stamp) -> bool {
    let is_same = match &representation.content {
        Content::Memory(_) => true,
        Content::File(file, ..) => Stamp::at_hand(file) == Ok(stamp),
    };
    is_same && representation.variants.are_unchanged()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_places_are_for_files_that_others_hold() {
        let open = OpenFiles::new(4);
        let first = open.place().expect("the first");
        let _second = open.place().expect("the second");
        assert!(open.place().is_none());
        assert_eq!(open.len(), 2);
        drop(first);
        assert_eq!(open.len(), 1);
        assert!(open.place().is_some(), "it is free again");
        assert!(OpenFiles::new(0).place().is_none());
    }
}
