//! Hedging: a second attempt beside one that takes long, at another endpoint; the first answer counts.
//!
//! It mends what no retry can: an endpoint that is slow, and does not fail. Only requests that may be sent twice are
//! hedged, with a body that is empty or held; once each, within the upstream's retry budget, and not while requests wait
//! for a place there: a second attempt is load, and must not take what a first one waits for.
//!
//! Whoever is outrun is dropped where it waits, which closes its connection or resets its stream. That says nothing
//! about its endpoint but that it would have taken longer.

use super::attempt::{Attempt, OUTRUN, Why};
use super::choice::{Outcome, Stay, Tried};
use super::deliver::{Delivery, Undelivered};
use super::endpoint::Endpoint;
use super::response::UpstreamBody;
use super::retry::{Hedge, RetryPolicy};
use super::worker::Upstream;
use futures_util::future::{Either, select};
use http::{HeaderMap, Response, StatusCode};
use serve::Body;
use std::cell::{Cell, RefCell};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// What came of an attempt.
type Delivered = Result<Response<UpstreamBody>, Undelivered>;

/// What came of two attempts.
struct Raced {
    outcome: Delivered,
    by_second: bool,
    /// What came of the other one; `None`: it was outrun.
    lost: Option<Delivered>,
}

/// What happened in an attempt, and in the one beside it: that is told too when both are given up, because the client has
/// left or the request's time is spent.
struct Told<'a> {
    first: &'a mut Attempt,
    second: Attempt,
}

/// What is said of the second then. Of the first it is said why.
const GIVEN_UP: &str = "given_up";

impl Drop for Told<'_> {
    fn drop(&mut self) {
        let mut second = std::mem::take(&mut self.second);
        second.given_up(GIVEN_UP);
        self.first.take_in(second);
    }
}

impl Delivery<'_> {
    /// Whether two attempts may be under way at once. Who has an endpoint of its own is not sent elsewhere because that
    /// one is slow.
    pub(super) fn may_be_hedged(&self) -> bool {
        self.terms.idempotent && self.terms.affinity.sticky.is_none() && (!self.has_body() || self.is_held())
    }

    /// Makes what an attempt beside another one needs of its own.
    fn begin_beside(&mut self) {
        self.restore();
        if self.upload.is_none() {
            self.upload = Some(self.new_upload(Body::empty()));
        }
        if let Some(again) = self.terms.again {
            again.renew(self.head);
        }
    }
}

impl Upstream {
    /// As [`Self::deliver_in_turn`], with a second attempt beside the first if that takes long. Tells whether there was
    /// one.
    pub(super) async fn deliver_hedged(
        &self,
        policy: &RetryPolicy,
        delivery: &mut Delivery<'_>,
        tried: &Tried,
        attempt: &mut Attempt,
    ) -> (Delivered, bool) {
        let Some(hedge) = &policy.hedge else { return (self.deliver_in_turn(delivery, tried, attempt).await, false) };
        // The first attempt may take it away.
        let mut spare = delivery.head.clone();
        let Delivery { head, own, upload, tunnel: _, interim, keeps, hedges: _, terms } = delivery;
        // Both may have something to tell before their answers (RFC 9110 section 15.2).
        let (heard, interim) = (Cell::new(false), RefCell::new(interim));
        let tell = |status: StatusCode, fields: HeaderMap| {
            heard.set(true);
            (interim.borrow_mut())(status, fields);
        };
        let (mut by_first, mut by_second) = (tell, tell);
        let upload_of_first = upload.take();
        let mut first = Delivery {
            head,
            own: *own,
            upload: upload_of_first,
            tunnel: None,
            interim: &mut by_first,
            keeps: *keeps,
            hedges: false,
            terms: *terms,
        };
        let mut second = Delivery {
            head: &mut spare,
            own: *own,
            upload: None,
            tunnel: None,
            interim: &mut by_second,
            keeps: false,
            hedges: true,
            terms: *terms,
        };
        let (mut told, others) = (Told { second: attempt.beside(), first: attempt }, Tried::default());

        tried.leave();
        let raced = {
            let mut one = pin!(self.deliver_in_turn(&mut first, tried, told.first));
            match until_due(hedge, one.as_mut(), tried).await {
                Either::Left(outcome) => Either::Left(outcome),
                Either::Right(_) if heard.get() => Either::Left(one.await),
                Either::Right(stay) if !self.may_hedge(&stay, tried, &others) => Either::Left(one.await),
                Either::Right(_) => {
                    second.begin_beside();
                    let two = pin!(self.deliver(&mut second, &others, &mut told.second));
                    Either::Right(race(one, two, policy).await)
                }
            }
        };
        *upload = first.upload.take();
        if first.own.is_none() {
            *own = None;
        }
        match raced {
            Either::Left(outcome) => {
                if let (Ok(_), Some(stay)) = (&outcome, tried.at()) {
                    hedge.saw(stay.since.elapsed());
                }
                (outcome, false)
            }
            Either::Right(raced) => {
                self.settle(&raced, hedge, told, tried, &others);
                (raced.outcome, true)
            }
        }
    }

