//! How long revocations take from the application's decision to this edge.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// The upper ends of the buckets, in milliseconds; a last one takes the rest.
pub const BUCKETS_MS: [u64; 11] = [1, 2, 5, 10, 20, 50, 100, 250, 500, 1000, 5000];

/// Counts by duration.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS_MS.len() + 1],
    sum_ms: AtomicU64,
}

impl Histogram {
    pub(super) fn record(&self, duration: Duration) {
        let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let bucket = BUCKETS_MS.partition_point(|&end| end < ms);
        if let Some(count) = self.buckets.get(bucket) {
            count.fetch_add(1, Relaxed);
        }
        self.sum_ms.fetch_add(ms, Relaxed);
    }

    /// How many took at most so long, by bucket, the last one all; and the sum in milliseconds.
    #[must_use]
    pub fn read(&self) -> ([u64; BUCKETS_MS.len() + 1], u64) {
        let mut total = 0;
        let counts = std::array::from_fn(|bucket| {
            total += self.buckets.get(bucket).map_or(0, |count| count.load(Relaxed));
            total
        });
        (counts, self.sum_ms.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_cumulative() {
        let histogram = Histogram::default();
        for ms in [0, 1, 3, 5, 9000] {
            histogram.record(Duration::from_millis(ms));
        }
        let (counts, sum) = histogram.read();
        assert_eq!((counts[0], counts[1], counts[2], counts[10], counts[11], sum), (2, 2, 4, 4, 5, 9009));
    }
}
