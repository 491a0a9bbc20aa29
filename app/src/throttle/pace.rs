//! A bounded table of paces: the generic cell rate algorithm, one number an entry (ITU-T I.371 annex A).

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

/// How long an address that has signed in is remembered without another sign-in.
const MARKED_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// So many at once, then one each pause.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pause_ms: u64,
    /// How far ahead of time an entry may be and still be admitted.
    slack_ms: u64,
}

impl Pace {
    pub(super) fn new(burst: NonZeroU32, pause: Duration) -> Self {
        let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX).max(1);
        Self { pause_ms, slack_ms: pause_ms.saturating_mul(u64::from(burst.get() - 1)) }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    /// When it will have been idle so long that nothing is counted: the theoretical arrival time.
    idle_at: u64,
    /// Remembered until then, whatever is counted.
    marked_until: u64,
}

/// What is counted, bounded.
#[derive(Debug)]
pub(super) struct Table {
    entries: HashMap<u64, Entry>,
    max: usize,
}

impl Table {
    pub(super) fn new(max: usize) -> Self {
        Self { entries: HashMap::new(), max: max.max(2) }
    }

    /// How long until this entry admits one more.
    pub(super) fn wait(&self, key: u64, pace: Pace, now: u64) -> Duration {
        let idle_at = self.entries.get(&key).map_or(0, |entry| entry.idle_at);
        Duration::from_millis(idle_at.saturating_sub(now.saturating_add(pace.slack_ms)))
    }

    pub(super) fn count(&mut self, key: u64, pace: Pace, now: u64) {
        let entry = self.entry(key, now);
        entry.idle_at = entry.idle_at.max(now).saturating_add(pace.pause_ms);
    }

    pub(super) fn uncount(&mut self, key: u64, pace: Pace) {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.idle_at = entry.idle_at.saturating_sub(pace.pause_ms);
        }
    }

    pub(super) fn is_marked(&self, key: u64, now: u64) -> bool {
        self.entries.get(&key).is_some_and(|entry| entry.marked_until > now)
    }

    pub(super) fn mark(&mut self, key: u64, now: u64) {
        self.entry(key, now).marked_until = now.saturating_add(MARKED_MS);
    }

    fn entry(&mut self, key: u64, now: u64) -> &mut Entry {
        if self.entries.len() >= self.max && !self.entries.contains_key(&key) {
            self.make_room(now);
        }
        self.entries.entry(key).or_default()
    }

    /// Forgets what has no meaning any more; if that is not enough, the half that has been tried least. Who fills the
    /// table with names tries each of them once: the names that somebody really guesses at stay.
    fn make_room(&mut self, now: u64) {
        self.entries.retain(|_, entry| entry.idle_at > now || entry.marked_until > now);
        if self.entries.len() >= self.max {
            let mut ends: Vec<_> = self.entries.values().map(|entry| entry.idle_at).collect();
            let middle = ends.len() / 2;
            let (_, &mut median, _) = ends.select_nth_unstable(middle);
            self.entries.retain(|_, entry| entry.idle_at > median);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}
