//! The endpoints of one worker, by address: they outlive a snapshot, and with them their connections.

use super::dial::Transport;
use super::endpoint::Endpoint;
use super::endpoints::Endpoints;
use super::resolve;
use super::shared::Shared;
use super::worker::Upstream;
use crate::config::{self, EndpointAddress};
use crate::link::LinkedUpstream;
use crate::metrics::UpstreamCounters;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

/// How often idle connections are looked through.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// All endpoints of a worker.
#[derive(Default)]
pub struct Pools {
    endpoints: RefCell<HashMap<(String, EndpointAddress), Weak<Endpoint>>>,
    swept: RefCell<Vec<(Weak<Endpoint>, Duration)>>,
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
        &self,
        upstream: &config::Upstream,
        transport: &Transport,
        counters: Arc<UpstreamCounters>,
        linked: Option<&Arc<LinkedUpstream>>,
        shared: &Arc<Shared>,
    ) -> Upstream {
        let mut known = self.endpoints.borrow_mut();
        known.retain(|_, endpoint| endpoint.strong_count() > 0);
        let endpoints: Vec<_> = upstream
            .endpoints
            .iter()
            .map(|address| {
                let key = (upstream.name.clone(), address.clone());
                let endpoint = known
                    .get(&key)
                    .and_then(Weak::upgrade)
                    // A connection that trusts another authority, or speaks otherwise, must not be used again.
                    .filter(|endpoint| endpoint.transport().means_the_same(transport))
                    .unwrap_or_else(|| Rc::new(Endpoint::new(address.clone(), transport.clone())));
                endpoint.listen_to(linked.and_then(|linked| linked.endpoint(&resolve::display(address))));
                known.insert(key, Rc::downgrade(&endpoint));
                endpoint
            })
            .collect();
        let mut swept = self.swept.borrow_mut();
        swept.retain(|(endpoint, _)| {
            endpoint.strong_count() > 0 && !endpoints.iter().any(|known| endpoint.as_ptr() == Rc::as_ptr(known))
        });
        swept.extend(endpoints.iter().map(|endpoint| (Rc::downgrade(endpoint), upstream.idle_timeout)));
        Upstream::new(
            upstream,
            Endpoints::new(upstream.balance, endpoints),
            counters,
            linked.cloned(),
            Arc::clone(shared),
        )
    }

    fn sweep(&self) {
        for (endpoint, idle_timeout) in &*self.swept.borrow() {
            if let Some(endpoint) = endpoint.upgrade() {
                endpoint.sweep(*idle_timeout);
            }
        }
    }
}
