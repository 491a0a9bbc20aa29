//! What has been used once: an assertion that is seen a second time is a copy, however young it is.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

/// For how long ids are remembered at least, in seconds: a lifetime, and the difference of clocks on both sides.
const WINDOW_SECONDS: u64 = 40;
/// Ids of one window; some 13,000 requests a second for 40 seconds. Beyond it the oldest are forgotten early.
const IDS_MAX: usize = 512 * 1024;

/// The ids of the last one or two windows.
#[derive(Debug, Default)]
pub(super) struct Replay {
    /// Keyed at random, so that nobody can make ids that fall together.
    hasher: RandomState,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    since: u64,
    current: HashSet<u64>,
    before: HashSet<u64>,
}

impl Replay {
    /// Whether an id comes for the first time. `now` is in seconds since 1970.
    pub(super) fn is_first(&self, id: &str, now: u64) -> bool {
        let hash = self.hasher.hash_one(id);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = seen.current.len() >= IDS_MAX;
        if is_full {
            tracing::warn!("more requests than the memory of used assertions holds: the oldest are forgotten early");
        }
        if is_full || now.abs_diff(seen.since) >= WINDOW_SECONDS {
            seen.before = std::mem::take(&mut seen.current);
            seen.since = now;
        }
        !seen.before.contains(&hash) && seen.current.insert(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_counts_once_within_its_window() {
        let replay = Replay::default();
        assert!(replay.is_first("a", 1000));
        for now in [1000, 1039, 1041] {
            assert!(!replay.is_first("a", now), "{now}");
        }
        assert!(replay.is_first("b", 1079));
        assert!(replay.is_first("a", 1121), "two windows later its assertion is too old anyway");
    }

    #[test]
    fn memory_is_bounded() {
        let replay = Replay::default();
        for n in 0..=IDS_MAX {
            assert!(replay.is_first(&n.to_string(), 5));
        }
        let seen = replay.seen.lock().expect("not poisoned");
        assert_eq!((seen.before.len(), seen.current.len()), (IDS_MAX, 1));
    }
}
