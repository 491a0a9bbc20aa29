//! The background task of one remote set: fetch early, again on demand, and patiently after failures.

use super::RemoteSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// A set is fetched again before this, whatever `Cache-Control` allows.
const REFRESH_MAX: Duration = Duration::from_secs(600);

/// And not before this, whatever `Cache-Control` forbids.
const REFRESH_MIN: Duration = Duration::from_secs(10);

/// The longest pause after failures.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// Keeps the set fresh until the task is aborted.
pub(crate) async fn run(set: Arc<RemoteSet>) {
    let mut due = set.loaded.load().as_ref().map_or_else(Instant::now, |loaded| loaded.refresh_at);
    loop {
        tokio::select! {
            () = sleep_until(due) => {}
            () = set.demand.wanted() => {}
        }
        let in_flight = set.demand.begin();
        due = fetch_once(&set).await;
        in_flight.complete();
    }
}

/// One fetch; returns when the next is due.
async fn fetch_once(set: &RemoteSet) -> Instant {
    let fetched = set.source.fetch().await;
    let now = Instant::now();
    let jitter = getrandom::u32().unwrap_or_default();
    let failed = match fetched {
        Ok(fetched) => {
            let refresh_at = now + after_success(fetched.max_age, jitter);
            match set.take_over(fetched.body, now, refresh_at) {
                Ok(()) => return refresh_at,
                Err(problem) => set.note_failure(&problem, now),
            }
        }
        Err(error) => set.note_failure(&error, now),
    };
    now + after_failure(failed, jitter)
}

/// 80 % of what `Cache-Control` allows, less up to a tenth of it so that many edges don't ask together.
fn after_success(max_age: Option<Duration>, jitter: u32) -> Duration {
    let fresh = max_age.unwrap_or(REFRESH_MAX).clamp(REFRESH_MIN, REFRESH_MAX);
    spread(fresh * 8 / 10, jitter)
}

/// 1, 2, 4 ... 60 seconds, less up to a tenth.
fn after_failure(failures: u32, jitter: u32) -> Duration {
    let pause = Duration::from_secs(1 << failures.clamp(1, 7).saturating_sub(1)).min(RETRY_MAX);
    spread(pause, jitter)
}

fn spread(pause: Duration, jitter: u32) -> Duration {
    pause - pause / 10 * (jitter % 1000) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses() {
        let seconds = Duration::from_secs;
        for (max_age, jitter, expected) in [
            (None, 0, seconds(480)),
            (None, 1000, seconds(480)),
            (None, 500, seconds(456)),
            (Some(seconds(86_400)), 0, seconds(480)),
            (Some(seconds(100)), 0, seconds(80)),
            (Some(seconds(0)), 0, seconds(8)),
        ] {
            assert_eq!(after_success(max_age, jitter), expected, "{max_age:?} {jitter}");
        }
        let pauses: Vec<_> = (0..10).map(|failures| after_failure(failures, 0).as_secs()).collect();
        assert_eq!(pauses, [1, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(after_failure(u32::MAX, 999), Duration::from_millis(54_006));
    }
}
