//! What so many of a hundred attempts took at most, lately.
//!
//! Kept from the attempts themselves and by their number, not by the clock: it costs an attempt two additions, and every
//! 64th a look through a few hundred counts. It is never told before there is enough to tell it from.

use super::histogram::Histogram;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// It is told anew after so many.
const RENEWED_EVERY: u64 = 64;

/// And not before so many.
const ENOUGH: u64 = 128;

/// Half of what was seen is forgotten after so many.
const HALVED_EVERY: u64 = 4096;

/// All workers share it.
#[derive(Debug)]
pub(super) struct Percentile {
    percent: u32,
    seen: AtomicU64,
    /// In microseconds; 0: not known yet.
    known_us: AtomicU64,
    histogram: Histogram,
}

impl Percentile {
    /// Nothing has been seen.
    pub(super) fn new(percent: u32) -> Self {
        Self { percent, seen: AtomicU64::new(0), known_us: AtomicU64::new(0), histogram: Histogram::default() }
    }

    /// Takes in an attempt that took so long, or longer.
    pub(super) fn saw(&self, took: Duration) {
        self.histogram.record(took);
        let seen = self.seen.fetch_add(1, Relaxed) + 1;
        if seen >= ENOUGH && seen.is_multiple_of(RENEWED_EVERY) {
            let known = self.histogram.percentile(self.percent).unwrap_or_default();
            self.known_us.store(u64::try_from(known.as_micros()).unwrap_or(u64::MAX), Relaxed);
        }
        if seen.is_multiple_of(HALVED_EVERY) {
            self.histogram.halve();
        }
    }

    /// It, once it is known.
    pub(super) fn known(&self) -> Option<Duration> {
        Some(self.known_us.load(Relaxed)).filter(|&us| us > 0).map(Duration::from_micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many attempts, one in twenty of which takes long.
    fn see(percentile: &Percentile, count: u64, short_ms: u64, long_ms: u64) {
        for number in 0..count {
            let ms = if number % 20 == 7 { long_ms } else { short_ms };
            percentile.saw(Duration::from_millis(ms));
        }
    }

    fn known_ms(percentile: &Percentile) -> u128 {
        percentile.known().expect("enough was seen").as_millis()
    }

    #[test]
    fn it_is_told_once_there_is_enough_to_tell_it_from() {
        let (often, seldom) = (Percentile::new(90), Percentile::new(99));
        see(&often, ENOUGH - 1, 10, 300);
        assert_eq!(often.known(), None);
        see(&often, 1, 10, 300);
        see(&seldom, ENOUGH, 10, 300);
        assert!((10..13).contains(&known_ms(&often)), "{often:?}");
        assert!((300..340).contains(&known_ms(&seldom)), "{seldom:?}");
    }

    #[test]
    fn it_follows_what_changes() {
        let percentile = Percentile::new(90);
        see(&percentile, 20 * HALVED_EVERY, 10, 300);
        assert!(known_ms(&percentile) < 13);
        see(&percentile, 8 * HALVED_EVERY, 100, 300);
        assert!((100..115).contains(&known_ms(&percentile)), "{percentile:?}");
    }
}
