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

    /// Whether everything was told that was decided some seconds ago.
    #[must_use]
    pub fn is_heard(&self, now: Instant) -> bool {
        self.age(now).is_some_and(|age| age < STALE_AFTER)
    }

    /// Whether every revocation is known that was decided some seconds ago. `unix` is `now` in seconds since 1970.
    #[must_use]
    pub fn is_current(&self, now: Instant, unix: u64) -> bool {
        self.is_heard(now) && self.set.is_complete(unix)
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

    /// Adds the endpoints that are new. None is removed: the snapshot that is being built may not come into force.
    fn add(&self, addresses: &[String]) {
        let mut endpoints = Vec::clone(&self.endpoints.load());
        for address in addresses {
            if endpoints.iter().all(|(known, _)| known != address) {
                endpoints.push((address.clone(), Arc::default()));
            }
        }
        self.endpoints.store(Arc::new(endpoints));
    }

    /// Forgets the endpoints that are not configured any more.
    fn retain(&self, addresses: &[String]) {
        let mut endpoints = Vec::clone(&self.endpoints.load());
        endpoints.retain(|(known, _)| addresses.contains(known));
        self.endpoints.store(Arc::new(endpoints));
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
    /// What it tells of itself.
    pub endpoint: Arc<EndpointLink>,
    pub(super) address: String,
    pub(super) credentials: Credentials,
}

/// The links of one snapshot.
#[derive(Debug, Default)]
pub struct Links {
    upstreams: Vec<Arc<LinkedUpstream>>,
    /// Of each of these.
    addresses: Vec<Vec<String>>,
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
        linked.add(addresses);
        let credentials = Credentials::new(name, key);
        let task = |(endpoint_index, address): (usize, &String)| {
            Some(Task {
                upstream_index,
                endpoint_index,
                linked: Arc::clone(&linked),
                endpoint: linked.endpoint(address)?,
                address: address.clone(),
                credentials: credentials.clone(),
            })
        };
        self.tasks.extend(addresses.iter().enumerate().filter_map(task));
        self.upstreams.push(linked);
        self.addresses.push(addresses.to_vec());
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

    /// Says that this snapshot is in force: what only earlier ones knew is forgotten.
    pub fn settle(&self) {
        self.upstreams.iter().zip(&self.addresses).for_each(|(linked, addresses)| linked.retain(addresses));
    }

    /// Whether both listen to the same endpoints, with the same keys.
    #[must_use]
    pub fn asks_as(&self, other: &Self) -> bool {
        let same = |(one, other): (&Task, &Task)| {
            one.address == other.address
                && one.upstream_index == other.upstream_index
                && Arc::ptr_eq(&one.endpoint, &other.endpoint)
                && one.credentials.is_as(&other.credentials)
        };
        self.tasks.len() == other.tasks.len() && self.tasks.iter().zip(&other.tasks).all(same)
    }

    /// Whom to listen to.
    #[must_use]
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(addresses: &[&str], previous: Option<&Links>) -> Links {
        let mut links = Links::default();
        let addresses: Vec<_> = addresses.iter().map(|&address| address.to_owned()).collect();
        links.add(0, "app", &[7; 32], &addresses, previous);
        links
    }

    #[test]
    fn a_snapshot_that_does_not_come_into_force_changes_nothing() {
        let now = Instant::now() + Duration::from_secs(60);
        let first = build(&["a:1", "b:1"], None);
        first.settle();
        let linked = first.get("app").expect("linked");
        linked.endpoint("b:1").expect("an endpoint").note_current(now);
        assert!(linked.is_current(now, 0));
        let second = build(&["a:1", "c:1"], Some(&first));
        assert!(Arc::ptr_eq(&linked, &second.get("app").expect("linked")), "what was told is kept");
        assert!(linked.is_current(now, 0), "the endpoint that is told to go still tells");
        assert_eq!(second.tasks().iter().map(|task| task.address.as_str()).collect::<Vec<_>>(), ["a:1", "c:1"]);
        second.settle();
        assert!(!linked.is_current(now, 0));
        assert!(linked.endpoint("b:1").is_none());
    }

    #[test]
    fn the_youngest_endpoint_counts_for_ten_seconds() {
        let now = Instant::now() + Duration::from_secs(60);
        let links = build(&["a:1", "b:1"], None);
        let linked = links.get("app").expect("linked");
        assert_eq!(linked.age(now), None);
        linked.endpoint("a:1").expect("an endpoint").note_current(now);
        linked.endpoint("b:1").expect("an endpoint").note_current(now + Duration::from_secs(5));
        assert!(linked.is_current(now + Duration::from_secs(14), 0));
        assert!(!linked.is_current(now + Duration::from_secs(15), 0));
        linked.note_stale_use();
        assert_eq!(linked.stale_uses(), 1);
    }
}
