//! Leaves an endpoint alone that fails: closed, open, half-open.
//!
//! Shared by all workers. Closed and without failures, which is nearly always, a request costs it two reads.

use crate::config;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::time::Instant;

/// The breaker of one endpoint.
#[derive(Debug)]
pub(super) struct Breaker {
    start: Instant,
    /// In a row.
    failures: AtomicU32,
    /// Milliseconds after `start` until when nothing is sent; 0: closed. Behind that it is half-open.
    open_until_ms: AtomicU64,
}

impl Breaker {
    pub(super) const fn new(now: Instant) -> Self {
        Self { start: now, failures: AtomicU32::new(0), open_until_ms: AtomicU64::new(0) }
    }

    fn milliseconds(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether requests are sent as if there were no breaker. Nearly always, and it needs no clock.
    pub(super) fn is_closed(&self) -> bool {
        self.open_until_ms.load(Relaxed) == 0
    }

    /// Whether a request may be sent. Half-open it is one, and another only when nothing was heard of it for as long as
    /// it had been open.
    pub(super) fn admits(&self, settings: config::Breaker, now: Instant) -> bool {
        let until = self.open_until_ms.load(Relaxed);
        if until == 0 {
            return true;
        }
        let now_ms = self.milliseconds(now);
        now_ms >= until
            && self.open_until_ms.compare_exchange(until, open_until(now_ms, settings), Relaxed, Relaxed).is_ok()
    }

    /// When the next request may be sent; `None`: now.
    pub(super) fn opens_in(&self, now: Instant) -> Option<Duration> {
        let left = self.open_until_ms.load(Relaxed).saturating_sub(self.milliseconds(now));
        (left > 0).then(|| Duration::from_millis(left))
    }

    /// It has answered.
    pub(super) fn succeeded(&self) {
        if self.failures.load(Relaxed) != 0 {
            self.failures.store(0, Relaxed);
        }
        if self.open_until_ms.load(Relaxed) != 0 {
            self.open_until_ms.store(0, Relaxed);
        }
    }

    /// It has failed. Whether that opens the breaker.
    pub(super) fn failed(&self, settings: config::Breaker, now: Instant) -> bool {
        let failures = self.failures.fetch_add(1, Relaxed).saturating_add(1);
        if failures < settings.failures_max {
            return false;
        }
        // One that fails half-open has failed often enough before.
        let until = open_until(self.milliseconds(now), settings);
        self.open_until_ms.swap(until, Relaxed) == 0
    }
}

fn open_until(now_ms: u64, settings: config::Breaker) -> u64 {
    now_ms.saturating_add(u64::try_from(settings.open_for.as_millis()).unwrap_or(u64::MAX)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: config::Breaker = config::Breaker { failures_max: 3, open_for: Duration::from_secs(5) };

    /// A breaker that has opened at this moment.
    fn open() -> (Breaker, Instant) {
        let now = Instant::now();
        let breaker = Breaker::new(now);
        assert!(!breaker.failed(SETTINGS, now) && !breaker.failed(SETTINGS, now) && breaker.admits(SETTINGS, now));
        assert!(breaker.failed(SETTINGS, now), "the third opens it");
        (breaker, now)
    }

    #[test]
    fn only_failures_in_a_row_count() {
        let now = Instant::now();
        let breaker = Breaker::new(now);
        for _ in 0..10 {
            assert!(!breaker.failed(SETTINGS, now) && !breaker.failed(SETTINGS, now));
            breaker.succeeded();
        }
        assert!(breaker.admits(SETTINGS, now));
        assert_eq!(breaker.opens_in(now), None);
    }

    #[test]
    fn open_for_its_time_and_then_for_one_request() {
        let (breaker, now) = open();
        let half_open = now + SETTINGS.open_for;
        assert!(!breaker.admits(SETTINGS, now + Duration::from_millis(4999)));
        assert_eq!(breaker.opens_in(now + Duration::from_secs(1)), Some(Duration::from_secs(4)));
        assert!(breaker.admits(SETTINGS, half_open));
        assert!(!breaker.admits(SETTINGS, half_open), "one is enough to know");
        breaker.succeeded();
        assert!(breaker.admits(SETTINGS, half_open) && breaker.admits(SETTINGS, half_open));
        assert!(!breaker.failed(SETTINGS, half_open), "its failures are forgotten");
    }

    #[test]
    fn what_fails_half_open_is_left_alone_once_more() {
        let (breaker, now) = open();
        let half_open = now + SETTINGS.open_for;
        assert!(breaker.admits(SETTINGS, half_open));
        assert!(!breaker.failed(SETTINGS, half_open), "it was open before");
        assert!(!breaker.admits(SETTINGS, half_open + Duration::from_millis(4999)));
        assert!(breaker.admits(SETTINGS, half_open + SETTINGS.open_for));
    }

    #[test]
    fn a_request_of_which_nothing_is_heard_is_followed_by_another() {
        let (breaker, now) = open();
        let half_open = now + SETTINGS.open_for;
        assert!(breaker.admits(SETTINGS, half_open));
        assert!(breaker.admits(SETTINGS, half_open + SETTINGS.open_for));
    }

    #[test]
    fn failures_of_requests_that_were_under_way_open_it_once() {
        let (breaker, now) = open();
        assert!(!breaker.failed(SETTINGS, now) && !breaker.failed(SETTINGS, now));
    }
}
