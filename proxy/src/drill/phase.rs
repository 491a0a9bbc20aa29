//! What happened between one fault and the next.

use super::latency::Latencies;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::Notify;

/// Examples of one cause.
const EXAMPLES_MAX: usize = 3;
/// Different causes of one phase; further ones are counted as one.
const CAUSES_MAX: usize = 32;
/// Requests of one phase whose deeds are looked for.
const DEEDS_MAX: usize = 10_000;

/// Counts of one phase.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) sent: u64,
    pub(super) lost: u64,
    pub(super) resent: u64,
    /// Requests that were due while as many as allowed were in flight.
    pub(super) held_back: u64,
    pub(super) retried: Option<u64>,
    pub(super) parked: Option<u64>,
    /// Requests that have acted more than once.
    pub(super) duplicated: u64,
    pub(super) stream_ends: u64,
    pub(super) resyncs: u64,
    pub(super) gaps: u64,
    pub(super) latencies: Latencies,
    pub(super) causes: BTreeMap<String, Cause>,
    pub(super) deeds: Vec<Deed>,
    /// What is worth saying beside the numbers.
    pub(super) notes: Vec<String>,
    /// Why the fault could not be done or undone.
    pub(super) failed: Option<String>,
}

/// One reason for losses.
#[derive(Debug, Default)]
pub(super) struct Cause {
    pub(super) count: u64,
    /// Ids of some requests.
    pub(super) examples: Vec<String>,
}

/// A request whose deed can be looked for.
#[derive(Debug)]
pub(super) struct Deed {
    /// Which request of the plan.
    pub(super) request: usize,
    pub(super) tag: String,
    pub(super) is_answered: bool,
}

impl Tally {
    /// Counts a lost request.
    pub(super) fn lose(&mut self, cause: &str, example: &str) {
        self.lost += 1;
        let known = self.causes.contains_key(cause) || self.causes.len() < CAUSES_MAX;
        let cause = self.causes.entry(if known { cause } else { "other causes" }.to_owned()).or_default();
        cause.count += 1;
        if cause.examples.len() < EXAMPLES_MAX && !example.is_empty() {
            cause.examples.push(example.to_owned());
        }
    }

    /// Remembers a request that has acted, or may have.
    pub(super) fn acted(&mut self, deed: Deed) {
        if self.deeds.len() < DEEDS_MAX {
            self.deeds.push(deed);
        }
    }

    /// Counts what the edge has counted.
    pub(super) fn add(&mut self, retried: Option<u64>, parked: Option<u64>) {
        let plus = |sum: &mut Option<u64>, more: Option<u64>| {
            if let Some(more) = more {
                *sum = Some(sum.unwrap_or(0) + more);
            }
        };
        plus(&mut self.retried, retried);
        plus(&mut self.parked, parked);
    }
}

/// A phase and the requests that are still under way in it.
#[derive(Debug, Default)]
pub(super) struct Phase {
    pub(super) name: String,
    pub(super) lost_max: u64,
    pub(super) tally: RefCell<Tally>,
    open: Cell<usize>,
    ended: Notify,
}

impl Phase {
    /// A phase without counts.
    pub(super) fn new(name: &str, lost_max: u64) -> Self {
        Self { name: name.to_owned(), lost_max, ..Self::default() }
    }

    /// A request begins.
    pub(super) fn begin(&self) {
        self.open.set(self.open.get() + 1);
        self.tally.borrow_mut().sent += 1;
    }

    /// It has ended, so long after it was to leave.
    pub(super) fn end(&self, took: Duration) {
        self.tally.borrow_mut().latencies.add(took);
        self.open.set(self.open.get() - 1);
        self.ended.notify_one();
    }

    /// Waits for every request. Each has a timeout of its own.
    pub(super) async fn all_ended(&self) {
        while self.open.get() > 0 {
            self.ended.notified().await;
        }
    }

    /// Whether more was lost than may be. What a fault that could not be done has lost, says nothing about it.
    pub(super) fn is_bad(&self) -> bool {
        let tally = self.tally.borrow();
        tally.lost > self.lost_max || tally.duplicated > 0 || tally.gaps > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_and_examples_are_bounded() {
        let mut tally = Tally::default();
        for number in 0..100 {
            tally.lose(&format!("cause {number}"), "id");
            tally.lose("cause 0", "another");
        }
        assert_eq!(tally.lost, 200);
        assert_eq!(tally.causes.len(), CAUSES_MAX + 1);
        assert_eq!(tally.causes["cause 0"].count, 101);
        assert_eq!(tally.causes["cause 0"].examples.len(), EXAMPLES_MAX);
        assert_eq!(tally.causes.values().map(|cause| cause.count).sum::<u64>(), 200);
    }

    #[test]
    fn what_the_edge_does_not_count_stays_unknown() {
        let mut tally = Tally::default();
        tally.add(None, Some(2));
        tally.add(None, Some(3));
        assert_eq!((tally.retried, tally.parked), (None, Some(5)));
    }

    #[test]
    fn a_phase_is_bad_beyond_what_it_may_lose() {
        let phase = Phase::new("a", 1);
        phase.tally.borrow_mut().lose("x", "1");
        assert!(!phase.is_bad());
        phase.tally.borrow_mut().lose("x", "2");
        assert!(phase.is_bad());
        let phase = Phase::new("a", 1);
        phase.tally.borrow_mut().duplicated = 1;
        assert!(phase.is_bad());
    }
}
