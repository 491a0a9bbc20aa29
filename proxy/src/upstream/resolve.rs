//! From the names of endpoints to addresses, asked again while the proxy runs: one task a name, on the control thread.
//!
//! A name is asked again when its answer's time is over, `resolve_every` at the latest, and at once when one of its
//! addresses can't be connected to: a container that comes back elsewhere is found before any TTL says so. A name that
//! is missing at start is no error; requests say so until it appears. When a later lookup fails, the last good answer
//! goes on being used for an hour.

use super::group::Group;
use super::names::Names;
use crate::config::EndpointAddress;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// Two lookups of one name begin at least so far apart, whoever wants them.
const APART: Duration = Duration::from_millis(250);
/// What a TTL below it counts as.
const TTL_MIN: Duration = Duration::from_secs(1);
/// After a failure.
const FAILED_FOR: Duration = Duration::from_secs(1);

/// Keeps the addresses of one name current until the task is dropped.
pub(super) async fn follow(
    group: Arc<Group>,
    part: usize,
    address: EndpointAddress,
    names: Rc<Names>,
    every: Duration,
) {
    loop {
        let began = Instant::now();
        group.begin_lookup();
        let answer = names.look_up(&address).await;
        let pause = answer.as_ref().map_or(FAILED_FOR, |answer| answer.ttl.max(TTL_MIN)).min(every).max(APART);
        group.end_lookup(part, answer.map(|answer| answer.found), Instant::now());
        tokio::select! {
            () = sleep(pause) => {}
            () = group.wanted(part) => sleep_until(began + APART).await,
        }
    }
}
