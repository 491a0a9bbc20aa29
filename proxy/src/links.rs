//! Listening to every upstream with a link, on the control thread, and what the metrics show of it.

use crate::config::UpstreamProtocol;
use crate::link::{BUCKETS_MS, LinkedUpstream, listen};
use crate::metrics::{EndpointSample, EndpointState, LinkSample, LinkSamples, PostedSample};
use crate::snapshot::Snapshot;
use crate::upstream::{self, Transport, client_config};
use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::task::JoinSet;

/// How often expired revocations are swept out.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// The tasks that listen, until this is dropped.
pub(crate) struct LinkGuard {
    _tasks: JoinSet<()>,
}

impl LinkGuard {
    /// Listens on behalf of one snapshot. Must be called on the control thread's local runtime; those of the snapshot
    /// before go on until their guard is dropped.
    pub(crate) fn spawn(snapshot: &Snapshot) -> Self {
        let mut tasks = JoinSet::new();
        snapshot.links.settle();
        for task in snapshot.links.tasks() {
            let config = &snapshot.config.upstreams[task.upstream_index];
            let (group, part) = (Arc::clone(&snapshot.groups[task.upstream_index]), task.endpoint_index);
            let limit = config.connect_timeout;
            let tls = config
                .tls
                .as_ref()
                .map(|tls| client_config(tls, UpstreamProtocol::Http1).map(|made| (tls.clone(), made)));
            let transport = match tls.transpose() {
                Ok(tls) => Transport { protocol: UpstreamProtocol::Http1, tls },
                // The same settings were good when the snapshot was built.
                Err(error) => {
                    tracing::error!(upstream = config.name, %error, "no TLS for the link");
                    continue;
                }
            };
            let task = task.clone();
            tasks.spawn_local(async move {
                let (link, turn) = (Arc::clone(&task.endpoint), Cell::new(0));
                let dial = || {
                    let (group, transport, link) = (&group, &transport, &link);
                    let turn = turn.replace(turn.get() + 1);
                    async move {
                        let members = group.members_of(part).await;
                        // Each address of a name in turn: one of them is enough, because all tell the same.
                        let missing = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                        let member = members.get(turn % members.len().max(1)).ok_or_else(missing)?;
                        link.set_place(member.socket());
                        upstream::dial(member, transport, limit).await
                    }
                };
                listen(task, dial).await;
            });
        }
        tasks.spawn_local(sweep(sets(snapshot)));
        Self { _tasks: tasks }
    }
}

type Sets = (Vec<Arc<LinkedUpstream>>, Vec<Arc<crate::link::RevocationSet>>);

fn sets(snapshot: &Snapshot) -> Sets {
    (snapshot.links.upstreams().to_vec(), snapshot.issuers.all_posted().map(|(_, set)| Arc::clone(set)).collect())
}

async fn sweep((linked, posted): Sets) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    loop {
        ticks.tick().await;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        linked.iter().for_each(|linked| linked.set().forget_expired(now));
        posted.iter().for_each(|set| set.forget_expired(now));
    }
}

/// What is known of endpoints now.
pub(crate) fn endpoints(snapshot: &Snapshot) -> impl Iterator<Item = EndpointState> {
    snapshot.groups.iter().flat_map(|group| {
        let linked = snapshot.links.get(group.name());
        group.members().into_iter().map(move |member| {
            let told = linked.as_ref().and_then(|linked| linked.endpoint(&member.written));
            let (state, cause) = member.state();
            let (ejections, probe_failures) = member.counted();
            EndpointState {
                upstream: group.name().to_owned(),
                endpoint: member.written.to_string(),
                address: member.label(),
                state: if told.is_some_and(|told| told.is_draining_at(member.socket())) { "draining" } else { state },
                cause,
                weight: member.weight,
                zone: member.zone.as_deref().map(str::to_owned),
                zone_percent: group.zone_percent_of(&member),
                in_flight: member.in_flight() as u64,
                ejections,
                probe_failures,
            }
        })
    })
}

/// What is known of links now.
pub(crate) fn samples(snapshot: &Snapshot) -> LinkSamples {
    let now = Instant::now();
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let whole = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let upstream = |linked: &Arc<LinkedUpstream>| {
        let (propagation, propagation_sum_ms) = linked.propagation().read();
        LinkSample {
            upstream: linked.name().to_owned(),
            entries: linked.set().len() as u64,
            age_ms: linked.age(now).map(whole),
            stale_uses: linked.stale_uses(),
            is_full: !linked.set().is_complete(unix),
            propagation: propagation.to_vec(),
            propagation_sum_ms,
            buckets_ms: &BUCKETS_MS,
            endpoints: linked
                .endpoints()
                .iter()
                .map(|(address, link)| EndpointSample {
                    address: address.clone(),
                    up: link.is_connected(),
                    draining: link.is_draining(),
                    breaks: link.breaks(),
                })
                .collect(),
        }
    };
    let posted = |(issuer, set): (&str, &Arc<crate::link::RevocationSet>)| PostedSample {
        issuer: issuer.to_owned(),
        entries: set.len() as u64,
    };
    LinkSamples {
        upstreams: snapshot.links.upstreams().iter().map(upstream).collect(),
        posted: snapshot.issuers.all_posted().map(posted).collect(),
    }
}
