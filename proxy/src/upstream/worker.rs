//! An upstream as one worker uses it.

use super::endpoints::Endpoints;
use super::error::UpstreamError;
use super::park::Parking;
use super::shared::Shared;
use crate::config::{self, ProxyVersion};
use crate::link::LinkedUpstream;
use crate::metrics::UpstreamCounters;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// An upstream as one worker uses it.
pub struct Upstream {
    pub(super) name: Rc<str>,
    pub(super) endpoints: Endpoints,
    pub(super) hash_by: Option<config::HashBy>,
    pub(super) connect_timeout: Duration,
    /// Another address of a name runs beside one that has not answered for so long.
    pub(super) connect_attempt_delay: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) idle_max: usize,
    pub(super) proxy_protocol: Option<ProxyVersion>,
    pub(super) counters: Arc<UpstreamCounters>,
    /// What all workers know of it.
    pub(super) shared: Arc<Shared>,
    /// What it tells of itself, if it does.
    pub(super) linked: Option<Arc<LinkedUpstream>>,
    /// How much it is given at once.
    pub(super) limits: Option<config::Limits>,
    /// When its endpoints are left alone.
    pub(super) breaker: Option<config::Breaker>,
    /// Where requests wait until it is back.
    pub(super) parking: Option<Rc<Parking>>,
}

impl Upstream {
    pub(super) fn new(
        config: &config::Upstream,
        endpoints: Endpoints,
        counters: Arc<UpstreamCounters>,
        linked: Option<Arc<LinkedUpstream>>,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            name: config.name.as_str().into(),
            endpoints,
            hash_by: config.hash_by.clone(),
            connect_timeout: config.connect_timeout,
            connect_attempt_delay: config.connect_attempt_delay,
            idle_timeout: config.idle_timeout,
            // A connection whose first bytes say who the client is serves no other client.
            idle_max: if config.proxy_protocol.is_some() { 0 } else { config.idle_max },
            proxy_protocol: config.proxy_protocol,
            counters,
            shared,
            linked,
            limits: config.limits,
            breaker: config.breaker,
            parking: config.park.map(Parking::new),
        }
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &Rc<str> {
        &self.name
    }

    /// Which requests go to one endpoint.
    #[must_use]
    pub const fn hash_by(&self) -> Option<&config::HashBy> {
        self.hash_by.as_ref()
    }

    /// How it is told who the client is, at the start of each connection.
    #[must_use]
    pub const fn proxy_protocol(&self) -> Option<ProxyVersion> {
        self.proxy_protocol
    }

    /// Counts a failed attempt by its cause.
    pub(super) fn failed(&self, error: &UpstreamError) {
        if let Some(failure) = error.failure() {
            self.counters.failed(failure);
        }
    }
}
