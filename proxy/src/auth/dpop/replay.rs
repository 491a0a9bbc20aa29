//! Proofs that were used, for as long as they could be used again (RFC 9449 section 11.1).
//!
//! Exact: nothing is forgotten while its time would still pass, and when there is no room a proof is refused. A client
//! gets in only with a good token and a good proof, and fills the share of its own key at most, so that the others are
//! not locked out by one.

use super::proof::AGE_SECONDS_MAX;
use aws_lc_rs::digest::{Context, SHA256};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Proofs of all clients in the window of time: about 2,900 a second, which take at most 40 MB.
pub(super) const PROOFS_MAX: usize = 1 << 18;

/// Parts with a lock each. A key's proofs are all in one.
const SHARES: usize = 64;

/// A proof's name: the SHA-256 of the key's thumbprint and `jti`.
type Name = [u8; 32];

/// The proofs that were used, shared by all workers.
#[derive(Debug)]
pub(super) struct Replays {
    shares: Box<[Mutex<Share>]>,
    share_max: usize,
}

#[derive(Debug, Default)]
struct Share {
    used: HashMap<Name, ()>,
    /// The same by `iat`, to forget them in time.
    by_time: BTreeMap<u64, Vec<Name>>,
    /// The newest `iat` of which something was forgotten. When the clock is set back, proofs up to here could have
    /// been used.
    forgotten: u64,
}

/// Why a proof may not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// It was used.
    Used,
    /// Whether it was used is not known any more.
    Forgotten,
    /// There is no room to remember it.
    Full,
}

impl Replays {
    /// Remembers at most `proofs_max`.
    pub(super) fn new(proofs_max: usize) -> Self {
        Self { shares: (0..SHARES).map(|_| Mutex::default()).collect(), share_max: proofs_max / SHARES }
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shares.iter().map(|share| lock(share).used.len()).sum()
    }

    /// Uses a proof. Both times are in seconds since 1970; `issued_at` has passed the check of its time.
    pub(super) fn spend(&self, thumbprint: &str, jti: &str, issued_at: u64, now: u64) -> Result<(), Refused> {
        let mut name = Context::new(&SHA256);
        // A thumbprint has always the same length.
        name.update(thumbprint.as_bytes());
        name.update(jti.as_bytes());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(name.finish().as_ref());
        let place = thumbprint.bytes().fold(0_u8, u8::wrapping_add);
        lock(&self.shares[usize::from(place) % SHARES]).spend(bytes, issued_at, now, self.share_max)
    }
}

fn lock(share: &Mutex<Share>) -> MutexGuard<'_, Share> {
    share.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Share {
    fn spend(&mut self, name: Name, issued_at: u64, now: u64, max: usize) -> Result<(), Refused> {
        self.forget(now);
        if issued_at <= self.forgotten {
            return Err(Refused::Forgotten);
        }
        let full = self.used.len() >= max;
        match self.used.entry(name) {
            Entry::Occupied(_) => Err(Refused::Used),
            Entry::Vacant(_) if full => Err(Refused::Full),
            Entry::Vacant(place) => {
                place.insert(());
                self.by_time.entry(issued_at).or_default().push(name);
                Ok(())
            }
        }
    }

    /// Forgets what its time alone refuses.
    fn forget(&mut self, now: u64) {
        while let Some(oldest) = self.by_time.first_entry() {
            if oldest.key().saturating_add(AGE_SECONDS_MAX) >= now {
                return;
            }
            self.forgotten = *oldest.key();
            for name in oldest.remove() {
                self.used.remove(&name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::Arc;
    use std::thread;

    const NOW: u64 = 1_800_000_000;

    #[test]
    fn a_proof_is_used_once_by_its_key() {
        let replays = Replays::new(640);
        assert_eq!(replays.spend("a", "1", NOW, NOW), Ok(()));
        assert_eq!(replays.spend("a", "1", NOW, NOW), Err(Refused::Used));
        assert_eq!(replays.spend("a", "1", NOW + 5, NOW + 5), Err(Refused::Used), "signed anew");
        assert_eq!(replays.spend("a", "2", NOW, NOW), Ok(()));
        assert_eq!(replays.spend("b", "1", NOW, NOW), Ok(()), "another client's counter");
        assert_eq!(replays.len(), 3);
    }

    #[test]
    fn a_full_share_refuses_until_time_makes_room() {
        let replays = Replays::new(2 * SHARES);
        for jti in ["1", "2"] {
            assert_eq!(replays.spend("a", jti, NOW, NOW), Ok(()));
        }
        assert_eq!(replays.spend("a", "3", NOW, NOW), Err(Refused::Full));
        assert_eq!(replays.spend("a", "1", NOW, NOW), Err(Refused::Used), "what is known stays known");
        assert_eq!(replays.spend("b", "1", NOW, NOW), Ok(()), "other keys have room");
        let later = NOW + AGE_SECONDS_MAX;
        assert_eq!(replays.spend("a", "3", later, later), Err(Refused::Full), "the first could still be used");
        assert_eq!(replays.spend("a", "3", later, later + 1), Ok(()));
        assert_eq!(replays.len(), 2);
    }

    #[test]
    fn a_clock_that_is_set_back_opens_no_door() {
        let replays = Replays::new(640);
        assert_eq!(replays.spend("a", "1", NOW, NOW), Ok(()));
        let later = NOW + AGE_SECONDS_MAX + 1;
        assert_eq!(replays.spend("a", "2", later, later), Ok(()));
        assert_eq!(replays.spend("a", "1", NOW, NOW), Err(Refused::Forgotten));
    }

    #[test]
    fn many_threads_use_a_proof_once() {
        let replays = Arc::new(Replays::new(1 << 12));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let replays = Arc::clone(&replays);
                thread::spawn(move || {
                    (0..50).filter(|jti| replays.spend("a", &jti.to_string(), NOW, NOW).is_ok()).count()
                })
            })
            .collect();
        let used: usize = threads.into_iter().map(|thread| thread.join().expect("a count")).sum();
        assert_eq!(used, 50);
    }

    proptest! {
        /// Whatever comes in whatever order of time: nothing passes twice while its time would.
        #[test]
        fn nothing_passes_twice(uses in prop::collection::vec((0..4_u8, 0..200_u64, 0..90_u64), 0..200)) {
            let replays = Replays::new(640);
            let mut passed = std::collections::HashSet::new();
            let mut now = NOW;
            for (jti, step, behind) in uses {
                now += step % 7;
                let issued_at = now - behind.min(AGE_SECONDS_MAX);
                if replays.spend("a", &format!("{jti} {issued_at}"), issued_at, now).is_ok() {
                    prop_assert!(passed.insert((jti, issued_at)), "{jti} {issued_at} passed twice");
                }
            }
        }
    }
}
