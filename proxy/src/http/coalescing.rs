//! Equal requests of one client that arrive together: who makes the upstream call, and who gets a copy of its answer.

use super::body::ProxyBody;
use super::context::RequestContext;
use super::error::Cause;
use super::headers::{self, X_ACCEL_REDIRECT};
use super::target::Target;
use super::worker::{Local, WorkerState};
use crate::auth::Permit;
use crate::coalesce::{
    Answer, Begun, CallKey, CoalesceLimits, Coalescer, Held, KeyWriter, Lead, Outcome, Seat, Taken, take,
};
use crate::snapshot::ForwardTo;
use crate::upstream::{Affinity, Attempt, Call, HostField, RetryPolicy, SendLimits, UpstreamBody, UpstreamError};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, COOKIE, DATE, EXPECT, HOST, REFERER, VIA};
use http::{HeaderName, Method, Response, request};
use serve::Body;
use serve::contract::forwarded;
use serve::contract::request_id::X_REQUEST_ID;
use serve::timer;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Fields in which equal requests may differ, beside those of one hop: they tell of this message, of the way it came or
/// of the page it was sent from, and nothing of what is wanted. Whatever is not listed here must be the same, so that an
/// answer can't depend on what was not compared. What trusted hops say of the client is compared as the edge reads it.
static BESIDE_THE_POINT: [HeaderName; 9] = [
    CONTENT_LENGTH,
    DATE,
    EXPECT,
    HOST,
    REFERER,
    VIA,
    HeaderName::from_static("priority"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
];

/// A request that may have equals.
pub(super) struct Arrived<'a> {
    pub(super) head: &'a request::Parts,
    /// Still there afterwards, unless the answer is a copy.
    pub(super) body: &'a mut Body,
    pub(super) target: &'a Target,
    pub(super) permit: &'a Permit,
}

/// What a request is to do.
pub(super) enum Turn {
    /// To go on alone.
    Own,
    /// To make the call for others too.
    Lead(Box<Lead<Arc<UpstreamError>>>),
    /// Nothing: here is its answer.
    Copied(Box<Response<ProxyBody>>),
}

/// Finds out whether an equal request is under way, and waits for its answer then: at most as long as for one of its
/// own. A failure is an answer too: who waits is not sent to an upstream that has just failed, nor can it be known
/// whether the application acted before it did.
pub(super) async fn turn(
    arrived: Arrived<'_>,
    limits: &SendLimits,
    coalesce: &CoalesceLimits,
    worker: &WorkerState,
    local: &Rc<Local>,
    to: &ForwardTo,
    context: &mut RequestContext,
) -> Result<Turn, Cause> {
    let Arrived { head, body, target, permit } = arrived;
    if head.method != Method::POST || headers::is_grpc(&head.headers) {
        return Ok(Turn::Own);
    }
    let coalescer = &local.snapshot.coalescer;
    let bytes_max = coalesce.request_bytes_max.min(usize::try_from(limits.body_bytes_max).unwrap_or(usize::MAX));
    let held = match take(body.take_stream(), bytes_max, coalescer.room()).await.map_err(Cause::Body)? {
        Taken::Whole(held) => held,
        Taken::Begun(begun) => {
            put_back(body, begun);
            return Ok(Turn::Own);
        }
    };
    if !names_sender(head, permit, &held) {
        put_back(body, held.into_body());
        return Ok(Turn::Own);
    }
    let upstream = local.upstreams[to.upstream].name();
    let key = key_of(head, target, permit, context, upstream, &held);
    let waiting = match coalescer.join(key, context.request_id.as_str(), coalesce.waiting_max) {
        Seat::Wait(waiting) => waiting,
        seat => {
            put_back(body, held.into_body());
            return Ok(if let Seat::Lead(lead) = seat { Turn::Lead(Box::new(lead)) } else { Turn::Own });
        }
    };
    worker.metrics.coalesced.increment();
    context.coalesced = Some(Arc::clone(waiting.leader()));
    context.upstream = Some(Rc::clone(upstream));
    let failed = |error| Cause::Upstream { name: upstream.to_string(), error };
    match timer::timeout(limits.response_timeout, waiting.outcome()).await {
        Err(_) => Err(failed(UpstreamError::ResponseTimeout)),
        Ok(Outcome::Failed(error)) => Err(failed(error.retold())),
        Ok(Outcome::Answered(answer)) => Ok(Turn::Copied(Box::new(copy(answer)))),
        Ok(Outcome::NotShared) => {
            context.coalesced = None;
            put_back(body, held.into_body());
            Ok(Turn::Own)
        }
    }
}

/// Whether anything in the request is its sender's own. Without it nothing can be used up, and two equal requests may come
/// from two people behind one address, who must not get one answer with one cookie for both.
fn names_sender(head: &request::Parts, permit: &Permit, body: &Held) -> bool {
    !body.bytes().is_empty()
        || permit.verified().is_some()
        || head.uri.query().is_some()
        || [COOKIE, AUTHORIZATION].iter().any(|name| head.headers.contains_key(name))
}

fn put_back(body: &mut Body, content: Begun<Body>) {
    *body = std::mem::replace(body, Body::empty()).replaced_by(content);
}

