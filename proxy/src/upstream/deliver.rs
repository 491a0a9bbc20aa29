//! One attempt: reach an endpoint, send the request, wait for the head of the response; with the retries that are always
//! free.
//!
//! Two failures are mended here because they can't have had an effect that counts: a connection that could not be
//! made (`reach`), and a request that a *reused* connection lost before a single byte of an answer, if its method is
//! idempotent or not a byte of it was written. The second is the race in which the application closes an idle connection
//! at the moment it is used again; in other proxies it shows as a random 502. Small bodies are held for it (`upload`).

use super::attempt::{Attempt, Why};
use super::body::{Lease, Rest};
use super::choice::{Affinity, Outcome, Tried};
use super::connection::Connection;
use super::endpoint::{Counted, Link};
use super::error::UpstreamError;
use super::exchange::Exchange;
use super::host::HostField;
use super::http2;
use super::own_fields::OwnFields;
use super::reach::{Pick, Reached};
use super::response::UpstreamBody;
use super::retry::{Failure, RetryPolicy};
use super::tunnel::Tunnel;
use super::upload::Upload;
use super::watch::SendLimits;
use super::worker::Upstream;
use http::header::{CONNECTION, TE, TRAILER, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, request};
use serve::Body;
use serve::contract::deadline;
use serve::http1::{Framing, ResponseHead};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use tokio::time::Instant;

/// A request that can be sent again without harm over HTTP/2 is sent at most this often.
const HTTP2_ATTEMPTS_MAX: u32 = 4;

/// A request on its way, to one endpoint after another if need be.
pub(super) struct Delivery<'a> {
    pub(super) head: &'a mut request::Parts,
    /// What HTTP/1 writes beside the fields of the head; `None`: it is among them.
    pub(super) own: Option<&'a dyn OwnFields>,
    /// `None`: it went with an attempt and can't be had back.
    pub(super) upload: Option<Box<Upload>>,
    pub(super) tunnel: Option<Box<Body>>,
    pub(super) interim: &'a mut dyn FnMut(StatusCode, HeaderMap),
    /// Another attempt may follow this one, so that its body is held.
    pub(super) keeps: bool,
    /// It begins beside another one, and has not been sent yet.
    pub(super) hedges: bool,
    pub(super) terms: Terms<'a>,
}

/// What is the same for all attempts of a request.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    /// Makes the body from its beginning, where it is held elsewhere.
    pub(super) again: Option<&'a dyn Again>,
    pub(super) affinity: Affinity,
    pub(super) host: &'a HostField,
    pub(super) limits: SendLimits,
    pub(super) deadline: Option<Instant>,
    pub(super) retry: Option<&'a RetryPolicy>,
    pub(super) identity_headers: &'a Rc<[HeaderName]>,
    pub(super) prelude: &'a [u8],
    pub(super) idempotent: bool,
}

/// What one more attempt needs of whoever made the request.
pub trait Again {
    /// Whether all of the body is held.
    fn holds(&self) -> bool;

    /// The body from its beginning, where all of it is held.
    fn body(&self) -> Option<Body>;

    /// Renews what of the head counts once only.
    fn renew(&self, head: &mut request::Parts);
}

/// An attempt that came to nothing.
pub(super) struct Undelivered {
    pub(super) error: UpstreamError,
    pub(super) failure: Failure,
}

impl Delivery<'_> {
    /// Boxed, as it goes from attempt to attempt and each has room for it.
    pub(super) fn new_upload(&self, body: Body) -> Box<Upload> {
        Box::new(Upload::new(body, self.terms.limits.body_bytes_max, Rc::clone(self.terms.identity_headers)))
    }

    /// Whether all of the body is held elsewhere.
    pub(super) fn is_held(&self) -> bool {
        self.terms.again.is_some_and(|again| again.holds())
    }

    pub(super) fn has_body(&self) -> bool {
        self.upload.as_ref().is_none_or(|upload| upload.framing != Framing::Empty)
    }

    /// Whether it can be sent from its beginning.
    pub(super) fn is_whole(&self) -> bool {
        self.upload.as_ref().is_some_and(|upload| upload.is_whole()) || self.is_held()
    }

    /// Makes the body anew if it is not whole any more and is held elsewhere.
    pub(super) fn restore(&mut self) {
        if !self.upload.as_ref().is_some_and(|upload| upload.is_whole()) {
            self.upload = self.terms.again.and_then(|again| again.body()).map(|body| self.new_upload(body));
        }
    }

    /// Whether an answer with this status may be followed by another attempt.
    pub(super) fn is_refused_by(&self, status: StatusCode) -> bool {
        self.keeps && self.terms.idempotent && self.terms.retry.is_some_and(|retry| retry.covers_status(status))
    }

    fn tell_deadline(&mut self, now: Instant) {
        if let Some(at) = self.terms.deadline {
            let left = at.saturating_duration_since(now);
            let each = self.terms.retry.and_then(|retry| retry.per_try_timeout).unwrap_or(left);
            deadline::write(&mut self.head.headers, left.min(each));
        }
    }
}

