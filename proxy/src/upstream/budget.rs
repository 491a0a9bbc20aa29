//! How many attempts may follow failures: a share of the traffic, and a few a second however little there is.
//!
//! Without it, retries multiply the load of an upstream that fails because it has too much. The idea is Finagle's:
//! each request brings a part of an attempt along, each retry takes a whole one.

use crate::config;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::time::Instant;

/// A whole attempt.
const ATTEMPT: u64 = 1000;

/// What is saved up of the share: that of so many requests.
const SAVED_REQUESTS: u64 = 1000;

/// What is saved up of the minimum: that of so many seconds.
const SAVED_SECONDS: u64 = 10;

/// One for each upstream; all workers share it. While it is full, which is nearly always, a request costs it a read.
#[derive(Debug)]
pub(super) struct RetryBudget {
    settings: config::RetryBudget,
    start: Instant,
    /// In thousandths of an attempt.
    saved: AtomicU64,
    /// Milliseconds since `start` up to which the minimum was added.
    added_ms: AtomicU64,
}

impl RetryBudget {
    /// With the minimum of some seconds saved up.
    pub(super) fn new(settings: config::RetryBudget, now: Instant) -> Self {
        let saved = u64::from(settings.per_second_min) * SAVED_SECONDS * ATTEMPT;
        Self { settings, start: now, saved: AtomicU64::new(saved), added_ms: AtomicU64::new(0) }
    }

    /// What it was made of.
    pub(super) const fn settings(&self) -> config::RetryBudget {
        self.settings
    }

    fn max(&self) -> u64 {
        self.share() * SAVED_REQUESTS + u64::from(self.settings.per_second_min) * SAVED_SECONDS * ATTEMPT
    }

    fn share(&self) -> u64 {
        u64::from(self.settings.percent) * ATTEMPT / 100
    }

    /// A request has come.
    pub(super) fn deposit(&self) {
        self.add(self.share());
    }

    /// Takes an attempt out; false when none is left.
    pub(super) fn withdraw(&self, now: Instant) -> bool {
        let now_ms = u64::try_from(now.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX);
        let added_ms = self.added_ms.fetch_max(now_ms, Relaxed);
        // So many thousandths a millisecond are as many attempts a second.
        self.add(now_ms.saturating_sub(added_ms).saturating_mul(u64::from(self.settings.per_second_min)));
        self.saved.fetch_update(Relaxed, Relaxed, |saved| saved.checked_sub(ATTEMPT)).is_ok()
    }

    fn add(&self, thousandths: u64) {
        let max = self.max();
        if thousandths > 0 && self.saved.load(Relaxed) < max {
            let added = |saved: u64| Some(saved.saturating_add(thousandths).min(max));
            // The closure always has a value.
            let _ = self.saved.fetch_update(Relaxed, Relaxed, added);
        }
    }
}

/// How long to wait before the attempt that follows `failures` at the same endpoint: somewhere up to a number that
/// doubles each time. `random` is from 0 to 1.
pub(super) fn backoff(failures: u32, random: f64) -> Duration {
    const FIRST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(1);
    let doubled = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST);
    // Half of it at least: who comes back at once finds what was there before.
    doubled / 2 + (doubled / 2).mul_f64(random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn budget(percent: u32, per_second_min: u32) -> (RetryBudget, Instant) {
        let now = Instant::now();
        (RetryBudget::new(config::RetryBudget { percent, per_second_min }, now), now)
    }

    fn withdrawn(budget: &RetryBudget, now: Instant) -> usize {
        std::iter::from_fn(|| budget.withdraw(now).then_some(())).take(1_000_000).count()
    }

    #[test]
    fn a_fifth_of_the_requests_may_be_sent_again() {
        let (budget, now) = budget(20, 0);
        assert_eq!(withdrawn(&budget, now), 0);
        (0..100).for_each(|_| budget.deposit());
        assert_eq!(withdrawn(&budget, now), 20);
    }

    #[test]
    fn the_minimum_comes_with_time_and_neither_is_saved_up_without_end() {
        let (budget, now) = budget(50, 10);
        assert_eq!(withdrawn(&budget, now), 100, "ten seconds' minimum at the start");
        assert_eq!(withdrawn(&budget, now + Duration::from_millis(500)), 5);
        assert_eq!(withdrawn(&budget, now + Duration::from_millis(500)), 0, "time counts once");
        assert_eq!(withdrawn(&budget, now), 0, "nor does it run backwards");
        (0..100_000).for_each(|_| budget.deposit());
        assert_eq!(withdrawn(&budget, now + Duration::from_secs(3600)), 600, "half of a thousand and ten seconds' ten");
    }

    proptest! {
        #[test]
        fn no_more_is_taken_than_was_given(percent in 0u32..=100, per_second in 0u32..50, requests in 0u64..2000, ms in 0u64..20_000) {
            let (budget, now) = budget(percent, per_second);
            (0..requests).for_each(|_| budget.deposit());
            let most = requests * u64::from(percent) / 100 + u64::from(per_second) * (SAVED_SECONDS + ms.div_ceil(1000));
            prop_assert!(withdrawn(&budget, now + Duration::from_millis(ms)) as u64 <= most);
        }

        #[test]
        fn waits_grow_and_end_at_a_second(failures in 1u32..100, random in 0.0f64..1.0) {
            let (this, next) = (backoff(failures, random), backoff(failures + 1, random));
            prop_assert!(Duration::from_millis(25) <= this && this <= next && next <= Duration::from_secs(1));
        }
    }
}
