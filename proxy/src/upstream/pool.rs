//! The endpoints of one worker, by address: they outlive a snapshot, and with them their connections.

use super::dial::Transport;
use super::endpoint::Endpoint;
use super::endpoints::Endpoints;
use super::group::Group;
use super::member::Member;
use super::shared::Shared;
use super::worker::Upstream;
use crate::config::{self, Balance, EndpointAddress};
use crate::link::LinkedUpstream;
use crate::metrics::UpstreamCounters;
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

/// How often idle connections are looked through.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// All endpoints of a worker.
#[derive(Default)]
pub struct Pools {
    endpoints: RefCell<HashMap<Key, Known>>,
}

/// Upstream, name and place.
type Key = (String, EndpointAddress, Option<SocketAddr>);

struct Known {
    endpoint: Weak<Endpoint>,
    idle_timeout: Duration,
}

impl Pools {
    /// An empty pool whose idle connections are closed in time. Must be called on the worker's local runtime.
    #[must_use]
    pub fn new() -> Rc<Self> {
        let pools = Rc::new(Self::default());
        let swept = Rc::downgrade(&pools);
        tokio::task::spawn_local(async move {
            let mut ticks = tokio::time::interval(SWEEP_EVERY);
            loop {
                ticks.tick().await;
                let Some(pools) = swept.upgrade() else { return };
                pools.sweep();
            }
        });
        pools
    }

    /// The upstream as configured now; endpoints that were known before, and are talked to in the same way, keep their
    /// connections.
    #[must_use]
    pub fn upstream(
        self: &Rc<Self>,
        upstream: &config::Upstream,
        transport: &Transport,
        group: &Arc<Group>,
        counters: Arc<UpstreamCounters>,
        linked: Option<Arc<LinkedUpstream>>,
        shared: &Arc<Shared>,
    ) -> Upstream {
        self.endpoints.borrow_mut().retain(|_, known| known.endpoint.strong_count() > 0);
        let (pools, for_places, transport, idle_timeout) =
            (Rc::clone(self), Arc::clone(group), transport.clone(), upstream.idle_timeout);
        let told = linked.clone();
        let measures = upstream.balance == Balance::PeakEwma;
        let place = move |member: &Arc<Member>| {
            let endpoint = pools.endpoint(&for_places, member, &transport, idle_timeout)?;
            let told = told.as_ref().and_then(|linked| linked.endpoint(&member.written));
            endpoint.join(&for_places, member, told, measures);
            Some(endpoint)
        };
        let endpoints = Endpoints::new(upstream.balance, Arc::clone(group), Box::new(place));
        Upstream::new(upstream, endpoints, counters, linked, Arc::clone(shared))
    }

    fn endpoint(
        &self,
        group: &Arc<Group>,
        member: &Arc<Member>,
        transport: &Transport,
        idle_timeout: Duration,
    ) -> Option<Rc<Endpoint>> {
        let key = (group.name().to_owned(), member.address.clone(), member.socket);
        let mut known = self.endpoints.borrow_mut();
        let kept = known
            .get(&key)
            .and_then(|known| known.endpoint.upgrade())
            // A connection that trusts another authority, or speaks otherwise, must not be used again.
            .filter(|endpoint| endpoint.transport().means_the_same(transport) && endpoint.is_of(member));
        let endpoint = match kept {
            Some(endpoint) => endpoint,
            None => Rc::new(Endpoint::new(group, member, transport.clone())?),
        };
        known.insert(key, Known { endpoint: Rc::downgrade(&endpoint), idle_timeout });
        Some(endpoint)
    }

    fn sweep(&self) {
        self.endpoints.borrow_mut().retain(|_, known| match known.endpoint.upgrade() {
            Some(endpoint) => {
                endpoint.sweep(known.idle_timeout);
                true
            }
            None => false,
        });
    }
}
