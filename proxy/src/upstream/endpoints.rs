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
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

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
    all: Vec<Seat>,
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
        let policy = balance::policy(balance);
        let endpoints = Self { policy, group, published, place, seated: RefCell::default() };
        endpoints.seat();
        endpoints
    }

    /// The endpoint for the next attempt of a request, never one that it has been to. One that is better not asked is
    /// asked when no other is left.
    pub(super) fn choose(&self, affinity: &Affinity, tried: &Tried) -> Option<Rc<Endpoint>> {
        self.seat();
        let seats = &self.seated.borrow().all;
        let chosen = [false, true].into_iter().find_map(|desperate| {
            let choosing = Choosing { seats, tried, desperate };
            let home = affinity.sticky.and_then(|home| seats.iter().position(|seat| seat.key == home));
            home.filter(|&home| choosing.may(home)).or_else(|| self.policy.choose(&choosing, affinity))
        });
        chosen.map(|chosen| Rc::clone(&seats[chosen].endpoint))
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
        let mut those = Tried::default();
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
            Some(Seat { endpoint: (self.place)(member)?, weight, key })
        };
        let all = members.all.iter().filter_map(seat).collect();
        *self.seated.borrow_mut() = Seated { of: Arc::clone(members), all };
    }
}

/// One choice.
struct Choosing<'a> {
    seats: &'a [Seat],
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
}
