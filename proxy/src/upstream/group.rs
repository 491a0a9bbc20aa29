//! The endpoints of one upstream as the whole process knows them: which addresses its names have now.
//!
//! The control thread writes (`resolve`), every worker reads a published list without a lock.

use super::address::{Found, display};
use super::balance::{Load, Zones};
use super::floor::may_eject;
use super::former::Formers;
use super::health::{Health, Standing};
use super::health_state::{Change, Rules};
use super::member::Member;
use crate::config::{self, EndpointAddress};
use crate::link::LinkedUpstream;
use arc_swap::ArcSwap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// How long the last good answer outlives lookups that fail.
const KEPT_FOR: Duration = Duration::from_secs(3600);

/// The endpoints of one upstream and revision. What is known of each outlives the revision.
pub struct Group {
    name: String,
    rules: Rules,
    /// Where requests are spread over zones.
    zones: Option<Arc<Zones>>,
    /// What the endpoints tell of themselves, if they do.
    linked: Option<Arc<LinkedUpstream>>,
    /// Held while it is decided whether one more may be ejected.
    ejecting: Mutex<()>,
    parts: Mutex<Vec<Part>>,
    members: Arc<ArcSwap<Members>>,
    /// One for each part: its name is to be looked up at once.
    wanted: Vec<Notify>,
    /// How many lookups have ended.
    ended: watch::Sender<u64>,
    /// How many are under way.
    under_way: AtomicUsize,
}

/// One endpoint as it is written, with the members that it stands for.
struct Part {
    endpoint: config::Endpoint,
    members: Vec<Arc<Member>>,
    formers: Formers,
    state: State,
}

#[derive(Clone)]
enum State {
    /// No lookup has ended yet.
    Pending,
    /// An address literal, a socket, or a name of which something is known since then.
    Known(Instant),
    /// Why the name has no address.
    Missing(Arc<str>),
}

/// What is published.
#[derive(Default)]
pub(super) struct Members {
    pub(super) all: Vec<Arc<Member>>,
    /// Whether a name was never looked up.
    pub(super) pending: bool,
    /// Why a name has no address.
    pub(super) missing: Option<Arc<str>>,
    /// The written endpoints without any address, with their weights.
    pub(super) absent: Vec<(usize, u32)>,
    /// Who was at an address that its name had until a moment ago.
    pub(super) former: Vec<Arc<Member>>,
}

impl Group {
    /// The endpoints of an upstream, for a process in the zone `own`; what `previous` knows of the same ones is taken
    /// over.
    #[must_use]
    pub fn new(
        upstream: &config::Upstream,
        own: Option<&str>,
        linked: Option<Arc<LinkedUpstream>>,
        previous: Option<&Self>,
    ) -> Arc<Self> {
        let known = previous.map(Self::parts);
        let part = |(index, endpoint): (usize, &config::Endpoint)| {
            let known =
                known.iter().flat_map(|parts| parts.iter()).find(|part| part.endpoint.address == endpoint.address);
            let before = known.map_or(&[][..], |part| &part.members);
            let (found, state) = match fixed(&endpoint.address) {
                Some(socket) => {
                    let address = endpoint.address.clone();
                    (vec![Found { address, socket, weight: None }], State::Known(Instant::now()))
                }
                None => (
                    before.iter().map(|member| member.found()).collect(),
                    known.map_or(State::Pending, |part| part.state.clone()),
                ),
            };
            let members = members(index, endpoint, found, before, None);
            Part { endpoint: endpoint.clone(), members, formers: Formers::default(), state }
        };
        let parts: Vec<_> = upstream.endpoints.iter().enumerate().map(part).collect();
        let group = Self {
            name: upstream.name.clone(),
            rules: Rules::of(upstream),
            zones: upstream.zones.as_ref().and_then(|zones| Zones::new(zones, &upstream.endpoints, own)),
            linked,
            ejecting: Mutex::default(),
            members: Arc::new(ArcSwap::from_pointee(published(&parts))),
            wanted: parts.iter().map(|_| Notify::new()).collect(),
            parts: Mutex::new(parts),
            ended: watch::Sender::new(0),
            under_way: AtomicUsize::new(0),
        };
        group.weigh();
        Arc::new(group)
    }

    /// The upstream's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where requests are spread over zones: these.
    pub(super) const fn zones(&self) -> Option<&Arc<Zones>> {
        self.zones.as_ref()
    }

    /// Percent of the requests that this one's zone gets now; `None` where they are not spread over zones.
    #[must_use]
    pub fn zone_percent_of(&self, member: &Member) -> Option<u32> {
        self.zones.as_ref().map(|zones| zones.percent_of(member.part))
    }

