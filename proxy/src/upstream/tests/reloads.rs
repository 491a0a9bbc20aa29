//! What is known of an upstream outlives a reload, and no longer than it means something.

use super::support::configured;
use crate::config::{self, Park, RetryBudget};
use crate::upstream::Shared;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::Instant;

fn upstream() -> config::Upstream {
    configured(&SocketAddr::from(([127, 0, 0, 1], 1)))
}

/// Found in a review: with another budget it was as if it had never answered, so nobody waited for it any more.
#[test]
fn an_upstream_is_expected_back_whatever_becomes_of_its_retry_budget() {
    let before = Shared::new(&upstream(), None);
    let now = Instant::now();
    before.note_good(now);
    let one = Park { requests_max: 1, ..Park::DEFAULT };
    let waiting = before.park(one, 0).expect("a place");
    let changed = config::Upstream { retry_budget: RetryBudget { percent: 1, per_second_min: 1 }, ..upstream() };
    let after = Shared::new(&changed, Some(&before));
    assert!(after.was_good_within(Duration::from_secs(60), now));
    assert!(after.park(one, 0).is_none(), "who waits since before has the place");
    drop(waiting);
    assert!(after.park(one, 0).is_some());
}
