//! One request to an upstream: attempt after attempt, as far as its route, its method and the budget allow.

use super::attempt::{Attempt, Why};
use super::budget::backoff;
use super::choice::{Affinity, Tried};
use super::deliver::{Again, Delivery, Terms};
use super::error::UpstreamError;
use super::host::HostField;
use super::own_fields::OwnFields;
use super::response::UpstreamBody;
use super::retry::{RetryPolicy, retry_after};
use super::watch::SendLimits;
use super::worker::Upstream;
use http::{HeaderMap, HeaderName, Response, StatusCode, request};
use serve::Body;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::rc::Rc;
use std::time::Duration;
use tokio::time::Instant;

/// A request as it is to be sent.
pub struct Call<'a> {
    /// Its head, with the fields of this hop. HTTP/2 takes it out.
    pub head: &'a mut request::Parts,
    /// Fields beside those of the head.
    pub own: Option<&'a dyn OwnFields>,
    /// Its body.
    pub body: Body,
    /// What further attempts need.
    pub again: Option<&'a dyn Again>,
    /// For a request that offers a switch of protocols: what its client sends after the switch. The body of a 101
    /// response is then the other direction, and polling it moves both.
    pub tunnel: Option<Box<Body>>,
    /// What of it decides about the endpoint.
    pub affinity: Affinity,
    /// Which `Host` the endpoint is told.
    pub host: &'a HostField,
    /// How much and how long.
    pub limits: SendLimits,
    /// Until when there must be a response; the endpoint is told how long that is.
    pub deadline: Option<Instant>,
    /// What is sent again.
    pub retry: Option<&'a RetryPolicy>,
    /// Fields that say who the client is, beside `X-Auth-*`: a trailer may not bring them either.
    pub identity_headers: &'a Rc<[HeaderName]>,
    /// How a connection begins that is opened for it.
    pub prelude: &'a [u8],
    /// Where interim responses go as they come.
    pub interim: &'a mut dyn FnMut(StatusCode, HeaderMap),
}

impl Upstream {
    /// Sends a request and waits for the head of the response.
    ///
    /// # Errors
    /// [`UpstreamError`] names the cause; `attempt` says how far it came.
    pub fn send<'a>(
        &'a self,
        call: Call<'a>,
        attempt: &'a mut Attempt,
    ) -> impl Future<Output = Result<Response<UpstreamBody>, UpstreamError>> {
        attempt.started = Some(Instant::now());
        let Call {
            head,
            own,
            body,
            again,
            tunnel,
            affinity,
            host,
            mut limits,
            deadline,
            retry,
            identity_headers,
            prelude,
            interim,
        } = call;
        if let Some(each) = retry.and_then(|retry| retry.per_try_timeout) {
            limits.response_timeout = each;
        }
        let idempotent = head.method.is_idempotent();
        let mut delivery = Delivery {
            head,
            own,
            upload: None,
            terms: Terms {
                again,
                affinity,
                host,
                limits,
                deadline,
                retry,
                identity_headers,
                prelude,
                // An upgrade may have begun before its answer is seen.
                idempotent: idempotent && tunnel.is_none(),
            },
            tunnel,
            interim,
            keeps: false,
            hedges: false,
        };
        let mut upload = delivery.new_upload(body);
        attempt.upload = upload.counter();
        delivery.upload = Some(upload);
        self.deliver_again_and_again(delivery, attempt)
    }

    #[expect(clippy::manual_async_fn, reason = "the future of an `async fn` has room for each argument twice")]
    fn deliver_again_and_again<'a>(
        &'a self,
        mut delivery: Delivery<'a>,
        attempt: &'a mut Attempt,
    ) -> impl Future<Output = Result<Response<UpstreamBody>, UpstreamError>> {
        async move {
            let tried = Tried::default();
            let policy = delivery.terms.retry;
            if policy.is_some() {
                self.shared.budget.deposit();
            }
            // Once a request at most.
            let mut hedge = policy.filter(|policy| policy.hedge.is_some() && delivery.may_be_hedged());
            let mut made = 1;
            loop {
                delivery.keeps = policy.is_some_and(|policy| made < policy.attempts_max);
                let outcome = match hedge.filter(|_| delivery.keeps) {
                    None => self.deliver_in_turn(&mut delivery, &tried, attempt).await,
                    // Rare, and more than twice as large as the rest of a request's future.
                    Some(policy) => {
                        let (outcome, hedged) =
                            Box::pin(self.deliver_hedged(policy, &mut delivery, &tried, attempt)).await;
                        if hedged {
                            hedge = None;
                            made += 1;
                            delivery.keeps = made < policy.attempts_max;
                        }
                        outcome
                    }
                };
                let Some(policy) = policy else { return outcome.map_err(|lost| lost.error) };
                let (covered, after) = match &outcome {
                    Ok(response) if delivery.is_refused_by(response.status()) => {
                        (true, retry_after(response.headers()))
                    }
                    Ok(_) => (false, None),
                    Err(lost) => (delivery.keeps && policy.covers(&lost.error, lost.failure), None),
                };
                let wait =
                    if covered && delivery.is_whole() { self.pause(made, after, &delivery, &tried) } else { None };
                let Some(wait) = wait else { return outcome.map_err(|lost| lost.error) };
                if !self.shared.budget.withdraw(Instant::now()) {
                    self.counters.retries_denied.increment();
                    return outcome.map_err(|lost| lost.error);
                }
                self.counters.retries.increment();
                if let Ok(response) = outcome {
                    attempt.failed(Why::Status(response.status()));
                    attempt.first_byte = None;
                }
                if wait > Duration::ZERO {
                    Box::pin(tokio::time::sleep(wait)).await;
                }
                delivery.restore();
                if let Some(again) = delivery.terms.again {
                    again.renew(delivery.head);
                }
                made += 1;
            }
        }
    }

    /// How long to wait before the next attempt, which goes elsewhere where it can: then not at all. `None`: longer than
    /// there is time.
    fn pause(&self, made: u32, after: Option<Duration>, delivery: &Delivery<'_>, tried: &Tried) -> Option<Duration> {
        if let Some(stay) = tried.at() {
            tried.note(&stay.endpoint);
        }
        if self.endpoints.any(|other| !other.is_avoided() && !tried.contains(other)) {
            return Some(Duration::ZERO);
        }
        tried.forget();
        let wait = backoff(made, random()).max(after.unwrap_or_default());
        let left = delivery.terms.deadline.map(|at| at.saturating_duration_since(Instant::now()));
        (wait < left.unwrap_or(delivery.terms.limits.response_timeout)).then_some(wait)
    }
}

/// From 0 to 1. The keys of a hash map are random, and that is all that is needed here.
fn random() -> f64 {
    let high = RandomState::new().build_hasher().finish() >> 32;
    f64::from(u32::try_from(high).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}
