//! How long an endpoint takes: an average that jumps up with a slow answer and comes down slowly (peak EWMA).
//!
//! A failure counts as long as it took, and at least [`FAILED_SECONDS`]; an answer that says when to come again counts
//! as long as that.

use http::{HeaderMap, header};
use std::cell::Cell;
use std::time::Duration;
use tokio::time::Instant;

/// How fast the past is forgotten: after so many seconds a third of it is left.
const DECAY_SECONDS: f64 = 10.0;
/// What is taken for granted of who has not been asked.
const UNKNOWN_SECONDS: f64 = 0.001;
/// What a failure counts as at least.
const FAILED_SECONDS: f64 = 1.0;
/// What an answer's own word counts as at most.
const RETRY_AFTER_SECONDS_MAX: u64 = 60;

#[derive(Debug)]
pub(in crate::upstream) struct Latency {
    seconds: Cell<f64>,
    at: Cell<Option<Instant>>,
}

impl Default for Latency {
    fn default() -> Self {
        Self { seconds: Cell::new(UNKNOWN_SECONDS), at: Cell::new(None) }
    }
}

impl Latency {
    pub(in crate::upstream) fn seconds(&self) -> f64 {
        self.seconds.get()
    }

    /// An answer came after so long.
    pub(in crate::upstream) fn answered(&self, after: Duration, headers: &HeaderMap, now: Instant) {
        let asked = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
        let asked = asked.map_or(0.0, |seconds| seconds.min(RETRY_AFTER_SECONDS_MAX) as f64);
        self.take(after.as_secs_f64().max(asked), now);
    }

    /// None came up to now, and none is awaited any more.
    pub(in crate::upstream) fn at_least(&self, after: Duration, now: Instant) {
        if after.as_secs_f64() > self.seconds.get() {
            self.take(after.as_secs_f64(), now);
        }
    }

    /// None came.
    pub(in crate::upstream) fn failed(&self, now: Instant) {
        self.take(FAILED_SECONDS.max(self.seconds.get()), now);
    }

    fn take(&self, seconds: f64, now: Instant) {
        let known = self.seconds.get();
        let passed = self.at.replace(Some(now)).map_or(f64::MAX, |at| now.saturating_duration_since(at).as_secs_f64());
        let kept = decayed(passed / DECAY_SECONDS);
        self.seconds.set(if seconds > known { seconds } else { known * kept + seconds * (1.0 - kept) });
    }
}

/// `exp(-x)`; answers that follow each other closely, which are most, need no more than its first terms.
fn decayed(x: f64) -> f64 {
    if x < 1e-3 { 1.0 - x + x * x / 2.0 } else { (-x).exp() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_jumps_up_and_comes_down_slowly() {
        let (latency, mut now, none) = (Latency::default(), Instant::now(), HeaderMap::new());
        latency.answered(Duration::from_millis(10), &none, now);
        assert!((latency.seconds() - 0.010).abs() < 1e-9, "the first counts alone");
        latency.answered(Duration::from_secs(2), &none, now);
        assert!((latency.seconds() - 2.0).abs() < 1e-9);
        now += Duration::from_secs(10);
        latency.answered(Duration::ZERO, &none, now);
        assert!((0.7..0.8).contains(&latency.seconds()), "{latency:?}");
    }

    #[test]
    fn the_first_terms_are_near_enough() {
        for x in [0.0, 1e-6, 9.99e-4, 1e-3, 0.5, 700.0, f64::MAX] {
            assert!((decayed(x) - (-x).exp()).abs() < 1e-9, "{x}");
        }
    }

    #[test]
    fn what_was_not_waited_for_counts_only_where_it_took_longer_than_usual() {
        let (latency, now) = (Latency::default(), Instant::now());
        latency.answered(Duration::from_millis(100), &HeaderMap::new(), now);
        for (after_ms, seconds) in [(50, 0.100), (200, 0.200)] {
            latency.at_least(Duration::from_millis(after_ms), now + Duration::from_secs(60));
            assert!((latency.seconds() - seconds).abs() < 1e-9, "{latency:?}");
        }
    }

    #[test]
    fn failures_and_requests_to_come_again_count_as_time() {
        let (latency, now) = (Latency::default(), Instant::now());
        latency.failed(now);
        assert!((latency.seconds() - 1.0).abs() < 1e-9);
        for (said, seconds) in [("7", 7.0), ("3600", 60.0), ("soon", 0.002)] {
            let (latency, mut headers) = (Latency::default(), HeaderMap::new());
            headers.insert(header::RETRY_AFTER, said.parse().expect("a value"));
            latency.answered(Duration::from_millis(2), &headers, now);
            assert!((latency.seconds() - seconds).abs() < 1e-9, "{said}");
        }
    }
}
