//! What has become of reloads, counted by the control thread.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

/// Reloads since the start; the start itself is none.
#[derive(Debug, Default)]
pub struct Reloads {
    good: Outcome,
    failed: Outcome,
}

#[derive(Debug, Default)]
struct Outcome {
    count: AtomicU64,
    /// In seconds since 1970; 0: never.
    last: AtomicU64,
}

impl Reloads {
    /// Counts one that has ended at `now`.
    pub fn note(&self, good: bool, now: SystemTime) {
        let outcome = if good { &self.good } else { &self.failed };
        outcome.count.fetch_add(1, Relaxed);
        outcome.last.store(now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()), Relaxed);
    }

    /// How many of each there were, and when the last was.
    pub(super) fn read(&self) -> [(&'static str, u64, u64); 2] {
        [("good", &self.good), ("failed", &self.failed)]
            .map(|(label, outcome)| (label, outcome.count.load(Relaxed), outcome.last.load(Relaxed)))
    }
}