    /// What the zones get from now on.
    fn weigh(&self) {
        let Some(zones) = &self.zones else { return };
        zones.weigh(|| {
            let Members { all, absent, .. } = &**self.members.load();
            let of_member = |member: &Arc<Member>| Load {
                part: member.part,
                weight: member.weight,
                well_percent: if self.is_draining(member) { 0 } else { member.health.capacity() },
            };
            let absent = absent.iter().map(|&(part, weight)| Load { part, weight, well_percent: 0 });
            all.iter().map(of_member).chain(absent).collect::<Vec<_>>().into_iter()
        });
    }

    /// Whether it has said that it is about to stop.
    fn is_draining(&self, member: &Member) -> bool {
        let told = self.linked.as_ref().and_then(|linked| linked.endpoint(&member.written));
        told.is_some_and(|told| told.is_draining_at(member.socket()))
    }

    /// Every endpoint that requests may be sent to now.
    #[must_use]
    pub fn members(&self) -> Vec<Arc<Member>> {
        self.members.load().all.clone()
    }

    /// Those of the written endpoint at this position, as soon as its name has been looked up.
    pub async fn members_of(&self, part: usize) -> Vec<Arc<Member>> {
        self.settled().await;
        self.members.load().all.iter().filter(|member| member.part == part).cloned().collect()
    }

    /// For workers, which read it at each request.
    pub(super) fn published(&self) -> Arc<ArcSwap<Members>> {
        Arc::clone(&self.members)
    }

    /// The written endpoints that are names, by position.
    pub(super) fn names(&self) -> Vec<(usize, EndpointAddress)> {
        let parts = self.parts();
        let names = parts.iter().enumerate().filter(|(_, part)| fixed(&part.endpoint.address).is_none());
        names.map(|(index, part)| (index, part.endpoint.address.clone())).collect()
    }

    /// Asks for a lookup of the name behind a member, because it can't be connected to.
    pub(super) fn want(&self, part: usize) {
        self.wanted[part].notify_one();
    }

    /// Waits for somebody to ask for one.
    pub(super) async fn wanted(&self, part: usize) {
        self.wanted[part].notified().await;
    }

    /// Notes that a lookup has begun.
    pub(super) fn begin_lookup(&self) {
        self.under_way.fetch_add(1, Relaxed);
    }

    /// Takes in what a lookup has brought. A good answer replaces what was known; after a bad one that is kept for
    /// an hour.
    pub(super) fn end_lookup(&self, index: usize, found: Result<Vec<Found>, String>, now: Instant) {
        let mut parts = self.parts();
        let part = &mut parts[index];
        let before = std::mem::take(&mut part.members);
        let (name, labels) = (display(&part.endpoint.address), |members: &[Arc<Member>]| {
            members.iter().map(|member| member.label()).collect::<Vec<_>>().join(" ")
        });
        match found {
            Ok(found) => {
                // What appears beside others is ramped up; what is there at the start is not.
                let ramp = matches!(part.state, State::Known(_)).then_some(now);
                let known: Vec<_> = before.iter().chain(part.formers.iter()).cloned().collect();
                part.members = members(index, &part.endpoint, found, &known, ramp);
                part.formers.replace(&before, &part.members, now);
                part.state = State::Known(now);
                if labels(&part.members) != labels(&before) {
                    let (now, before) = (labels(&part.members), labels(&before));
                    tracing::info!(upstream = self.name, endpoint = name, now, before, "addresses changed");
                }
            }
            Err(error) => match part.state {
                State::Known(since) if now.saturating_duration_since(since) < KEPT_FOR => {
                    tracing::debug!(
                        upstream = self.name,
                        endpoint = name,
                        error,
                        "lookup failed, the last answer is kept"
                    );
                    part.members = before;
                }
                _ => {
                    if !matches!(part.state, State::Missing(_)) {
                        tracing::warn!(upstream = self.name, endpoint = name, error, "the name has no address");
                    }
                    part.state = State::Missing(format!("{name}: {error}").into());
                }
            },
        }
        let members = published(&parts);
        drop(parts);
        self.members.store(Arc::new(members));
        self.weigh();
        self.under_way.fetch_sub(1, Relaxed);
        self.ended.send_modify(|count| *count += 1);
    }

    /// Ready when all names have been looked up after now; at once where there is no name.
    pub(super) async fn looked_up(&self) {
        let names = self.names().len() as u64;
        let mut ended = self.ended.subscribe();
        // One that is under way may have been answered before the addresses changed.
        let enough = *ended.borrow() + names + self.under_way.load(Relaxed) as u64;
        if names > 0 {
            let _ = ended.wait_for(|count| *count >= enough).await;
        }
    }

    /// Ready when every name has been looked up once.
    pub(super) async fn settled(&self) {
        let mut ended = self.ended.subscribe();
        let _ = ended.wait_for(|_| !self.members.load().pending).await;
    }

