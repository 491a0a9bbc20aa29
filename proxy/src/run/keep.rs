//! Keeping what is known of the endpoints of a snapshot current: their addresses, and how they are.

use crate::snapshot::Snapshot;
use crate::upstream::{Keeper, Kept};
use std::sync::Arc;

/// Looks names up and probes until the value is dropped.
pub(super) fn keep(snapshot: &Snapshot) -> Keeper {
    let upstreams = snapshot.config.upstreams.iter().zip(&snapshot.groups).zip(&snapshot.transports);
    let kept = upstreams.map(|((upstream, group), transport)| Kept {
        group: Arc::clone(group),
        resolve_every: upstream.resolve_every,
        probes: upstream.health.clone().map(|rules| (rules, transport.clone())),
    });
    Keeper::spawn(kept, snapshot.config.server.resolver)
}
