//! How long answers took: a histogram of fixed size, exact to three per cent.

use std::time::Duration;

/// Steps within each doubling.
const STEPS: usize = 32;
/// Doublings above [`STEPS`] microseconds: up to more than an hour.
const DOUBLINGS: usize = 28;

/// Counts by length.
#[derive(Debug, Clone)]
pub(super) struct Latencies {
    counts: Vec<u64>,
    total: u64,
    worst: Duration,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { counts: vec![0; STEPS * (DOUBLINGS + 1)], total: 0, worst: Duration::ZERO }
    }
}

impl Latencies {
    /// Counts one.
    pub(super) fn add(&mut self, took: Duration) {
        let micros = usize::try_from(took.as_micros()).unwrap_or(usize::MAX);
        let last = self.counts.len() - 1;
        self.counts[bucket(micros).min(last)] += 1;
        self.total += 1;
        self.worst = self.worst.max(took);
    }

    /// The longest; zero when there was none.
    pub(super) const fn worst(&self) -> Duration {
        self.worst
    }

    /// The length that so many of a thousand did not exceed, rounded up; zero when there was none.
    pub(super) fn of_thousand(&self, share: u64) -> Duration {
        let wanted = (self.total * share).div_ceil(1000);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted && wanted > 0 {
                return Duration::from_micros(end(index) as u64).min(self.worst);
            }
        }
        self.worst
    }
}

/// The bucket of a length: each doubling has the same number.
fn bucket(micros: usize) -> usize {
    if micros < STEPS {
        return micros;
    }
    let doubling = (micros.ilog2() - STEPS.ilog2()) as usize;
    STEPS * doubling + (micros >> doubling)
}

/// The longest length of a bucket.
fn end(bucket: usize) -> usize {
    if bucket < 2 * STEPS {
        return bucket;
    }
    let doubling = bucket / STEPS - 1;
    ((bucket - STEPS * doubling + 1) << doubling) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shares_and_the_worst() {
        let mut latencies = Latencies::default();
        assert_eq!((latencies.of_thousand(990), latencies.worst()), (Duration::ZERO, Duration::ZERO));
        for millis in 1..=100 {
            latencies.add(Duration::from_millis(millis));
        }
        assert_eq!(latencies.worst(), Duration::from_millis(100));
        let p99 = latencies.of_thousand(990).as_secs_f64();
        assert!((0.099..0.1025).contains(&p99), "{p99}");
        let p50 = latencies.of_thousand(500).as_secs_f64();
        assert!((0.050..0.052).contains(&p50), "{p50}");
    }

    proptest! {
        #[test]
        fn a_length_is_in_its_bucket(micros in 0_usize..4_000_000_000) {
            let index = bucket(micros);
            prop_assert!(end(index) >= micros);
            prop_assert!(end(index) as f64 <= micros as f64 * 1.032);
            prop_assert!(index == 0 || end(index - 1) < micros);
        }
    }
}
