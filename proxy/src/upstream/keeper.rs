//! The tasks of the control thread that keep what is known of endpoints current.

use super::dial::Transport;
use super::group::Group;
use super::names::Names;
use super::probe::probe_all;
use super::resolve;
use crate::config::Health;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// How often the passing of time is noted.
const TICK: Duration = Duration::from_millis(200);

/// The tasks of one revision, until this is dropped.
pub struct Keeper {
    _tasks: JoinSet<()>,
}

/// One upstream to be kept.
pub struct Kept {
    /// Its endpoints.
    pub group: Arc<Group>,
    /// Addresses are looked up again after so long.
    pub resolve_every: Duration,
    /// How they are probed, and how they are talked to; `None`: not at all.
    pub probes: Option<(Health, Transport)>,
}

impl Keeper {
    /// Begins. Must be called on the control thread's local runtime. `resolver`: the server that is asked for names;
    /// `None`: the system's.
    #[must_use]
    pub fn spawn(upstreams: impl IntoIterator<Item = Kept>, resolver: Option<SocketAddr>) -> Self {
        let mut tasks = JoinSet::new();
        let names = Rc::new(Names::new(resolver));
        let mut groups = Vec::new();
        for Kept { group, resolve_every, probes } in upstreams {
            for (part, address) in group.names() {
                tasks.spawn_local(resolve::follow(Arc::clone(&group), part, address, Rc::clone(&names), resolve_every));
            }
            match probes {
                Some((rules, transport)) => drop(tasks.spawn_local(probe_all(Arc::clone(&group), rules, transport))),
                None => group.forget_probes(),
            }
            groups.push(group);
        }
        tasks.spawn_local(tick(groups));
        Self { _tasks: tasks }
    }
}

async fn tick(groups: Vec<Arc<Group>>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        groups.iter().for_each(|group| group.tick());
    }
}
