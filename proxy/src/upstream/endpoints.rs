//! The endpoints of one upstream as one worker knows them, and the choice among them.

use super::affinity::{Affinity, number};
use super::balance::{self, Candidates, Policy};
use super::choice::Tried;
use super::endpoint::Endpoint;
use super::error::UpstreamError;
use super::group::{Group, Members};
use super::member::Member;
use crate::config::Balance;
use arc_swap::ArcSwap;
use serve::timer;
use std::cell::RefCell;
use std::io;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A request that could connect to nobody waits for the next answer of the resolver, at most so long.
const RENEWED_WITHIN: Duration = Duration::from_secs(1);

/// Makes this worker's endpoint of a member, or finds it.
type Place = Box<dyn Fn(&Arc<Member>) -> Option<Rc<Endpoint>>>;

pub(super) struct Endpoints {
    policy: Box<dyn Policy>,
    group: Arc<Group>,
    /// Looked at by each choice: one load while nothing has changed.
    published: RefCell<arc_swap::Cache<Arc<ArcSwap<Members>>, Arc<Members>>>,
    place: Place,
    seated: RefCell<Seated>,
}

/// The members that were published last, and where they are.
#[derive(Default)]
struct Seated {
    of: Arc<Members>,
    /// Those of one zone stand together.
    all: Vec<Seat>,
    /// Where the endpoints of each zone are that has any.
    zones: Vec<(usize, Range<usize>)>,
    /// Who stands at addresses that names had until a moment ago.
    former: Vec<Rc<Endpoint>>,
}

/// A place in the choice.
struct Seat {
    endpoint: Rc<Endpoint>,
    weight: u32,
    /// Of its address: all edges see the same.
    key: u64,
}

impl Endpoints {
    pub(super) fn new(balance: Balance, group: Arc<Group>, place: Place) -> Self {
        let published = RefCell::new(arc_swap::Cache::new(group.published()));
        let policy = balance::policy(balance, group.zones());
        let endpoints = Self { policy, group, published, place, seated: RefCell::default() };
        endpoints.seat();
        endpoints
    }

    /// The endpoint for the next attempt of a request, never one that it has been to. One that is better not asked is
    /// asked when no other is left.
    pub(super) fn choose(&self, affinity: &Affinity, tried: &Tried) -> Option<Rc<Endpoint>> {
        self.seat();
        let Seated { all: seats, zones, .. } = &*self.seated.borrow();
        let chosen = [false, true].into_iter().find_map(|desperate| {
            let choosing = Choosing { seats, zones, tried, desperate };
            let home = affinity.sticky.and_then(|home| seats.iter().position(|seat| seat.key == home));
            home.filter(|&home| choosing.may(home)).or_else(|| self.policy.choose(&choosing, affinity))
        });
        chosen.map(|chosen| Rc::clone(&seats[chosen].endpoint))
    }

    /// Another address of the same name as `of`, for a connect that takes long: rather one that is well, and rather of the
    /// other family than the `last` one (RFC 8305 section 4). What the name had before comes when it has no other.
    pub(super) fn rival(&self, of: &Endpoint, last: &Endpoint, over: &Tried) -> Option<Rc<Endpoint>> {
        self.seat();
        let Seated { all, former, .. } = &*self.seated.borrow();
        let may = |endpoint: &&Rc<Endpoint>| endpoint.shares_name(of) && !over.contains(endpoint);
        let now = all.iter().map(|seat| &seat.endpoint).filter(may);
        let best = now.min_by_key(|endpoint| (endpoint.is_avoided(), endpoint.shares_family(last)));
        best.or_else(|| former.iter().filter(may).find(|endpoint| !endpoint.is_avoided())).cloned()
    }

    /// An address that a name had until a moment ago and that may still stand, for who can connect to nobody else.
    pub(super) fn former(&self, over: &Tried) -> Option<Rc<Endpoint>> {
        self.seat();
        let former = &self.seated.borrow().former;
        former.iter().find(|endpoint| !endpoint.is_avoided() && !over.contains(endpoint)).cloned()
    }

