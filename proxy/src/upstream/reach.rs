//! A connection to an endpoint that can be reached. Nothing of a request is sent before it is there, so going on to the
//! next endpoint is always free.

use super::attempt::Attempt;
use super::choice::{Affinity, Tried};
use super::contest::{Contested, Wanted};
use super::endpoint::{Counted, Endpoint, Link};
use super::error::UpstreamError;
use super::gate::{Place, Room};
use super::worker::Upstream;
use crate::config::{InFlight, Limits};
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::Instant;

/// Which connections will do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pick {
    /// Only one that is opened for this request.
    pub(super) fresh: bool,
    /// The request can't be sent twice, so an idle one must live.
    pub(super) surely: bool,
    /// It is only to be seen whether there is one: limits and breakers are not asked.
    pub(super) knocks: bool,
}

/// Where a request goes.
pub(super) struct Reached {
    pub(super) link: Link,
    pub(super) counted: Counted,
    /// Since when it can be sent.
    pub(super) at: Instant,
}

impl Upstream {
    /// A connection to the best endpoint that can be reached; each is tried at most once, and none that is in `tried`.
    pub(super) async fn reach(
        &self,
        pick: Pick,
        affinity: &Affinity,
        prelude: &[u8],
        tried: &Tried,
        attempt: &mut Attempt,
    ) -> Result<Reached, UpstreamError> {
        // Connections from before a reload that asked for a prelude have had none.
        let fresh = pick.fresh || self.proxy_protocol.is_some();
        let mut last = None;
        // Where it is full or open now, it may be otherwise at the next attempt.
        let mut passed = Passed { over: tried.clone(), full: false, opens_in: None };
        loop {
            let endpoint = match self.endpoints.choose(affinity, &passed.over) {
                Some(endpoint) => Some(endpoint),
                // Where somebody is there and may not be asked, another lookup changes nothing; who knocks comes again.
                None if pick.knocks || passed.why().is_some() => None,
                // Who could not connect to what a name has now falls back on what it had.
                None if let Some(former) = last.as_ref().and_then(|_| self.endpoints.former(&passed.over)) => {
                    Some(former)
                }
                // Rare, and large beside the rest of a request's future.
                None => Box::pin(self.endpoints.appear(affinity, &passed.over, self.connect_timeout)).await,
            };
            let Some(endpoint) = endpoint else {
                let Some(known) = last.filter(|_| passed.why().is_none()) else {
                    let error = passed.why().unwrap_or_else(|| self.endpoints.none());
                    // Who finds no room waits for it, and is counted by what becomes of that.
                    if !pick.knocks && !matches!(error, UpstreamError::Full) {
                        self.failed(&error);
                    }
                    return Err(error);
                };
                return Err(known);
            };
            let place = if pick.knocks {
                None
            } else {
                match self.admit(&endpoint) {
                    Ok(place) => place,
                    Err(why) => {
                        passed.note(&endpoint, why);
                        continue;
                    }
                }
            };
            // A clock is not free to read: this moment is the attempt's beginning in every respect.
            let begun = Instant::now();
            attempt.begin(&endpoint.label, begun);
            tried.arrive(&endpoint, begun);
            let counted = endpoint.count(place);
            if !fresh && let Some(connection) = endpoint.take_idle(self.idle_timeout, pick.surely, begun) {
                self.counters.reuses.increment();
                return Ok(Reached { link: Link::Http1(connection), counted, at: begun });
            }
            if let Some(slot) = endpoint.http2().take() {
                self.counters.reuses.increment();
                return Ok(Reached { link: Link::Http2(slot), counted, at: begun });
            }
            let wanted = Wanted { prelude, idle_surely: (!fresh).then_some(pick.surely), knocks: pick.knocks };
            // Rare, and many times as large as the rest of a request's future.
            let contest = Box::pin(self.contest(counted, wanted, &passed.over, begun, attempt));
            let Contested { won, lost } = contest.await;
            let at = Instant::now();
            attempt.connect = Some(at.saturating_duration_since(begun));
            for (endpoint, error) in lost {
                tried.note(&endpoint);
                passed.over.note(&endpoint);
                last = Some(error);
            }
            if let Some((link, counted)) = won {
                return Ok(Reached { link, counted, at });
            }
        }
    }

