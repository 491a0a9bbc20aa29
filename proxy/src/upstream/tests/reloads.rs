//! What is known of an upstream outlives a reload, and no longer than it means something.

use super::support::configured;
use crate::config::{self, Health, Park, RetryBudget};
use crate::upstream::{Group, Keeper, Kept, Shared};
use std::net::SocketAddr;
use std::sync::Arc;
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

/// Found in a review: nothing could bring such an endpoint back, and wrong probes are a reason to remove them.
#[test]
fn what_probes_have_said_ends_with_the_probes() {
    let health = Health {
        path: "/wrong".to_owned(),
        every: Duration::from_secs(5),
        timeout: Duration::from_secs(1),
        status: Vec::new(),
        body: None,
        rise: 2,
        fall: 3,
    };
    let probed = config::Upstream { health: Some(health), ..upstream() };
    let state = |group: &Group| group.members().iter().map(|member| member.state().0).collect::<Vec<_>>();
    let before = Group::new(&probed, None, None, None);
    before.probed(&before.members()[0], Err("status 404".to_owned()));
    assert_eq!(state(&before), ["down"]);
    assert_eq!(state(&Group::new(&probed, None, None, Some(&before))), ["down"], "it is the same endpoint");
    let after = Group::new(&upstream(), None, None, Some(&before));
    assert_eq!(state(&after), ["down"], "it is not in force yet");
    serve::worker::local_runtime().expect("a runtime").block_on(async {
        let kept = Kept { group: Arc::clone(&after), resolve_every: Duration::from_secs(60), probes: None };
        let _keeper = Keeper::spawn([kept], None);
        assert_eq!(state(&after), ["up"]);
    });
}