    /// Hears of every lookup that has ended.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.group.changes()
    }

    /// When there is nothing to choose: waits, within bounds, until the names have been looked up once, or once more.
    pub(super) async fn appear(&self, affinity: &Affinity, tried: &Tried, limit: Duration) -> Option<Rc<Endpoint>> {
        if self.published.borrow_mut().load().pending {
            let _ = timer::timeout(limit, self.group.settled()).await;
        } else if !tried.is_empty() {
            let _ = timer::timeout(limit.min(RENEWED_WITHIN), self.group.looked_up()).await;
        }
        self.choose(affinity, tried)
    }

    /// Whether this holds for any of them. It is no choice: what is chosen next stays as it is.
    pub(super) fn any(&self, mut holds: impl FnMut(&Rc<Endpoint>) -> bool) -> bool {
        self.seat();
        self.seated.borrow().all.iter().any(|seat| holds(&seat.endpoint))
    }

    /// Whether there is nobody to choose from: no name has an address.
    pub(super) fn is_empty(&self) -> bool {
        !self.any(|_| true)
    }

    /// Those for which it holds.
    pub(super) fn those(&self, holds: impl Fn(&Endpoint) -> bool) -> Tried {
        let those = Tried::default();
        self.seat();
        for seat in self.seated.borrow().all.iter().filter(|seat| holds(&seat.endpoint)) {
            those.note(&seat.endpoint);
        }
        those
    }

    /// Why there is nothing to choose from, for a request that has been nowhere.
    pub(super) fn none(&self) -> UpstreamError {
        let missing = self.published.borrow_mut().load().missing.clone();
        let why = missing.unwrap_or_else(|| "the name was not looked up in time".into());
        UpstreamError::Resolve(io::Error::new(io::ErrorKind::NotFound, &*why))
    }

    /// The zone that a member is in; one for all where there are none.
    fn zone_of(&self, member: &Member) -> usize {
        self.group.zones().map_or(0, |zones| zones.of(member.part))
    }

    /// Takes over what was published. What is there no more is let go of, with its idle connections; the requests in
    /// flight there keep theirs.
    fn seat(&self) {
        let mut published = self.published.borrow_mut();
        let members = published.load();
        if Arc::ptr_eq(members, &self.seated.borrow().of) {
            return;
        }
        let seat = |member: &Arc<Member>| {
            let (weight, key) = (member.weight, number(member.label().as_bytes()));
            Some((self.zone_of(member), Seat { endpoint: (self.place)(member)?, weight, key }))
        };
        let mut all: Vec<_> = members.all.iter().filter_map(seat).collect();
        all.sort_by_key(|(zone, _)| *zone);
        let zones = all.chunk_by(|(one, _), (other, _)| one == other).scan(0, |end, zone| {
            let start = std::mem::replace(end, *end + zone.len());
            Some((zone[0].0, start..*end))
        });
        let zones = zones.collect();
        let all = all.into_iter().map(|(_, seat)| seat).collect();
        let former = members.former.iter().filter_map(|member| (self.place)(member)).collect();
        *self.seated.borrow_mut() = Seated { of: Arc::clone(members), all, zones, former };
    }
}

/// One choice.
struct Choosing<'a> {
    seats: &'a [Seat],
    zones: &'a [(usize, Range<usize>)],
    tried: &'a Tried,
    /// Nobody is left but those that are better not asked.
    desperate: bool,
}

impl Candidates for Choosing<'_> {
    fn count(&self) -> usize {
        self.seats.len()
    }

    fn may(&self, index: usize) -> bool {
        let endpoint = &self.seats[index].endpoint;
        (self.desperate || !endpoint.is_avoided()) && !self.tried.contains(endpoint)
    }

    fn weight(&self, index: usize) -> u32 {
        let Seat { endpoint, weight, key: _ } = &self.seats[index];
        // In hundredths, because a small one is ramped up too.
        weight * endpoint.share()
    }

    fn in_flight(&self, index: usize) -> usize {
        self.seats[index].endpoint.in_flight()
    }

    fn latency(&self, index: usize) -> f64 {
        self.seats[index].endpoint.latency()
    }

    fn key(&self, index: usize) -> u64 {
        self.seats[index].key
    }

    fn of_zone(&self, zone: usize) -> Range<usize> {
        self.zones.iter().find(|(of, _)| *of == zone).map_or(0..0, |(_, places)| places.clone())
    }
}