impl Upstream {
    /// Sends the request once, but for what is free.
    pub(super) async fn deliver(
        &self,
        delivery: &mut Delivery<'_>,
        tried: &Tried,
        attempt: &mut Attempt,
    ) -> Result<Response<UpstreamBody>, Undelivered> {
        let mut pick = Pick { knocks: false, fresh: false, surely: !delivery.terms.idempotent || delivery.has_body() };
        tried.leave();
        loop {
            let reached = self.reach(pick, &delivery.terms.affinity, delivery.terms.prelude, tried, attempt).await;
            let Reached { link, counted, at: sent } = reached.map_err(|error| {
                let failure = Failure { unsent: true, silent: true, idempotent: delivery.terms.idempotent };
                Undelivered { error, failure }
            })?;
            if std::mem::take(&mut delivery.hedges) {
                self.counters.hedges.increment();
            }
            delivery.terms.host.write(&mut delivery.head.headers, &counted.endpoint().host);
            delivery.tell_deadline(sent);
            let endpoint = Rc::clone(counted.endpoint());
            let exchanged = match link {
                Link::Http1(connection) => self.exchange(connection, counted, sent, delivery, attempt).await,
                // Several times as large as the rest of a request's future.
                Link::Http2(slot) => Box::pin(self.exchange_http2(slot, counted, sent, delivery, attempt)).await,
            };
            let Lost { error, failure, free } = match exchanged {
                Ok(response) => {
                    let status = response.status();
                    self.learn(&endpoint, !is_gateways(status));
                    if self.limits.is_some() {
                        let is_work = !is_gateways(status) && status != StatusCode::TOO_MANY_REQUESTS;
                        let now = attempt.answered_at().unwrap_or_else(Instant::now);
                        self.shared.answered(sent, is_work, now);
                    }
                    return Ok(response);
                }
                Err(lost) => lost,
            };
            attempt.failed(Why::from(&error));
            self.failed(&error);
            if matches!(error, UpstreamError::ResponseTimeout) {
                self.shared.waited(sent, Instant::now());
            }
            if free && delivery.is_whole() {
                delivery.restore();
                // Other idle connections to a restarted application are as dead as this one.
                pick.fresh = true;
                continue;
            }
            if !matches!(error, UpstreamError::Client(_)) {
                endpoint.report(Outcome::Failed);
                self.learn(&endpoint, false);
            }
            return Err(Undelivered { error, failure });
        }
    }

    async fn exchange(
        &self,
        mut connection: Box<Connection>,
        counted: Counted,
        sent: Instant,
        delivery: &mut Delivery<'_>,
        attempt: &mut Attempt,
    ) -> Result<Response<UpstreamBody>, Lost> {
        // Where all of the body is held elsewhere, what was sent need not be.
        let keeps = delivery.keeps && !delivery.is_held();
        let Terms { limits, idempotent, .. } = delivery.terms;
        let Delivery { head, interim, .. } = delivery;
        let Some(mut upload) = delivery.upload.take() else { return Err(Lost::without_body(idempotent)) };
        if upload.framing != Framing::Empty && head.headers.contains_key(TRAILER) {
            upload.expect_trailer();
        }
        name_te(&mut head.headers);
        let reused = connection.used > 0;
        let holds = reused || keeps;
        upload.begin(holds);
        let offers_tunnel = delivery.tunnel.is_some();
        let mut exchange =
            Exchange::begin(&mut connection, head, delivery.own, &mut upload, offers_tunnel, limits, &mut **interim);
        let outcome = poll_fn(|cx| exchange.poll(cx)).await;
        let declined = exchange.has_declined();
        let ResponseHead { parts, framing, keep_alive } = match outcome {
            Ok(answer) => answer,
            Err(error) => {
                let failure = Failure { unsent: !connection.wrote, silent: !connection.received, idempotent };
                let reset = matches!(error, UpstreamError::Reset(_));
                delivery.upload = Some(upload);
                // Idempotent methods may be sent twice (RFC 9110 section 9.2.2), others when nothing of them has left.
                let free = reset && reused && failure.silent && (failure.idempotent || failure.unsent);
                return Err(Lost { error, failure, free });
            }
        };
        let now = Instant::now();
        attempt.answered(now);
        answered(&counted, parts.status, &parts.headers, sent, now);
        let body = match delivery.tunnel.take() {
            Some(client) if parts.status == StatusCode::SWITCHING_PROTOCOLS => {
                let tunnel = Tunnel::new(connection, *client, counted, limits.stream_idle_timeout);
                attempt.upload = Some(tunnel.counter());
                tunnel.into()
            }
            tunnel => {
                let rest = if !upload.is_done() && !declined {
                    // It is answered, so it is not sent once more.
                    upload.let_go();
                    Some(Box::new(Rest::new(upload, limits.progress_timeout)))
                } else {
                    if delivery.is_refused_by(parts.status) {
                        (delivery.upload, delivery.tunnel) = (Some(upload), tunnel);
                    }
                    None
                };
                // A body that was declined is not sent behind the answer.
                let keep_alive = keep_alive && !declined;
                let lease = Lease { connection, counted, idle_max: self.idle_max, keep_alive, rest };
                UpstreamBody::http1(framing, lease, limits.stream_idle_timeout)
            }
        };
        Ok(Response::from_parts(parts, body))
    }

