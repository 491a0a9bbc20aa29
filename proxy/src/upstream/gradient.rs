//! A limit that follows from how long answers take: a pure state machine, fed with one look after another.
//!
//! An endpoint that has more than it can do at once queues, and then answers take longer without one more being given.
//! So the limit is multiplied by how much longer they take now than without a queue (the gradient), and gets a little
//! room on top, the square root of itself: that is what finds out whether more would do. The ideas are TCP Vegas's, and
//! for requests those of Netflix's and Envoy's limiters.
//!
//! What an answer takes without a queue is not told by anybody; it is the least that was seen. It may change, so it is
//! measured anew, with the square root of the limit for the length of one look: when it was not seen for a while, and when the
//! limit falls and falls and answers are none the faster for it, because then it is not we who make them slow.

use crate::config::Adaptive;
use std::num::NonZeroUsize;
use std::time::Duration;
use tokio::time::Instant;

/// Answers may take so much longer than at the least without being taken for queued, in hundredths: no two take equally
/// long.
const TOLERANCE_PERCENT: f64 = 150.0;

/// The limit falls to this share of itself at one look, at most.
const GRADIENT_MIN: f64 = 0.5;

/// While answers take so much of the least, in hundredths, and there is more room than is used, the least is up to date.
/// Durations are counted to an eighth.
const NEAR_PERCENT: u32 = 125;

/// Else it is measured anew after so long.
const MEASURED_EVERY: Duration = Duration::from_secs(30);

/// And after so many times as long as an answer takes: a look at slow answers takes long, and little is done meanwhile.
const MEASURED_EVERY_ANSWERS: u32 = 200;

/// And after so many looks in a row at which the limit fell as far as it may.
const FALLS_MAX: u32 = 10;

/// What was seen since the look before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// What half of the answers took at most, of requests that were sent since then.
    pub(super) took: Duration,
    /// The most requests in flight.
    pub(super) in_flight: usize,
}

/// The limit of one upstream.
#[derive(Debug)]
pub(super) struct Gradient {
    bounds: Adaptive,
    limit: f64,
    /// What answers take without a queue; `None`: nothing was seen yet.
    least: Option<Duration>,
    /// When that was seen last.
    least_at: Instant,
    /// Looks in a row at which the limit fell as far as it may.
    falls: u32,
    /// While the least is measured: the limit from before.
    measures: Option<f64>,
}

impl Gradient {
    /// Begins with the least that there may be.
    pub(super) fn new(bounds: Adaptive, now: Instant) -> Self {
        let limit = bounds.min.get() as f64;
        Self { bounds, limit, least: None, least_at: now, falls: 0, measures: None }
    }

