//! Before an attempt: whether the request can be sent now, or waits for a place, or until an endpoint is back.

use super::attempt::Attempt;
use super::choice::Tried;
use super::deliver::{Delivery, Undelivered};
use super::endpoint::Link;
use super::error::UpstreamError;
use super::gate::Sent;
use super::park::{KNOCK_EVERY, Parking, Ticket, Turn};
use super::queue::Wait;
use super::reach::{Pick, Reached};
use super::response::UpstreamBody;
use super::retry::Failure;
use super::upload::HELD_BYTES_MAX;
use super::worker::Upstream;
use crate::config::Limits;
use http::Response;
use serve::timer;
use std::rc::Rc;
use tokio::time::Instant;

impl Upstream {
    /// Sends the request once, but for what is free, when there is somebody to send it to.
    pub(super) async fn deliver_in_turn(
        &self,
        delivery: &mut Delivery<'_>,
        tried: &Tried,
        attempt: &mut Attempt,
    ) -> Result<Response<UpstreamBody>, Undelivered> {
        let Some(parking) = &self.parking else { return self.deliver_admitted(delivery, tried, attempt).await };
        let mut lost = None;
        // A request that has been elsewhere before may still go back there.
        let is_new = tried.is_empty();
        if !is_new || (self.endpoints.any(|endpoint| !endpoint.is_avoided()) && !parking.has_waiting()) {
            match self.deliver_admitted(delivery, tried, attempt).await {
                Err(one) if is_new && one.failure.unsent && is_away(&one.error) => lost = Some(one),
                outcome => {
                    if outcome.is_ok() {
                        self.shared.note_good(attempt.answered_at().unwrap_or_else(Instant::now));
                    }
                    return outcome;
                }
            }
        }
        let Some(bytes) = delivery.waiting_bytes().filter(|_| self.is_expected_back(parking)) else {
            // What can't wait takes its chance, once.
            return match lost {
                Some(lost) => Err(lost),
                None => self.deliver_admitted(delivery, tried, attempt).await,
            };
        };
        // Rare, and large beside the rest of a request's future.
        let answered = Box::pin(self.deliver_parked(parking, bytes, delivery, tried, attempt)).await;
        if answered.is_ok() {
            self.shared.note_good(attempt.answered_at().unwrap_or_else(Instant::now));
        }
        answered
    }

    async fn deliver_parked(
        &self,
        parking: &Rc<Parking>,
        bytes: u64,
        delivery: &mut Delivery<'_>,
        tried: &Tried,
        attempt: &mut Attempt,
    ) -> Result<Response<UpstreamBody>, Undelivered> {
        let idempotent = delivery.terms.idempotent;
        let refused = |error| {
            let failure = Failure { unsent: true, silent: true, idempotent };
            self.failed(&error);
            Err(Undelivered { error, failure })
        };
        let Some(_place) = self.shared.park(parking.settings(), bytes) else {
            return refused(UpstreamError::ParkFull);
        };
        let since = Instant::now();
        let ticket = parking.enter();
        loop {
            let left = parking.settings().timeout.saturating_sub(since.elapsed());
            let counted = self.counters.park(&mut attempt.has_waited);
            let open = timer::timeout(left, self.until_open(parking, &ticket, delivery)).await;
            drop(counted);
            attempt.waited = Some(since.elapsed());
            if open.is_err() {
                return refused(UpstreamError::NotBack);
            }
            if let Some(again) = delivery.terms.again {
                // What counts once only may count for seconds only too.
                again.renew(delivery.head);
            }
            // Whoever was away may be back.
            tried.forget();
            match self.deliver_admitted(delivery, tried, attempt).await {
                Err(lost) if lost.failure.unsent && is_away(&lost.error) => ticket.found_it_shut(),
                outcome => return outcome,
            }
        }
    }

    /// The same, when there is a place for it.
    async fn deliver_admitted(
        &self,
        delivery: &mut Delivery<'_>,
        tried: &Tried,
        attempt: &mut Attempt,
    ) -> Result<Response<UpstreamBody>, Undelivered> {
        let Some(limits) = self.limits else { return self.deliver(delivery, tried, attempt).await };
        let gate = &self.shared.gate;
        let releases = gate.releases();
        if !gate.has_waiting() || self.sees_room(limits) {
            match self.deliver(delivery, tried, attempt).await {
                Err(Undelivered { error: UpstreamError::Full, .. }) => {}
                outcome => return outcome,
            }
        }
        // Rare, and large beside the rest of a request's future.
        Box::pin(self.deliver_queued(limits, releases, delivery, tried, attempt)).await
    }

