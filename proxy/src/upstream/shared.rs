//! What the workers share of one upstream. It outlives a snapshot, by the upstream's name.

use super::adaptive::Adaptive;
use super::budget::RetryBudget;
use super::gate::Gate;
use crate::config::{self, InFlight};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use tokio::time::Instant;

/// How exactly it is known when an upstream has answered last: noting it more often would have workers write to memory
/// that all of them read.
const GOOD_TO_MS: u64 = 500;

/// One upstream as all workers see it.
#[derive(Debug)]
pub struct Shared {
    pub(super) budget: Arc<RetryBudget>,
    pub(super) gate: Arc<Gate>,
    /// The limit of its requests in flight, where that follows from how long answers take.
    pub(super) adaptive: Option<Arc<Adaptive>>,
    standing: Arc<Standing>,
}

/// How it is, whatever its settings are.
#[derive(Debug)]
struct Standing {
    start: Instant,
    /// Milliseconds after `start`, and one more because 0 is never.
    good_ms: AtomicU64,
    parked: AtomicUsize,
    parked_bytes: AtomicU64,
}

impl Shared {
    /// For an upstream as it is configured now; what it was before goes on where nothing about it has changed.
    #[must_use]
    pub fn new(upstream: &config::Upstream, previous: Option<&Arc<Self>>) -> Arc<Self> {
        let (settings, now) = (upstream.retry_budget, Instant::now());
        let bounds = match upstream.limits.and_then(|limits| limits.in_flight_max) {
            Some(InFlight::Adaptive(bounds)) => Some(bounds),
            Some(InFlight::Fixed(_)) | None => None,
        };
        let same_budget = previous.filter(|previous| previous.budget.settings() == settings);
        let same_bounds = previous.filter(|previous| previous.bounds() == bounds);
        if let (Some(previous), Some(_)) = (same_budget, same_bounds) {
            return Arc::clone(previous);
        }
        let budget =
            same_budget.map_or_else(|| Arc::new(RetryBudget::new(settings, now)), |kept| Arc::clone(&kept.budget));
        let adaptive = match same_bounds {
            Some(kept) => kept.adaptive.clone(),
            None => bounds.map(|bounds| Arc::new(Adaptive::new(bounds, now))),
        };
        // What is in flight stays in flight, an open breaker open, and who is expected back expected.
        let (gate, standing) = match previous {
            Some(previous) => (Arc::clone(&previous.gate), Arc::clone(&previous.standing)),
            None => (Gate::new(), Arc::new(Standing::new(now))),
        };
        Arc::new(Self { budget, gate, adaptive, standing })
    }

    fn bounds(&self) -> Option<config::Adaptive> {
        self.adaptive.as_ref().map(|adaptive| adaptive.settings())
    }

    /// Requests that may be in flight now, and what an answer takes without a queue once that is known. `None`: the limit
    /// does not change.
    #[must_use]
    pub fn adapted(&self) -> Option<(usize, Option<Duration>)> {
        self.adaptive.as_ref().map(|adaptive| (adaptive.limit(), adaptive.least()))
    }

    /// Takes in how long an answer took to a request that was sent then. `is_work`: it did what it was asked for, and did
    /// not just refuse.
    pub(super) fn answered(&self, sent: Instant, is_work: bool, now: Instant) {
        self.gate.answered(now.saturating_duration_since(sent));
        if is_work {
            self.waited(sent, now);
        }
    }

    /// Takes in that an answer took that long, or that none came in that time.
    pub(super) fn waited(&self, sent: Instant, now: Instant) {
        if let Some(adaptive) = &self.adaptive {
            adaptive.answered(sent, self.gate.in_flight(), now);
        }
    }

    /// It has answered.
    pub(super) fn note_good(&self, now: Instant) {
        let (good_ms, now_ms) = (&self.standing.good_ms, self.standing.milliseconds(now));
        if now_ms.saturating_sub(good_ms.load(Relaxed)) >= GOOD_TO_MS || good_ms.load(Relaxed) == 0 {
            good_ms.store(now_ms, Relaxed);
        }
    }

    /// Whether it has answered within this time.
    pub(super) fn was_good_within(&self, time: Duration, now: Instant) -> bool {
        let good_ms = self.standing.good_ms.load(Relaxed);
        let age = Duration::from_millis(self.standing.milliseconds(now).saturating_sub(good_ms));
        good_ms > 0 && age < time.saturating_add(Duration::from_millis(GOOD_TO_MS))
    }

    /// A place to wait in, for a request with so many bytes; `None`: all are taken.
    pub(super) fn park(&self, settings: config::Park, bytes: u64) -> Option<Parked> {
        let one = |parked: usize| (parked < settings.requests_max).then_some(parked + 1);
        let standing = &self.standing;
        standing.parked.fetch_update(Relaxed, Relaxed, one).ok()?;
        // From here on its drop gives back what was taken.
        let mut place = Parked { standing: Arc::clone(standing), bytes: 0 };
        let more = |taken: u64| taken.checked_add(bytes).filter(|sum| *sum <= settings.bytes_max);
        standing.parked_bytes.fetch_update(Relaxed, Relaxed, more).ok()?;
        place.bytes = bytes;
        Some(place)
    }
}

impl Standing {
    const fn new(start: Instant) -> Self {
        Self { start, good_ms: AtomicU64::new(0), parked: AtomicUsize::new(0), parked_bytes: AtomicU64::new(0) }
    }

    fn milliseconds(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }
}

/// The place of a request that waits. Dropped, it is free.
pub(super) struct Parked {
    standing: Arc<Standing>,
    bytes: u64,
}

impl Drop for Parked {
    fn drop(&mut self) {
        self.standing.parked.fetch_sub(1, Relaxed);
        self.standing.parked_bytes.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared() -> Arc<Shared> {
        let now = Instant::now();
        Arc::new(Shared {
            budget: Arc::new(RetryBudget::new(config::RetryBudget::DEFAULT, now)),
            gate: Gate::new(),
            adaptive: None,
            standing: Arc::new(Standing::new(now)),
        })
    }

    #[test]
    fn places_are_bounded_in_number_and_in_bytes_and_are_given_back() {
        let shared = shared();
        let park = config::Park { requests_max: 2, bytes_max: 100, ..config::Park::DEFAULT };
        let first = shared.park(park, 60).expect("room");
        assert!(shared.park(park, 41).is_none(), "too many bytes");
        let second = shared.park(park, 40).expect("what was refused took nothing");
        assert!(shared.park(park, 0).is_none(), "too many");
        drop(first);
        drop((shared.park(park, 60).expect("its place is free"), second));
        assert_eq!((shared.standing.parked.load(Relaxed), shared.standing.parked_bytes.load(Relaxed)), (0, 0));
    }

    #[test]
    fn an_answer_counts_for_its_time() {
        let (shared, ms) = (shared(), Duration::from_millis);
        let (now, limit) = (shared.standing.start + ms(5000), ms(1000));
        assert!(!shared.was_good_within(limit, now), "never");
        shared.note_good(now);
        assert!(shared.was_good_within(limit, now + ms(1000)) && !shared.was_good_within(limit, now + ms(1500)));
        shared.note_good(now + ms(499));
        assert!(!shared.was_good_within(limit, now + ms(1500)), "it is not noted that often");
        shared.note_good(now + ms(500));
        assert!(shared.was_good_within(limit, now + ms(1500)));
    }
}
