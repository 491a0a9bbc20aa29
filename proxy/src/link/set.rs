//! The set of all revocations in force, shared by all workers.
//!
//! An entry is a keyed 128-bit fingerprint of kind and value, with the moment until which it counts: 24 bytes, whatever
//! the value's length. The keys are random and this process's own, so that nobody can look for two values with one
//! fingerprint; by chance, a token in 2^108 would meet one of a million entries. A filter with false positives would
//! lock innocent users out.
//!
//! The set is cut into shards, each behind a lock that a reader takes with one atomic addition; a writer holds it for
//! one insertion. While nothing is revoked a look is one relaxed load.

use serve::contract::link::{Revocation, RevocationKind};
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::sync::{LazyLock, PoisonError, RwLock};

/// Entries of one set. Beyond it nothing is taken, and routes that need all revocations say so.
const ENTRIES_MAX: usize = 1_000_000;
const SHARDS: usize = 256;

static KEYS: LazyLock<[RandomState; 2]> = LazyLock::new(|| [RandomState::new(), RandomState::new()]);

/// What a revocation is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u32; 4]);

impl Fingerprint {
    /// Of a value of one kind.
    #[must_use]
    pub fn of(kind: RevocationKind, value: &str) -> Self {
        let half = |key: &RandomState| key.hash_one((kind, value));
        let [one, two] = [half(&KEYS[0]), half(&KEYS[1])];
        #[expect(clippy::cast_possible_truncation, reason = "each half is cut into two words")]
        Self([one as u32, (one >> 32) as u32, two as u32, (two >> 32) as u32])
    }

    fn shard(self) -> usize {
        self.0[3] as usize % SHARDS
    }
}

impl std::hash::Hash for Fingerprint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(u64::from(self.0[0]) | (u64::from(self.0[1]) << 32));
    }
}

/// A fingerprint is as random as any hash of it.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// In seconds since 1970. Four bytes last until 2106.
#[derive(Debug, Clone, Copy)]
struct Entry {
    until: u32,
    /// Of a subject: tokens issued before it.
    before: u32,
}

type Shard = HashMap<Fingerprint, Entry, BuildHasherDefault<AsItIs>>;

/// The set has no room for another entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {ENTRIES_MAX} revocations are in force")]
pub struct Full;

/// Revocations in force.
#[derive(Debug)]
pub struct RevocationSet {
    shards: Box<[RwLock<Shard>]>,
    entries: AtomicUsize,
    entries_max: usize,
    /// Until when something is missing that did not fit; 0: nothing is.
    incomplete_until: AtomicU32,
}

impl Default for RevocationSet {
    fn default() -> Self {
        Self::with_room_for(ENTRIES_MAX)
    }
}

impl RevocationSet {
    /// An empty set of at most so many entries.
    #[must_use]
    pub fn with_room_for(entries_max: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            entries: AtomicUsize::new(0),
            entries_max,
            incomplete_until: AtomicU32::new(0),
        }
    }

    /// Takes a revocation. One that is known is prolonged, never shortened. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// There is no room; [`RevocationSet::is_complete`] says no until the entry would have been forgotten.
    pub fn insert(&self, revocation: &Revocation, now: u64) -> Result<(), Full> {
        if revocation.until <= now {
            return Ok(());
        }
        let new = Entry { until: short(revocation.until), before: short(revocation.before.unwrap_or_default()) };
        let fingerprint = Fingerprint::of(revocation.kind, &revocation.value);
        let mut shard = self.shards[fingerprint.shard()].write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = shard.get_mut(&fingerprint) {
            *known = Entry { until: known.until.max(new.until), before: known.before.max(new.before) };
            return Ok(());
        }
        // Counted first, so that writers on several threads do not pass the limit together.
        if self.entries.fetch_add(1, Relaxed) >= self.entries_max {
            self.entries.fetch_sub(1, Relaxed);
            self.incomplete_until.fetch_max(new.until, Relaxed);
            return Err(Full);
        }
        shard.insert(fingerprint, new);
        Ok(())
    }

    /// Whether something of this fingerprint is revoked at `now`.
    #[must_use]
    pub fn contains(&self, fingerprint: Fingerprint, now: u64) -> bool {
        self.get(fingerprint, now).is_some()
    }

    /// Whether tokens of the subject that were issued at `issued_at` are revoked at `now`. A token that does not say
    /// when it was issued may be as old as any.
    #[must_use]
    pub fn contains_before(&self, subject: Fingerprint, issued_at: Option<u64>, now: u64) -> bool {
        self.get(subject, now).is_some_and(|entry| issued_at.is_none_or(|at| at < u64::from(entry.before)))
    }

    fn get(&self, fingerprint: Fingerprint, now: u64) -> Option<Entry> {
        if self.is_empty() {
            return None;
        }
        let shard = self.shards[fingerprint.shard()].read().unwrap_or_else(PoisonError::into_inner);
        shard.get(&fingerprint).copied().filter(|entry| u64::from(entry.until) > now)
    }

    /// Whether nothing is revoked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.load(Relaxed) == 0
    }

    /// How many entries there are, those included that have expired and are not swept yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.load(Relaxed)
    }

    /// Whether everything that was told and has not expired is in the set.
    #[must_use]
    pub fn is_complete(&self, now: u64) -> bool {
        u64::from(self.incomplete_until.load(Relaxed)) <= now
    }

    /// Forgets what has expired, a shard at a time.
    pub fn forget_expired(&self, now: u64) {
        for shard in &self.shards {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            let before = shard.len();
            shard.retain(|_, entry| u64::from(entry.until) > now);
            self.entries.fetch_sub(before - shard.len(), Relaxed);
            if shard.capacity() > 64 && shard.len() < shard.capacity() / 4 {
                shard.shrink_to_fit();
            }
        }
    }

    /// The memory of all tables, in bytes: a slot is an entry and one byte of the table's own.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let slot_bytes = size_of::<(Fingerprint, Entry)>() + 1;
        let of = |shard: &RwLock<Shard>| {
            let capacity = shard.read().unwrap_or_else(PoisonError::into_inner).capacity();
            // The capacity is seven eighths of the slots, whose number is a power of two.
            (capacity * 8 / 7).next_power_of_two() * slot_bytes
        };
        self.shards.iter().map(of).sum::<usize>() + SHARDS * size_of::<RwLock<Shard>>()
    }
}