    /// Whether anything stands between a request and an endpoint.
    fn is_guarded(&self) -> bool {
        self.limits.is_some() || self.breaker.is_some()
    }

    /// Whether an endpoint has room that nobody is on the way to.
    pub(super) fn sees_room(&self, limits: Limits) -> bool {
        let gate = &self.shared.gate;
        self.endpoints.any(|endpoint| {
            let has_room = |room| gate.has_room(endpoint.door(gate), room);
            !endpoint.is_avoided() && self.room(limits, endpoint.told_in_flight_max()).is_none_or(has_room)
        })
    }

    /// A place at this endpoint, if it may be asked.
    pub(super) fn admit(&self, endpoint: &Endpoint) -> Result<Option<Place>, Barred> {
        if !self.is_guarded() {
            return Ok(None);
        }
        let gate = &self.shared.gate;
        let door = endpoint.door(gate);
        let place = match self.limits.and_then(|limits| self.room(limits, endpoint.told_in_flight_max())) {
            None => None,
            Some(room) => Some(gate.take(door, room).ok_or(Barred::Full)?),
        };
        let Some(settings) = self.breaker.filter(|_| !door.breaker.is_closed()) else { return Ok(place) };
        let now = Instant::now();
        if door.breaker.admits(settings, now) {
            return Ok(place);
        }
        Err(Barred::Open(door.breaker.opens_in(now).unwrap_or_default()))
    }

    /// How much room there is; `None`: as much as anybody wants.
    fn room(&self, limits: Limits, told: Option<usize>) -> Option<Room> {
        let of_endpoint = [limits.in_flight_per_endpoint_max.map(NonZeroUsize::get), told].into_iter().flatten().min();
        let of_upstream = match limits.in_flight_max {
            Some(InFlight::Fixed(number)) => Some(number.get()),
            Some(InFlight::Adaptive(_)) => self.shared.adaptive.as_ref().map(|adaptive| adaptive.limit()),
            None => None,
        };
        if of_upstream.is_none() && of_endpoint.is_none() {
            return None;
        }
        Some(Room { upstream: of_upstream.unwrap_or(usize::MAX), endpoint: of_endpoint.unwrap_or(usize::MAX) })
    }

    /// Takes in whether an attempt at this endpoint was answered.
    pub(super) fn learn(&self, endpoint: &Endpoint, good: bool) {
        let Some(settings) = self.breaker else { return };
        let breaker = &endpoint.door(&self.shared.gate).breaker;
        if good {
            breaker.succeeded();
        } else if breaker.failed(settings, Instant::now()) {
            self.counters.breaks.increment();
            tracing::warn!(
                upstream = &*self.name,
                endpoint = &*endpoint.label,
                "it fails: nothing is sent to it for now"
            );
        }
    }
}

/// Why an endpoint may not be asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Barred {
    Full,
    /// For so long.
    Open(Duration),
}

/// The endpoints that were passed over.
struct Passed {
    over: Tried,
    full: bool,
    opens_in: Option<Duration>,
}

impl Passed {
    fn note(&mut self, endpoint: &Rc<Endpoint>, why: Barred) {
        self.over.note(endpoint);
        match why {
            Barred::Full => self.full = true,
            Barred::Open(left) => self.opens_in = Some(self.opens_in.map_or(left, |known| known.min(left))),
        }
    }

    fn why(&self) -> Option<UpstreamError> {
        if self.full {
            return Some(UpstreamError::Full);
        }
        self.opens_in.map(UpstreamError::CircuitOpen)
    }
}