    /// The limit now.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is between two numbers of this type, and what is behind its point does not count"
    )]
    pub(super) fn limit(&self) -> NonZeroUsize {
        let Adaptive { min, max } = self.bounds;
        NonZeroUsize::new(self.limit as usize).unwrap_or(min).clamp(min, max)
    }

    /// What answers take without a queue, as far as that is known.
    pub(super) const fn least(&self) -> Option<Duration> {
        self.least
    }

    /// Takes in what was seen.
    pub(super) fn look(&mut self, seen: Seen, now: Instant) {
        if let Some(before) = self.measures.take() {
            self.least = Some(seen.took);
            (self.least_at, self.limit) = (now, before);
            return;
        }
        let least = self.least.map_or(seen.took, |least| least.min(seen.took));
        self.least = Some(least);
        // Who does not use what he has learns nothing about what more would do; and who does, not whether he queues.
        let is_used = seen.in_flight as f64 >= self.limit / 2.0;
        if !is_used && seen.took <= least * NEAR_PERCENT / 100 {
            self.least_at = now;
        }
        self.follow(least, seen.took, is_used);
        let every = MEASURED_EVERY.max(least.saturating_mul(MEASURED_EVERY_ANSWERS));
        let is_old = now.saturating_duration_since(self.least_at) >= every;
        if is_old || self.falls >= FALLS_MAX {
            self.falls = 0;
            self.measures = Some(self.limit);
            self.limit = self.bounded(self.limit.sqrt());
        }
    }

    fn follow(&mut self, least: Duration, took: Duration, is_used: bool) {
        let longer = took.as_secs_f64() / least.as_secs_f64().max(f64::MIN_POSITIVE);
        let gradient = (TOLERANCE_PERCENT / 100.0 / longer).clamp(GRADIENT_MIN, 1.0);
        self.falls = if gradient > GRADIENT_MIN { 0 } else { self.falls + 1 };
        let next = self.bounded(self.limit * gradient + self.limit.sqrt());
        if next < self.limit || is_used {
            self.limit = next;
        }
    }

    fn bounded(&self, limit: f64) -> f64 {
        limit.clamp(self.bounds.min.get() as f64, self.bounds.max.get() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LOOK: Duration = Duration::from_millis(100);

    fn bounds(min: usize, max: usize) -> Adaptive {
        let number = |number| NonZeroUsize::new(number).expect("not zero");
        Adaptive { min: number(min), max: number(max) }
    }

    /// An upstream that does so many at once, each in this time, and queues what is more.
    #[derive(Debug, Clone, Copy)]
    struct Backend {
        at_once: usize,
        takes: Duration,
    }

    impl Backend {
        fn answers(self, in_flight: usize) -> Duration {
            let queued = in_flight.max(self.at_once) as f64 / self.at_once as f64;
            self.takes.mul_f64(queued)
        }
    }

    struct Run {
        gradient: Gradient,
        now: Instant,
    }

    impl Run {
        fn new(bounds: Adaptive) -> Self {
            let now = Instant::now();
            Self { gradient: Gradient::new(bounds, now), now }
        }

        fn limit(&self) -> usize {
            self.gradient.limit().get()
        }

        /// Looks at this backend, which so many clients want something of.
        fn looks(&mut self, backend: Backend, clients: usize, looks: u32) -> &mut Self {
            for _ in 0..looks {
                let in_flight = self.limit().min(clients);
                self.now += LOOK;
                self.gradient.look(Seen { took: backend.answers(in_flight), in_flight }, self.now);
            }
            self
        }

        /// How much longer answers take than they must, where the limit is now.
        fn longer(&self, backend: Backend) -> f64 {
            backend.answers(self.limit()).as_secs_f64() / backend.takes.as_secs_f64()
        }
    }

    const FAST: Backend = Backend { at_once: 50, takes: Duration::from_millis(20) };

    #[test]
    fn it_finds_what_can_be_done_at_once_and_stays_there() {
        let mut run = Run::new(bounds(8, 1000));
        assert_eq!(run.limit(), 8);
        run.looks(FAST, 10_000, 40);
        for _ in 0..200 {
            run.looks(FAST, 10_000, 1);
            assert!((50..=100).contains(&run.limit()), "{:?}", run.gradient);
        }
        assert_eq!(run.gradient.least(), Some(FAST.takes));
    }

    #[test]
    fn who_asks_for_little_neither_raises_nor_lowers_it() {
        let mut run = Run::new(bounds(8, 1000));
        run.looks(FAST, 3, 500);
        assert_eq!(run.limit(), 8);
        run.looks(FAST, 10_000, 40);
        let found = run.limit();
        run.looks(FAST, 3, 500);
        assert_eq!(run.limit(), found);
    }

    #[test]
    fn it_falls_within_a_second_when_less_can_be_done() {
        let mut run = Run::new(bounds(4, 1000));
        run.looks(FAST, 10_000, 50);
        let half = Backend { at_once: 25, ..FAST };
        run.looks(half, 10_000, 10);
        assert!(run.longer(half) < 2.5, "{:?}", run.gradient);
        run.looks(FAST, 10_000, 30);
        assert!(run.limit() >= 50, "and rises again: {:?}", run.gradient);
    }

    #[test]
    fn answers_that_take_longer_without_a_queue_are_told_from_a_queue() {
        let mut run = Run::new(bounds(4, 1000));
        run.looks(FAST, 10_000, 50);
        let slow = Backend { takes: FAST.takes * 10, ..FAST };
        run.looks(slow, 10_000, FALLS_MAX + 2);
        assert_eq!(run.gradient.least(), Some(slow.takes), "measured anew");
        run.looks(slow, 10_000, 40);
        assert!((50..=100).contains(&run.limit()), "{:?}", run.gradient);
        run.looks(FAST, 10_000, 1);
        assert!(run.gradient.least().is_some_and(|least| least < slow.takes), "faster is seen at once");
    }

    #[test]
    fn what_was_not_seen_for_long_is_measured_with_little_for_one_look() {
        let mut run = Run::new(bounds(4, 1000));
        run.looks(FAST, 10_000, 50);
        let before = run.limit();
        let mut measured = 0;
        for _ in 0..600 {
            run.looks(FAST, 10_000, 1);
            if run.gradient.measures.is_some() {
                measured += 1;
                assert!(run.limit() <= before / 3, "{:?}", run.gradient);
            }
        }
        assert_eq!(measured, 2, "in a minute");
        assert!(run.longer(FAST) < 2.0, "{:?}", run.gradient);
    }

    proptest! {
        #[test]
        fn it_never_leaves_its_bounds(
            min in 1usize..100,
            more in 0usize..1000,
            seen in prop::collection::vec((0u64..10_000_000, 0usize..2000, 0u64..60_000), 1..300),
        ) {
            let bounds = bounds(min, min + more);
            let mut now = Instant::now();
            let mut gradient = Gradient::new(bounds, now);
            for (took_us, in_flight, later_ms) in seen {
                now += Duration::from_millis(later_ms);
                gradient.look(Seen { took: Duration::from_micros(took_us), in_flight }, now);
                prop_assert!((bounds.min..=bounds.max).contains(&gradient.limit()), "{gradient:?}");
                prop_assert!(gradient.limit.is_finite(), "{gradient:?}");
            }
        }

        #[test]
        fn whatever_happened_before_it_converges(
            at_once in 8usize..400,
            takes_ms in 1u64..150,
            before in prop::collection::vec((1usize..800, 1u64..2000, 1usize..3000, 1u32..40), 0..6),
        ) {
            let mut run = Run::new(bounds(2, 2000));
            for (at_once, takes_ms, clients, looks) in before {
                run.looks(Backend { at_once, takes: Duration::from_millis(takes_ms) }, clients, looks);
            }
            let backend = Backend { at_once, takes: Duration::from_millis(takes_ms) };
            // A least that was measured under load is corrected by measuring it again.
            let mut measured = 0;
            for _ in 0..100_000 {
                run.looks(backend, 100_000, 1);
                measured += u32::from(run.gradient.measures.is_some());
                if measured == 3 {
                    break;
                }
            }
            run.looks(backend, 100_000, 60);
            let used = run.limit() as f64 / at_once as f64;
            prop_assert!((1.4..=2.2).contains(&used), "{used} of {backend:?}: {:?}", run.gradient);
        }
    }
}