fn short(seconds: u64) -> u32 {
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn revocation(kind: RevocationKind, value: &str, before: Option<u64>, until: u64) -> Revocation {
        Revocation { kind, value: value.to_owned(), before, until }
    }

    #[test]
    fn what_is_revoked_counts_until_its_time_and_is_forgotten() {
        let (set, jti) = (RevocationSet::default(), Fingerprint::of(RevocationKind::Jti, "a"));
        set.insert(&revocation(RevocationKind::Jti, "a", None, 100), 50).expect("room");
        set.insert(&revocation(RevocationKind::Jti, "late", None, 50), 50).expect("room");
        assert!(set.contains(jti, 99) && !set.contains(jti, 100));
        assert!(!set.contains(Fingerprint::of(RevocationKind::Kid, "a"), 60), "another kind");
        set.insert(&revocation(RevocationKind::Jti, "a", None, 80), 50).expect("room");
        assert!(set.contains(jti, 99), "never shortened");
        set.insert(&revocation(RevocationKind::Jti, "a", None, 200), 50).expect("room");
        assert_eq!(set.len(), 1);
        set.forget_expired(199);
        assert_eq!(set.len(), 1);
        set.forget_expired(200);
        assert!(set.is_empty());
    }

    #[test]
    fn a_subject_is_revoked_up_to_a_moment() {
        let (set, subject) = (RevocationSet::default(), Fingerprint::of(RevocationKind::SubjectBefore, "ann"));
        for before in [70, 60] {
            set.insert(&revocation(RevocationKind::SubjectBefore, "ann", Some(before), 100), 50).expect("room");
        }
        for (issued_at, revoked) in [(Some(69), true), (Some(70), false), (None, true)] {
            assert_eq!(set.contains_before(subject, issued_at, 80), revoked, "{issued_at:?}");
        }
        assert!(!set.contains_before(subject, None, 100));
    }

    #[test]
    fn a_full_set_says_that_it_is_incomplete_until_what_it_lacks_has_expired() {
        let set = RevocationSet::with_room_for(2);
        for value in ["a", "b"] {
            set.insert(&revocation(RevocationKind::Jti, value, None, 100), 50).expect("room");
        }
        assert!(set.is_complete(50));
        assert_eq!(set.insert(&revocation(RevocationKind::Jti, "c", None, 90), 50), Err(Full));
        set.insert(&revocation(RevocationKind::Jti, "a", None, 120), 50).expect("known");
        assert!(!set.is_complete(89) && set.is_complete(90));
        assert_eq!(set.len(), 2);
    }

    #[test]
    fn a_million_revocations_take_less_than_64_mebibytes() {
        const COUNT: usize = 1_000_000;
        let (set, started) = (RevocationSet::default(), Instant::now());
        for n in 0..COUNT {
            set.insert(&revocation(RevocationKind::Jti, &format!("{n:032x}"), None, 100), 50).expect("room");
        }
        let insertion = started.elapsed() / 1_000_000;
        assert_eq!(set.len(), COUNT);
        let bytes = set.memory_bytes();
        assert!(bytes < 64 << 20, "{bytes} bytes");
        let looks: Vec<_> =
            (0..COUNT).map(|n| Fingerprint::of(RevocationKind::Jti, &format!("{:032x}", n * 2))).collect();
        let started = Instant::now();
        let found = looks.iter().filter(|&&look| set.contains(look, 60)).count();
        let look = started.elapsed() / 1_000_000;
        assert_eq!(found, COUNT / 2, "all that are there, and nothing else");
        println!(
            "1,000,000 revocations: {:.1} MiB, {look:?} a look, {insertion:?} an insertion",
            bytes as f64 / 1048576.0
        );
    }

    /// Readers on other threads while a writer adds and forgets: what is in the set is always seen.
    #[test]
    fn readers_see_what_is_there_while_others_come_and_go() {
        let set = RevocationSet::default();
        let kept = Fingerprint::of(RevocationKind::Session, "kept");
        set.insert(&revocation(RevocationKind::Session, "kept", None, 1_000_000), 0).expect("room");
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for n in 0..100_000_u64 {
                    set.insert(&revocation(RevocationKind::Jti, &n.to_string(), None, n + 1), n).expect("room");
                    if n % 1000 == 999 {
                        set.forget_expired(n + 1);
                    }
                }
            });
            while !writer.is_finished() {
                assert!(set.contains(kept, 0));
            }
        });
        assert_eq!(set.len(), 1);
    }
}