    /// Whether a second attempt may begin beside one that is there. Then `others` are the endpoints where it does not go.
    fn may_hedge(&self, stay: &Stay, tried: &Tried, others: &Tried) -> bool {
        let is_elsewhere =
            |other: &Rc<Endpoint>| !Rc::ptr_eq(other, &stay.endpoint) && !tried.contains(other) && !other.is_avoided();
        let is_full = self.limits.is_some() && self.shared.gate.has_waiting();
        if is_full || !self.endpoints.any(is_elsewhere) {
            return false;
        }
        if !self.shared.budget.withdraw(Instant::now()) {
            self.counters.retries_denied.increment();
            return false;
        }
        others.note(&stay.endpoint);
        tried.each(|endpoint| others.note(endpoint));
        true
    }

    /// Tells everybody what came of two attempts. The first one's place is taken by the second where that one counts.
    fn settle(&self, raced: &Raced, hedge: &Hedge, mut told: Told<'_>, tried: &Tried, others: &Tried) {
        if let Some(stay) = others.at() {
            tried.note(&stay.endpoint);
        }
        if raced.by_second {
            self.counters.hedges_won.increment();
            if let (None, Some(stay)) = (&raced.lost, tried.at()) {
                hedge.saw(outrun(&stay));
            }
            note_lost(told.first, raced.lost.as_ref());
            told.first.become_other(std::mem::take(&mut told.second));
        } else {
            if let (Ok(_), Some(stay)) = (&raced.outcome, tried.at()) {
                hedge.saw(stay.since.elapsed());
            }
            if let (None, Some(stay)) = (&raced.lost, others.at()) {
                outrun(&stay);
            }
            note_lost(&mut told.second, raced.lost.as_ref());
        }
    }
}

/// Waits for the attempt, or until it is at one endpoint for as long as it takes to begin another one beside it.
async fn until_due<A>(hedge: &Hedge, mut attempt: Pin<&mut A>, tried: &Tried) -> Either<Delivered, Stay>
where
    A: Future<Output = Delivered>,
{
    let Some(after) = hedge.after() else { return Either::Left(attempt.await) };
    let mut left = after;
    loop {
        match select(attempt.as_mut(), pin!(sleep(left))).await {
            Either::Left((outcome, _)) => return Either::Left(outcome),
            Either::Right(_) => {}
        }
        // Until it was its turn it waited for others, and it may have gone on to another endpoint.
        let stay = tried.at();
        left = stay.as_ref().map_or(after, |stay| after.saturating_sub(stay.since.elapsed()));
        if let Some(stay) = stay.filter(|_| left.is_zero()) {
            return Either::Right(stay);
        }
    }
}

/// Waits for the answer that counts: the first after which its route would not send the request again. Where there is
/// none, the first attempt's outcome is as good as any, but for a failure beside an answer.
async fn race<A, B>(first: Pin<&mut A>, second: Pin<&mut B>, policy: &RetryPolicy) -> Raced
where
    A: Future<Output = Delivered>,
    B: Future<Output = Delivered>,
{
    let counts = |outcome: &Delivered| matches!(outcome, Ok(response) if !policy.covers_status(response.status()));
    let (one, two) = match select(first, second).await {
        Either::Left((one, _)) if counts(&one) => return Raced { outcome: one, by_second: false, lost: None },
        Either::Right((two, _)) if counts(&two) => return Raced { outcome: two, by_second: true, lost: None },
        Either::Left((one, second)) => (one, second.await),
        Either::Right((two, first)) => (first.await, two),
    };
    if !counts(&one) && (counts(&two) || (one.is_err() && two.is_ok())) {
        Raced { outcome: two, by_second: true, lost: Some(one) }
    } else {
        Raced { outcome: one, by_second: false, lost: Some(two) }
    }
}

/// Tells the endpoint of an attempt that it was not waited for any longer, and how long it was.
fn outrun(stay: &Stay) -> Duration {
    let after = stay.since.elapsed();
    stay.endpoint.report(Outcome::Outrun { after });
    after
}

/// Notes what came of the attempt that does not count. A failure was noted where it happened.
fn note_lost(attempt: &mut Attempt, lost: Option<&Delivered>) {
    match lost {
        None => attempt.failed(Why::Cause(OUTRUN)),
        Some(Ok(response)) => attempt.failed(Why::Status(response.status())),
        Some(Err(_)) => {}
    }
}