    async fn exchange_http2(
        &self,
        slot: http2::Slot,
        counted: Counted,
        sent: Instant,
        delivery: &mut Delivery<'_>,
        attempt: &mut Attempt,
    ) -> Result<Response<UpstreamBody>, Lost> {
        let idempotent = delivery.terms.idempotent;
        let Some(upload) = delivery.upload.take() else { return Err(Lost::without_body(idempotent)) };
        if let Some(own) = delivery.own.take() {
            own.insert(&mut delivery.head.headers);
        }
        let is_empty = upload.framing == Framing::Empty;
        // What an endpoint of another protocol has been sent of a body can't be sent anew.
        let body = match upload.into_body() {
            Some(body) => Some(body),
            None => delivery.terms.again.and_then(|again| again.body()),
        };
        let Some(body) = body else { return Err(Lost::without_body(idempotent)) };
        let interim = &mut *delivery.interim;
        let informational = |response: Response<()>| {
            let (parts, ()) = response.into_parts();
            interim(parts.status, parts.headers);
        };
        let client = http2::Client {
            counter: attempt.upload.clone(),
            identity_headers: Rc::clone(delivery.terms.identity_headers),
        };
        let kept = delivery.keeps.then(|| delivery.head.clone());
        let limits = delivery.terms.limits;
        let failed = match http2::send(slot, take_head(delivery.head), body, limits.into(), client, informational).await
        {
            Ok(response) => {
                let now = Instant::now();
                attempt.answered(now);
                answered(&counted, response.status(), response.headers(), sent, now);
                if let Some(kept) = kept.filter(|_| delivery.is_refused_by(response.status())) {
                    *delivery.head = kept;
                    delivery.upload = is_empty.then(|| delivery.new_upload(Body::empty()));
                }
                return Ok(response.map(|body| UpstreamBody::http2(body, counted, limits.stream_idle_timeout)));
            }
            Err(failed) => failed,
        };
        let http2::Failed { error, again, unprocessed, stale, silent } = failed;
        if let Some((head, body)) = again.map(|again| *again) {
            *delivery.head = head;
            delivery.upload = Some(delivery.new_upload(body));
        } else if let Some(kept) = kept {
            *delivery.head = kept;
        }
        let failure = Failure { unsent: unprocessed, silent, idempotent };
        let free = (unprocessed || stale) && delivery.upload.is_some() && attempt.attempts < HTTP2_ATTEMPTS_MAX;
        Err(Lost { error: error.into(), failure, free })
    }
}

/// A request without a response on one connection.
struct Lost {
    error: UpstreamError,
    failure: Failure,
    /// Sending it again can't do anything twice.
    free: bool,
}

impl Lost {
    fn without_body(idempotent: bool) -> Self {
        let error = UpstreamError::Reset(io::ErrorKind::UnexpectedEof.into());
        Self { error, failure: Failure { unsent: false, silent: false, idempotent }, free: false }
    }
}

/// Whether a status says that the endpoint can't answer now.
const fn is_gateways(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
}

/// Tells the endpoint how it has answered, and how long that took.
fn answered(counted: &Counted, status: StatusCode, headers: &HeaderMap, sent: Instant, now: Instant) {
    let after = now.saturating_duration_since(sent);
    counted.endpoint().report(Outcome::Answered { status, headers, after, now });
}

/// `TE` is a matter of one HTTP/1.1 connection, which is said by naming it (RFC 9110 section 10.1.4). Some servers send
/// trailers only to who says both. A switch of protocols has no trailers.
fn name_te(headers: &mut HeaderMap) {
    if !headers.contains_key(TE) {
    } else if headers.contains_key(UPGRADE) {
        headers.remove(TE);
    } else {
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
}

/// The head of a request, out of its place: for who keeps it longer than the request's own future lives.
pub fn take_head(head: &mut request::Parts) -> request::Parts {
    std::mem::replace(head, http::Request::new(()).into_parts().0)
}
