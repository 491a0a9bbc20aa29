//! What one worker's kept files count.

use serve::counters::Counter;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that goes up and down, written by one thread and read by any.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// What it is now.
    pub fn set(&self, value: usize) {
        self.0.store(value as u64, Relaxed);
    }

    /// What it was last set to.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Files in memory and open ones.
#[derive(Debug, Default)]
pub struct FileCounters {
    /// Requests answered from memory, or from an open file, without a look at the disk.
    pub hits: Counter,
    /// Looks at the disk.
    pub looks: Counter,
    /// Files that had to leave for others.
    pub evictions: Counter,
    /// Bytes in memory.
    pub bytes: Gauge,
    /// Files in memory.
    pub kept: Gauge,
    /// Files held open.
    pub open: Gauge,
}
