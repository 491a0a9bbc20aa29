//! How long things take: counts by duration, from which a quantile can be told at any time.
//!
//! Buckets are as wide as an eighth of what they begin at (log-linear, as HdrHistogram's), so that a quantile is known to
//! an eighth whatever its size, in memory that does not grow. All workers count into one without a lock.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// Each doubling is divided into two to the power of this many buckets.
const DIVIDED: u32 = 3;

/// What takes longer than 2^27 microseconds, two minutes, counts as that.
const LONGEST: u32 = 27;

const BUCKETS: usize = ((LONGEST - DIVIDED + 1) << DIVIDED) as usize;

/// Counts by duration.
#[derive(Debug)]
pub(super) struct Histogram([AtomicU32; BUCKETS]);

impl Default for Histogram {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU32::new(0)))
    }
}

impl Histogram {
    /// Counts one that took so long.
    pub(super) fn record(&self, took: Duration) {
        if let Some(count) = self.0.get(bucket(took)) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// What this many of a hundred took at most, to an eighth above. `None`: nothing was counted.
    pub(super) fn percentile(&self, percent: u32) -> Option<Duration> {
        let counts = self.0.each_ref().map(|count| count.load(Relaxed));
        let total: u64 = counts.iter().map(|&count| u64::from(count)).sum();
        // At least one, so that a bucket with something in it is told.
        let wanted = (total * u64::from(percent.min(100))).div_ceil(100).max(1);
        let mut seen = 0;
        let found = counts.iter().position(|&count| {
            seen += u64::from(count);
            seen >= wanted
        });
        found.map(end)
    }

    /// Forgets half of what was counted, so that what comes next weighs more.
    pub(super) fn halve(&self) {
        for count in &self.0 {
            // The closure always has a value.
            let _ = count.fetch_update(Relaxed, Relaxed, |count| Some(count / 2));
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        self.0.iter().for_each(|count| count.store(0, Relaxed));
    }
}

/// The place of a duration.
fn bucket(took: Duration) -> usize {
    let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).clamp(1, (1 << LONGEST) - 1);
    let doublings = us.ilog2().saturating_sub(DIVIDED);
    // The leading bits of the number, below them how often it was halved for that.
    usize::try_from((u64::from(doublings) << DIVIDED) + (us >> doublings)).unwrap_or(0)
}

/// The longest duration in this place.
fn end(bucket: usize) -> Duration {
    let bucket = bucket as u64;
    let doublings = (bucket >> DIVIDED).saturating_sub(1);
    let leading = bucket - (doublings << DIVIDED);
    Duration::from_micros(((leading + 1) << doublings) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(took_ms: impl IntoIterator<Item = u64>) -> Histogram {
        let histogram = Histogram::default();
        took_ms.into_iter().for_each(|ms| histogram.record(Duration::from_millis(ms)));
        histogram
    }

    fn percentile_ms(histogram: &Histogram, percent: u32) -> u128 {
        histogram.percentile(percent).expect("something was counted").as_millis()
    }

    #[test]
    fn percentiles_are_known_to_an_eighth() {
        assert_eq!(Histogram::default().percentile(50), None);
        let histogram = of(1..=1000);
        for (percent, exact) in [(0, 1), (1, 10), (50, 500), (95, 950), (99, 990), (100, 1000)] {
            let found = percentile_ms(&histogram, percent);
            assert!((exact..=exact + exact / 8 + 1).contains(&found), "{percent} %: {found}");
        }
        histogram.record(Duration::MAX);
        assert!(percentile_ms(&histogram, 100) > 100_000, "two minutes, whatever it was");
        histogram.clear();
        assert_eq!(histogram.percentile(50), None);
    }

    #[test]
    fn what_was_halved_is_outweighed_by_what_comes() {
        let histogram = of([10; 100]);
        histogram.halve();
        (0..60).for_each(|_| histogram.record(Duration::from_millis(80)));
        assert!(percentile_ms(&histogram, 50) >= 80);
        (0..20).for_each(|_| histogram.halve());
        assert_eq!(histogram.percentile(50), None, "in the end everything is forgotten");
    }

    proptest! {
        #[test]
        fn every_duration_has_a_place_that_ends_an_eighth_above_it_at_most(us in 1u64..(1 << LONGEST)) {
            let end_us = end(bucket(Duration::from_micros(us))).as_micros();
            prop_assert!(end_us >= u128::from(us) && end_us <= u128::from(us + us / 8 + 1), "{us}: {end_us}");
        }

        #[test]
        fn no_duration_is_out_of_bounds(seconds: u64, nanos in 0u32..1_000_000_000) {
            prop_assert!(bucket(Duration::new(seconds, nanos)) < BUCKETS);
        }
    }
}
