//! How much of something all requests of the process together may take.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that are left.
#[derive(Debug)]
pub(crate) struct Budget(AtomicU64);

/// Some of a budget, given back when dropped. What comes in pieces has one for all of them.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Budget {
    pub(crate) fn new(bytes: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(bytes)))
    }

    /// All of `bytes`, or nothing.
    pub(crate) fn take(self: &Arc<Self>, bytes: u64) -> Option<Share> {
        let mut share = Share::none(self);
        share.grow(bytes).then_some(share)
    }

    #[cfg(test)]
    pub(crate) fn left(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Share {
    /// Nothing of it yet.
    pub(crate) fn none(budget: &Arc<Budget>) -> Self {
        Self { budget: Arc::clone(budget), bytes: 0 }
    }

    /// Takes `more` bytes; false when fewer are left, and then it takes none.
    pub(crate) fn grow(&mut self, more: u64) -> bool {
        let left = &self.budget.0;
        let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(more)).is_ok();
        if taken {
            self.bytes += more;
        }
        taken
    }

    /// Gives back `bytes` of those that were taken.
    pub(crate) fn shrink(&mut self, bytes: u64) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.budget.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.0.fetch_add(self.bytes, Ordering::Relaxed);
    }
}