    /// Hears of every lookup that has ended.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.ended.subscribe()
    }

    /// A request was answered well.
    pub(super) fn succeeded(&self, member: &Member) {
        self.tell(member, member.health.succeeded(&self.rules, Instant::now()));
    }

    /// A request failed.
    pub(super) fn failed(&self, member: &Member) {
        let _deciding = self.ejecting.lock().unwrap_or_else(PoisonError::into_inner);
        self.tell(member, member.health.failed(&self.rules, Instant::now(), self.may_eject(member)));
    }

    /// A probe has ended.
    pub(super) fn probed(&self, member: &Member, outcome: Result<(), String>) {
        self.tell(member, member.health.probed(outcome, &self.rules, Instant::now()));
    }

    /// Its endpoints are probed no more, if they ever were.
    pub(super) fn forget_probes(&self) {
        self.members.load().all.iter().for_each(|member| member.health.forget_probes(&self.rules, Instant::now()));
    }

    /// Time has passed.
    pub(super) fn tick(&self) {
        for member in &self.members.load().all {
            let _deciding = self.ejecting.lock().unwrap_or_else(PoisonError::into_inner);
            self.tell(member, member.health.tick(&self.rules, Instant::now(), self.may_eject(member)));
        }
        let mut parts = self.parts();
        let expired: usize = parts.iter_mut().map(|part| part.formers.expire(Instant::now())).sum();
        if expired > 0 {
            self.members.store(Arc::new(published(&parts)));
        }
        drop(parts);
        // Slow starts have gone on, and endpoints may have said that they stop.
        self.weigh();
    }

    fn may_eject(&self, member: &Member) -> bool {
        let Some(eject) = &self.rules.eject else { return false };
        let members = self.members.load();
        let is_well = |member: &Member| member.health.standing() == Standing::In;
        let well = members.all.iter().filter(|member| is_well(member)).count();
        may_eject(members.all.len(), well, is_well(member), eject.survivors_percent_min)
    }

    fn tell(&self, member: &Member, change: Option<Change>) {
        if change.is_some() {
            self.weigh();
        }
        let (upstream, endpoint) = (&*self.name, member.label());
        match change {
            None => {}
            Some(Change::Down { cause }) => {
                tracing::warn!(upstream, endpoint, cause, "the endpoint is down: probes fail");
            }
            Some(Change::Up) => tracing::info!(upstream, endpoint, "the endpoint is up again: probes succeed"),
            Some(Change::Ejected { cause, until }) => {
                tracing::warn!(upstream, endpoint, cause, ?until, "the endpoint is ejected");
            }
            Some(Change::OnTrial) => tracing::info!(upstream, endpoint, "the endpoint is on probation"),
            Some(Change::Recovered) => tracing::info!(upstream, endpoint, "the endpoint has recovered"),
        }
    }

    fn parts(&self) -> MutexGuard<'_, Vec<Part>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one place that an address without a name is; `None`: it has to be looked up.
fn fixed(address: &EndpointAddress) -> Option<Option<SocketAddr>> {
    match address {
        EndpointAddress::Unix(_) => Some(None),
        EndpointAddress::Tcp { host, port } => host.parse::<IpAddr>().ok().map(|ip| Some(SocketAddr::new(ip, *port))),
        EndpointAddress::Srv(_) => None,
    }
}

/// The members of one part; those that were there before stay who they are, and what is known of a place stays known
/// when only its share has changed.
fn members(
    part: usize,
    endpoint: &config::Endpoint,
    found: Vec<Found>,
    before: &[Arc<Member>],
    ramp: Option<Instant>,
) -> Vec<Arc<Member>> {
    let config::Endpoint { address: written, weight, zone } = endpoint;
    let written: Arc<str> = display(written).into();
    let member = |found: Found| {
        let known = before.iter().find(|member| (&member.address, member.socket) == (&found.address, found.socket));
        let health = known.map_or_else(|| Health::new(ramp), |member| Arc::clone(&member.health));
        let Found { address, socket, weight: own_weight } = found;
        let weight = own_weight.unwrap_or(*weight);
        match known.filter(|member| {
            (member.part, member.weight, member.own_weight, member.zone.as_deref())
                == (part, weight, own_weight, zone.as_deref())
        }) {
            Some(member) => Arc::clone(member),
            None => {
                let written = Arc::clone(&written);
                let zone = zone.as_deref().map(Arc::from);
                Arc::new(Member { written, part, address, socket, weight, own_weight, zone, health })
            }
        }
    };
    found.into_iter().map(member).collect()
}

fn published(parts: &[Part]) -> Members {
    Members {
        all: parts.iter().flat_map(|part| part.members.iter().cloned()).collect(),
        pending: parts.iter().any(|part| matches!(part.state, State::Pending)),
        missing: parts.iter().find_map(|part| match &part.state {
            State::Missing(error) => Some(Arc::clone(error)),
            State::Pending | State::Known(_) => None,
        }),
        absent: parts
            .iter()
            .enumerate()
            .filter(|(_, part)| part.members.is_empty())
            .map(|(index, part)| (index, part.endpoint.weight))
            .collect(),
        former: parts.iter().flat_map(|part| part.formers.iter().cloned()).collect(),
    }
}