    async fn deliver_queued(
        &self,
        mut limits: Limits,
        mut releases: u64,
        delivery: &mut Delivery<'_>,
        tried: &Tried,
        attempt: &mut Attempt,
    ) -> Result<Response<UpstreamBody>, Undelivered> {
        let (gate, since) = (&self.shared.gate, Instant::now());
        let before = attempt.waited.unwrap_or_default();
        let until = since + limits.queue_timeout;
        let wait = Wait { since, until, deadline: delivery.terms.deadline };
        loop {
            let turn = match gate.enter(limits, wait, releases) {
                Ok(mut seat) => {
                    let _counted = self.counters.queue(&mut attempt.has_waited);
                    let left = until.saturating_duration_since(Instant::now());
                    timer::timeout(left, seat.turn()).await.unwrap_or(Err(Sent::Late))
                }
                Err(sent) => Err(sent),
            };
            attempt.waited = Some(before + since.elapsed());
            let turn = match turn {
                Ok(turn) => turn,
                Err(sent) => {
                    let error = UpstreamError::from(sent);
                    self.failed(&error);
                    let failure = Failure { unsent: true, silent: true, idempotent: delivery.terms.idempotent };
                    return Err(Undelivered { error, failure });
                }
            };
            releases = gate.releases();
            turn.spend();
            // Where somebody was faster it goes back to its seat, which another may have taken meanwhile.
            limits.queue_max = usize::MAX;
            match self.deliver(delivery, tried, attempt).await {
                Err(Undelivered { error: UpstreamError::Full, .. }) => {}
                outcome => return outcome,
            }
        }
    }

    /// Waits until it is this request's turn at an open door.
    async fn until_open(&self, parking: &Parking, ticket: &Ticket, delivery: &Delivery<'_>) {
        loop {
            match ticket.turn() {
                Turn::Go(at) => return tokio::time::sleep_until(at).await,
                Turn::Wait => parking.changed().await,
                Turn::Knock(_knocker) => loop {
                    tokio::time::sleep(KNOCK_EVERY).await;
                    if self.knock(delivery).await {
                        parking.open(Instant::now());
                        break;
                    }
                },
            }
        }
    }

    /// Whether an endpoint takes a connection, which is kept for the next request.
    async fn knock(&self, delivery: &Delivery<'_>) -> bool {
        let pick = Pick { fresh: true, surely: true, knocks: true };
        let mut unheard = Attempt::default();
        // One that has said that it stops, and has not gone yet, would take the connection with it. Of one whose probes fail
        // it is known that a connection says nothing.
        let tried = self.endpoints.those(|endpoint| endpoint.is_stopping() || endpoint.is_down());
        match self.reach(pick, &delivery.terms.affinity, delivery.terms.prelude, &tried, &mut unheard).await {
            Ok(Reached { link: Link::Http1(connection), counted, .. }) => {
                self.learn(counted.endpoint(), true);
                counted.endpoint().give_back(connection, self.idle_max);
                true
            }
            Ok(Reached { link: Link::Http2(_), counted, .. }) => {
                self.learn(counted.endpoint(), true);
                true
            }
            Err(_) => false,
        }
    }

    /// Whether the upstream has answered, or told something over its link, not long ago. What all of the processes that are
    /// there tell is no reason to wait when probes say that they are not well: it would be told for ever.
    fn is_expected_back(&self, parking: &Parking) -> bool {
        let since = parking.settings().expected_for;
        let told = || self.linked.as_ref().and_then(|linked| linked.age(std::time::Instant::now()));
        let may_return = || self.endpoints.is_empty() || self.endpoints.any(|endpoint| !endpoint.is_unwell());
        self.shared.was_good_within(since, Instant::now()) || (told().is_some_and(|age| age < since) && may_return())
    }
}

/// Whether nobody took the connection: what waiting can change.
const fn is_away(error: &UpstreamError) -> bool {
    matches!(
        error,
        UpstreamError::Resolve(_)
            | UpstreamError::Connect(_)
            | UpstreamError::ConnectTimeout
            | UpstreamError::CircuitOpen(_)
    )
}

impl Delivery<'_> {
    /// Bytes of the body that wait with the request, beside those in the spool. `None`: it can't wait, because more of its
    /// body comes than is held.
    fn waiting_bytes(&self) -> Option<u64> {
        if self.is_held() {
            return Some(0);
        }
        let bytes = self.upload.as_ref().filter(|upload| upload.is_whole())?.length()?;
        (bytes <= HELD_BYTES_MAX).then_some(bytes)
    }
}