/// Everything that the answer may depend on: who asks, from where, for what and how.
fn key_of(
    head: &request::Parts,
    target: &Target,
    permit: &Permit,
    context: &RequestContext,
    upstream: &str,
    body: &Held,
) -> CallKey {
    let mut key = KeyWriter::new();
    // The same route of another revision may lead elsewhere.
    key.part(context.route.as_deref().unwrap_or_default().as_bytes()).part(upstream.as_bytes());
    key.part(context.site.as_deref().unwrap_or_default().as_bytes());
    key.part(&target.authority.as_bytes().to_ascii_lowercase());
    key.part(context.origin.client.map(|client| client.to_string()).unwrap_or_default().as_bytes());
    key.part(&[u8::from(context.origin.https)]);
    // A token in `Authorization` has left the fields by now, so the caller it named is compared.
    let identity = permit.verified().map(|verified| verified.identity_json().get());
    key.part(&[u8::from(identity.is_some())]).part(identity.unwrap_or_default().as_bytes());
    key.part(head.uri.path().as_bytes()).part(head.uri.query().unwrap_or_default().as_bytes());
    let mut fields = head.headers.clone();
    headers::remove_hop_by_hop(&mut fields);
    headers::join_cookies(&mut fields);
    let told = |name: &&HeaderName| {
        !BESIDE_THE_POINT.contains(name) && **name != X_REQUEST_ID && !forwarded::is_claim(name.as_str())
    };
    // Two versions of HTTP may bring the same fields in another order.
    let mut names: Vec<&HeaderName> = fields.keys().filter(told).collect();
    names.sort_unstable_by_key(|name| name.as_str());
    for name in names {
        for value in fields.get_all(name) {
            key.part(name.as_str().as_bytes()).part(value.as_bytes());
        }
    }
    key.part(body.bytes());
    key.finish()
}

fn copy(answer: Answer) -> Response<ProxyBody> {
    let Answer { status, headers, body } = answer;
    let mut response = Response::new(ProxyBody::bytes(body.bytes().clone()));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// A request as it is to be sent for all that are equal to it.
pub(super) struct Outgoing {
    pub(super) head: request::Parts,
    pub(super) body: Body,
    pub(super) affinity: Affinity,
    pub(super) limits: SendLimits,
    pub(super) deadline: Option<Instant>,
    pub(super) prelude: Vec<u8>,
}

/// Makes the call in a task of its own, so that it goes on when this request's client leaves: the application may have
/// used up the token already, and others wait. What happened on the way is written to `attempt`.
pub(super) async fn lead(
    lead: Box<Lead<Arc<UpstreamError>>>,
    local: &Rc<Local>,
    to: &ForwardTo,
    outgoing: Outgoing,
    attempt: &mut Attempt,
) -> Result<Response<ProxyBody>, UpstreamError> {
    let (teller, told) = oneshot::channel();
    let response_bytes_max = to.coalesce.map_or(0, |coalesce| coalesce.response_bytes_max);
    let (local, upstream, host, retry) = (Rc::clone(local), to.upstream, to.host.clone(), to.retry.clone());
    tokio::task::spawn_local(async move {
        let mut attempt = Attempt::default();
        let sent = send(&local, upstream, &host, retry.as_deref(), outgoing, &mut attempt).await;
        let coalescer = Arc::clone(&local.snapshot.coalescer);
        let answered = match sent {
            Ok(response) => share(*lead, &coalescer, response, response_bytes_max, &mut attempt).await,
            Err(error) => fail(*lead, error),
        };
        // The client may have left; others have been told.
        let _ = teller.send((attempt, answered));
    });
    let gone = |_| UpstreamError::Reset(io::Error::other("the call was given up"));
    let (made, answered) = told.await.map_err(gone)?;
    *attempt = made;
    answered
}

async fn send(
    local: &Local,
    upstream: usize,
    host: &HostField,
    retry: Option<&RetryPolicy>,
    outgoing: Outgoing,
    attempt: &mut Attempt,
) -> Result<Response<UpstreamBody>, UpstreamError> {
    let Outgoing { mut head, body, affinity, limits, deadline, prelude } = outgoing;
    // Interim responses are for the first client only, and it can do without.
    let mut interim = |_, _| {};
    let call = Call {
        head: &mut head,
        own: None,
        body,
        // A POST is sent again only when nothing of it was sent.
        again: None,
        tunnel: None,
        affinity,
        host,
        limits,
        deadline,
        retry,
        identity_headers: &local.identity_headers,
        prelude: &prelude,
        interim: &mut interim,
    };
    local.upstreams[upstream].send(call, attempt).await
}

/// Gives the answer to all, if it is short and does not stream; else its own client alone gets it.
async fn share(
    lead: Lead<Arc<UpstreamError>>,
    coalescer: &Coalescer<Arc<UpstreamError>>,
    response: Response<UpstreamBody>,
    bytes_max: usize,
    attempt: &mut Attempt,
) -> Result<Response<ProxyBody>, UpstreamError> {
    let (mut head, body) = response.into_parts();
    match take(body, bytes_max, coalescer.room()).await {
        Ok(Taken::Whole(body)) => {
            attempt.ended(Instant::now());
            let mut response = Response::from_parts(head, ());
            headers::towards_client(&mut response);
            (head, ()) = response.into_parts();
            // Such a route serves no internal files.
            head.headers.remove(&X_ACCEL_REDIRECT);
            let answer = Answer { status: head.status, headers: head.headers, body };
            lead.finish(Outcome::Answered(answer.clone()));
            Ok(copy(answer))
        }
        Ok(Taken::Begun(body)) => {
            lead.finish(Outcome::NotShared);
            Ok(Response::from_parts(head, body.into()))
        }
        Err(error) => fail(lead, UpstreamError::Reset(io::Error::other(error))),
    }
}

fn fail<T>(lead: Lead<Arc<UpstreamError>>, error: UpstreamError) -> Result<T, UpstreamError> {
    let retold = error.retold();
    lead.finish(Outcome::Failed(Arc::new(error)));
    Err(retold)
}
