//! The links of one snapshot: for each upstream that has one, what all its endpoints have told.

use super::endpoint::EndpointLink;
use super::histogram::Histogram;
use super::request::Credentials;
use super::set::RevocationSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::sync::watch;

const STALE_AFTER: Duration = Duration::from_millis(serve::contract::link::STALE_MS);

/// What the endpoints of an upstream have told. It outlives a snapshot, by the upstream's name.
#[derive(Debug)]
pub struct LinkedUpstream {
    name: String,
    pub(super) set: RevocationSet,
    /// The JWK set as it was told last.
    pub(super) keys: watch::Sender<Option<Arc<str>>>,
    pub(super) propagation: Histogram,
    endpoints: arc_swap::ArcSwap<Vec<(String, Arc<EndpointLink>)>>,
    stale_uses: AtomicU64,
}

impl LinkedUpstream {
    /// Nothing has been told yet.
    #[must_use]
    pub fn new(name: &str) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            set: RevocationSet::default(),
            keys: watch::Sender::new(None),
            propagation: Histogram::default(),
            endpoints: arc_swap::ArcSwap::default(),
            stale_uses: AtomicU64::new(0),
        })
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The revocations in force.
    #[must_use]
    pub const fn set(&self) -> &RevocationSet {
        &self.set
    }

    /// Hears of every JWK set that is told.
    #[must_use]
    pub fn keys(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.keys.subscribe()
    }

    /// How long revocations took to come here.
    #[must_use]
    pub const fn propagation(&self) -> &Histogram {
        &self.propagation
    }

    /// The state of each endpoint, by its address.
    #[must_use]
    pub fn endpoints(&self) -> Arc<Vec<(String, Arc<EndpointLink>)>> {
        self.endpoints.load_full()
    }

    /// The state of the endpoint with this address.
    #[must_use]
    pub fn endpoint(&self, address: &str) -> Option<Arc<EndpointLink>> {
        self.endpoints.load().iter().find(|(known, _)| known == address).map(|(_, link)| Arc::clone(link))
    }

    /// How long ago everything was known: the endpoints share what they tell, so the youngest counts.
    #[must_use]
    pub fn age(&self, now: Instant) -> Option<Duration> {
        self.endpoints.load().iter().filter_map(|(_, link)| link.age(now)).min()
    }

    /// Whether every revocation is known that was decided some seconds ago. `unix` is `now` in seconds since 1970.
    #[must_use]
    pub fn is_current(&self, now: Instant, unix: u64) -> bool {
        self.age(now).is_some_and(|age| age < STALE_AFTER) && self.set.is_complete(unix)
    }

    /// Counts a token that was taken although revocations may be missing.
    pub fn note_stale_use(&self) {
        self.stale_uses.fetch_add(1, Relaxed);
    }

    /// How many tokens were taken so.
    #[must_use]
    pub fn stale_uses(&self) -> u64 {
        self.stale_uses.load(Relaxed)
    }

    fn keep(&self, addresses: &[String]) {
        let known = self.endpoints.load();
        let of = |address: &String| {
            let known = known.iter().find(|(known, _)| known == address).map(|(_, link)| Arc::clone(link));
            (address.clone(), known.unwrap_or_default())
        };
        let kept = addresses.iter().map(of).collect();
        self.endpoints.store(Arc::new(kept));
    }
}

/// What listens to one endpoint.
#[derive(Debug, Clone)]
pub struct Task {
    /// The upstream's position in the configuration.
    pub upstream_index: usize,
    /// The endpoint's position among the upstream's.
    pub endpoint_index: usize,
    /// Where it tells.
    pub(super) linked: Arc<LinkedUpstream>,
    pub(super) endpoint: Arc<EndpointLink>,
    pub(super) address: String,
    pub(super) credentials: Credentials,
}

/// The links of one snapshot.
#[derive(Debug, Default)]
pub struct Links {
    upstreams: Vec<Arc<LinkedUpstream>>,
    tasks: Vec<Task>,
}

impl Links {
    /// Adds an upstream, with what it had told under the snapshot before.
    pub fn add(
        &mut self,
        upstream_index: usize,
        name: &str,
        key: &serve::shared_key::SharedKey,
        addresses: &[String],
        previous: Option<&Self>,
    ) {
        let linked = previous.and_then(|previous| previous.get(name)).unwrap_or_else(|| LinkedUpstream::new(name));
        linked.keep(addresses);
        let credentials = Credentials::new(name, key);
        let endpoints = linked.endpoints();
        self.tasks.extend(endpoints.iter().enumerate().map(|(endpoint_index, (address, endpoint))| Task {
            upstream_index,
            endpoint_index,
            linked: Arc::clone(&linked),
            endpoint: Arc::clone(endpoint),
            address: address.clone(),
            credentials: credentials.clone(),
        }));
        self.upstreams.push(linked);
    }

    /// The link of the upstream with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<LinkedUpstream>> {
        self.upstreams.iter().find(|linked| linked.name == name).cloned()
    }

    /// All of them.
    #[must_use]
    pub fn upstreams(&self) -> &[Arc<LinkedUpstream>] {
        &self.upstreams
    }

    /// Whom to listen to.
    #[must_use]
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }
}
