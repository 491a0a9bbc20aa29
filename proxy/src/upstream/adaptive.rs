//! The adaptive limit of an upstream as all workers share it: they count what they see, and one of them looks at it ten
//! times a second.
//!
//! Only answers count to requests that were sent since the last look: what a request met that was sent under another
//! limit says nothing about this one. So a look takes as long as it takes, where answers take long or are few.

use super::gradient::{Gradient, Seen};
use super::histogram::Histogram;
use crate::config;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, TryLockError};
use std::time::Duration;
use tokio::time::Instant;

/// Microseconds between two looks at least.
const LOOK_EVERY_US: u64 = 100_000;

/// Answers that a look needs at least.
const ANSWERS_MIN: usize = 20;

/// One for each upstream that has such a limit.
#[derive(Debug)]
pub(super) struct Adaptive {
    settings: config::Adaptive,
    start: Instant,
    limit: AtomicUsize,
    /// Microseconds that an answer takes without a queue; 0: not known yet.
    least_us: AtomicU64,
    /// Microseconds after `start` of the last look.
    looked_us: AtomicU64,
    /// Answers since then.
    answers: AtomicUsize,
    /// The most requests in flight since then.
    in_flight: AtomicUsize,
    took: Histogram,
    gradient: Mutex<Gradient>,
}

impl Adaptive {
    pub(super) fn new(settings: config::Adaptive, now: Instant) -> Self {
        Self {
            settings,
            start: now,
            limit: AtomicUsize::new(settings.min.get()),
            least_us: AtomicU64::new(0),
            looked_us: AtomicU64::new(0),
            answers: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            took: Histogram::default(),
            gradient: Mutex::new(Gradient::new(settings, now)),
        }
    }

    /// What it was made of.
    pub(super) const fn settings(&self) -> config::Adaptive {
        self.settings
    }

    /// Requests that may be in flight now.
    pub(super) fn limit(&self) -> usize {
        self.limit.load(Relaxed)
    }

    /// What an answer takes without a queue, once that is known.
    pub(super) fn least(&self) -> Option<Duration> {
        Some(self.least_us.load(Relaxed)).filter(|&us| us > 0).map(Duration::from_micros)
    }

    fn us(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.start).as_micros()).unwrap_or(u64::MAX)
    }

    /// Takes in the answer at this moment to a request that was sent then, or that none came in time. `in_flight` requests
    /// were under way.
    pub(super) fn answered(&self, sent: Instant, in_flight: usize, now: Instant) {
        let looked_us = self.looked_us.load(Relaxed);
        if self.us(sent) < looked_us {
            return;
        }
        self.took.record(now.saturating_duration_since(sent));
        self.in_flight.fetch_max(in_flight, Relaxed);
        let answers = self.answers.fetch_add(1, Relaxed) + 1;
        if answers >= ANSWERS_MIN && self.is_due(looked_us, now) {
            self.look(now);
        }
    }

    fn is_due(&self, looked_us: u64, now: Instant) -> bool {
        self.us(now).saturating_sub(looked_us) >= LOOK_EVERY_US
    }

    /// Looks, unless another one does. What is counted while this goes on may count for this look, for the next or not at
    /// all.
    fn look(&self, now: Instant) {
        let mut gradient = match self.gradient.try_lock() {
            Ok(gradient) => gradient,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        if !self.is_due(self.looked_us.load(Relaxed), now) {
            return;
        }
        let Some(took) = self.took.percentile(50) else { return };
        gradient.look(Seen { took, in_flight: self.in_flight.load(Relaxed) }, now);
        self.limit.store(gradient.limit().get(), Relaxed);
        let least = gradient.least().unwrap_or_default();
        self.least_us.store(u64::try_from(least.as_micros()).unwrap_or(u64::MAX), Relaxed);
        self.took.clear();
        self.in_flight.store(0, Relaxed);
        self.answers.store(0, Relaxed);
        self.looked_us.store(self.us(now), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroUsize;

    const MS: Duration = Duration::from_millis(1);

    fn adaptive() -> (Adaptive, Instant) {
        let number = |number| NonZeroUsize::new(number).expect("not zero");
        let now = Instant::now();
        (Adaptive::new(config::Adaptive { min: number(4), max: number(100) }, now), now)
    }

    /// So many answers at this moment that took so long.
    fn answer(adaptive: &Adaptive, count: usize, took: Duration, now: Instant) {
        (0..count).for_each(|_| adaptive.answered(now - took, adaptive.limit(), now));
    }

    #[test]
    fn a_look_needs_time_and_answers() {
        let (adaptive, start) = adaptive();
        answer(&adaptive, 1000, 10 * MS, start + 99 * MS);
        assert_eq!((adaptive.limit(), adaptive.least()), (4, None), "too early");
        answer(&adaptive, 1, 10 * MS, start + 100 * MS);
        assert_eq!(adaptive.limit(), 6, "four, and two for its root");
        assert!(adaptive.least().is_some_and(|least| (10 * MS..12 * MS).contains(&least)), "{adaptive:?}");
        answer(&adaptive, ANSWERS_MIN - 1, 10 * MS, start + 500 * MS);
        assert_eq!(adaptive.limit(), 6, "too few");
        answer(&adaptive, 1, 10 * MS, start + 500 * MS);
        assert_eq!(adaptive.limit(), 8);
    }

    #[test]
    fn what_was_sent_before_the_last_look_does_not_count() {
        let (adaptive, start) = adaptive();
        answer(&adaptive, ANSWERS_MIN, 10 * MS, start + 100 * MS);
        answer(&adaptive, 1000, 150 * MS, start + 210 * MS);
        assert_eq!(adaptive.limit(), 6, "sent under another limit");
        answer(&adaptive, ANSWERS_MIN, 100 * MS, start + 300 * MS);
        assert_eq!(adaptive.limit(), 5, "half of six, and two for its root");
    }
}
