//! One request to an upstream: choose, connect, send, wait for the head; with the retries that are always safe.
//!
//! Two failures are retried here because they can't have had an effect: a connection that could not be made, and a
//! request that a *reused* connection lost before a single byte of an answer. The second is the race in which the
//! application closes an idle connection at the moment it is used again; in other proxies it shows as a random 502.

use super::balance;
use super::body::{Http1Body, Lease};
use super::connection::{Connection, NoResponse};
use super::dial::{self, DialError};
use super::endpoint::{Counted, Endpoint, Link};
use super::http2::{self, Http2Error};
use super::response::UpstreamBody;
use super::tunnel::Tunnel;
use super::upload::{Progress, Upload};
use crate::config;
use http::header::TE;
use http::{Request, Response, StatusCode, request};
use hyper::body::Incoming;
use serve::timer::{self, Deadline};
use serve::{Body, BodyError};
use smallvec::{SmallVec, smallvec};
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

/// An upstream has seldom more endpoints than this; to choose among more, memory is allocated.
const ENDPOINTS_INLINE: usize = 8;

/// A request that can be sent again without harm over HTTP/2 is sent at most this often.
const HTTP2_ATTEMPTS_MAX: u32 = 4;

/// An upstream as one worker uses it.
pub struct Upstream {
    name: Rc<str>,
    balance: config::Balance,
    endpoints: Vec<Rc<Endpoint>>,
    turn: Cell<usize>,
    connect_timeout: Duration,
    idle_timeout: Duration,
    idle_max: usize,
    resolve_every: Duration,
}

/// The limits of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendLimits {
    /// Bytes of its body.
    pub body_bytes_max: u64,
    /// Between two pieces of its body.
    pub progress_timeout: Duration,
    /// From its end to the head of the response.
    pub response_timeout: Duration,
}

impl From<SendLimits> for http2::Limits {
    fn from(limits: SendLimits) -> Self {
        let SendLimits { body_bytes_max, progress_timeout, response_timeout } = limits;
        Self { body_bytes_max, progress_timeout, response_timeout }
    }
}

/// A response's head has come.
pub struct Sent {
    /// The response.
    pub response: Response<UpstreamBody>,
    /// For a 101: the stream.
    pub tunnel: Option<Tunnel>,
}

/// What happened on the way, for the access log; filled in even when the request fails.
#[derive(Debug, Clone, Default)]
pub struct Attempt {
    /// How many endpoints or connections were tried.
    pub attempts: u32,
    /// The endpoint of the last one.
    pub endpoint: Option<Rc<str>>,
    /// How long the last connect took, when there was one.
    pub connect: Option<Duration>,
    /// From the start to the head of the response.
    pub first_byte: Option<Duration>,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// No endpoint's name is known to the resolver.
    #[error("no address: {0}")]
    Resolve(io::Error),
    /// No endpoint could be connected to.
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    /// The endpoint is not who it must be, or does not accept the proxy's certificate or protocol.
    #[error("TLS: {0}")]
    Tls(io::Error),
    /// Every place on the HTTP/2 connections is taken, or the endpoint refuses requests.
    #[error("the endpoint takes no more requests at once")]
    Busy,
    /// No endpoint answered a connect in time.
    #[error("connecting took too long")]
    ConnectTimeout,
    /// The head of the response did not come in time.
    #[error("no response in time")]
    ResponseTimeout,
    /// The connection broke before the head of the response was complete.
    #[error("the connection closed before the response: {0}")]
    Reset(hyper::Error),
    /// What came is no HTTP response.
    #[error("malformed response: {0}")]
    Malformed(hyper::Error),
    /// As [`Self::Reset`], over HTTP/2.
    #[error("the stream ended before the response: {0}")]
    StreamReset(h2::Error),
    /// As [`Self::Malformed`], over HTTP/2.
    #[error("malformed response: {0}")]
    StreamMalformed(h2::Error),
    /// The client's body failed: it is too large, too slow, or broke off.
    #[error("{0}")]
    Client(BodyError),
}

impl From<DialError> for UpstreamError {
    fn from(error: DialError) -> Self {
        match error {
            DialError::Resolve(error) => Self::Resolve(error),
            DialError::Connect(error) => Self::Connect(error),
            DialError::Timeout => Self::ConnectTimeout,
            DialError::Tls(error) => Self::Tls(error),
            DialError::Http2(error) if error.is_io() || error.is_remote() => Self::StreamReset(error),
            DialError::Http2(error) => Self::StreamMalformed(error),
        }
    }
}

impl From<Http2Error> for UpstreamError {
    fn from(error: Http2Error) -> Self {
        match error {
            Http2Error::Client(error) => Self::Client(error),
            Http2Error::Timeout => Self::ResponseTimeout,
            Http2Error::Refused(_) => Self::Busy,
            Http2Error::Reset(error) => Self::StreamReset(error),
            Http2Error::Malformed(error) => Self::StreamMalformed(error),
            Http2Error::Tls(error) => Self::Tls(error),
        }
    }
}

impl Upstream {
    pub(super) fn new(config: &config::Upstream, endpoints: Vec<Rc<Endpoint>>) -> Self {
        Self {
            name: config.name.as_str().into(),
            balance: config.balance,
            endpoints,
            turn: Cell::new(0),
            connect_timeout: config.connect_timeout,
            idle_timeout: config.idle_timeout,
            idle_max: config.idle_max,
            resolve_every: config.resolve_every,
        }
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &Rc<str> {
        &self.name
    }

    /// Sends a request and waits for the head of the response.
    ///
    /// # Errors
    /// [`UpstreamError`] names the cause; `attempt` says how far it came.
    pub async fn send(
        &self,
        head: request::Parts,
        body: Body,
        limits: SendLimits,
        attempt: &mut Attempt,
    ) -> Result<Sent, UpstreamError> {
        let started = Instant::now();
        let (upload, mut progress) = Upload::new(body, limits.body_bytes_max);
        let mut bodiless = progress.ended.get();
        let mut request = Request::from_parts(head, upload);
        let mut must_be_fresh = false;
        loop {
            attempt.attempts += 1;
            let (link, counted) = self.connection(must_be_fresh, attempt).await?;
            let mut connection = match link {
                Link::Http1(connection) => {
                    // It would have to be named in `Connection` (RFC 9110 section 10.1.4), and no gRPC comes this way.
                    request.headers_mut().remove(TE);
                    connection
                }
                Link::Http2(slot) => {
                    let (head, upload) = request.into_parts();
                    let sending = http2::send(slot, head, upload.into_body(), limits.into(), drop);
                    // Several times as large as the rest of a request's future.
                    let failed = match Box::pin(sending).await {
                        Ok(response) => {
                            attempt.first_byte = Some(started.elapsed());
                            let response = response.map(|body| UpstreamBody::http2(body, counted));
                            return Ok(Sent { response, tunnel: None });
                        }
                        Err(failed) => failed,
                    };
                    request = match failed.again {
                        Some(again) if attempt.attempts < HTTP2_ATTEMPTS_MAX => {
                            let (head, body) = *again;
                            let (upload, begun) = Upload::new(body, limits.body_bytes_max);
                            (bodiless, progress) = (begun.ended.get(), begun);
                            Request::from_parts(head, upload)
                        }
                        _ => return Err(failed.error.into()),
                    };
                    continue;
                }
            };
            let reused = connection.used > 0;
            // Kept only where it may be needed: methods that may be sent twice (RFC 9110 section 9.2.2).
            let spare = (reused && bodiless && request.method().is_idempotent()).then(|| spare(&request));
            let deadline = Deadline::after(limits.response_timeout);
            let watch = Watch {
                deadline: &deadline,
                progress: &progress,
                limits: &limits,
                seen: Cell::new(0),
                phase: Cell::new(None),
            };
            match connection.send(request, |cx| watch.poll(cx)).await? {
                Ok(response) => {
                    attempt.first_byte = Some(started.elapsed());
                    return Ok(self.sent(response, connection, counted, progress).await);
                }
                Err(failed) => {
                    if let Some(error) = progress.failed.take() {
                        return Err(UpstreamError::Client(error));
                    }
                    request = match (failed.unsent, spare) {
                        (Some(unsent), _) if reused => *unsent,
                        (_, Some(spare)) if !failed.received => spare.map(|()| Upload::new(Body::empty(), 0).0),
                        (unsent, _) => return Err(lost(NoResponse { unsent, ..failed })),
                    };
                    // Other idle connections to a restarted application are as dead as this one.
                    must_be_fresh = true;
                }
            }
        }
    }

    /// A connection to the best endpoint that can be reached; each is tried at most once.
    async fn connection(&self, fresh: bool, attempt: &mut Attempt) -> Result<(Link, Counted), UpstreamError> {
        let turn = self.turn.replace(self.turn.get().wrapping_add(1));
        let loads: SmallVec<[_; ENDPOINTS_INLINE]> =
            self.endpoints.iter().map(|endpoint| endpoint.in_flight()).collect();
        let mut tried: SmallVec<[_; ENDPOINTS_INLINE]> = smallvec![false; self.endpoints.len()];
        let mut last = None;
        loop {
            let good =
                balance::choose(self.balance, &loads, turn, |index| tried[index] || self.endpoints[index].is_avoided());
            let Some(chosen) = good.or_else(|| balance::choose(self.balance, &loads, turn, |index| tried[index]))
            else {
                return Err(
                    last.unwrap_or_else(|| UpstreamError::Connect(io::Error::other("the upstream has no endpoint")))
                );
            };
            tried[chosen] = true;
            let endpoint = &self.endpoints[chosen];
            let counted = endpoint.count();
            attempt.endpoint = Some(Rc::clone(&endpoint.label));
            if !fresh && let Some(connection) = endpoint.take_idle(self.idle_timeout).await {
                return Ok((Link::Http1(connection), counted));
            }
            if let Some(slot) = endpoint.http2().take() {
                return Ok((Link::Http2(slot), counted));
            }
            let connecting = Instant::now();
            // Rare, and many times as large as the rest of a request's future.
            let opening = Box::pin(endpoint.connect(self.resolve_every, self.connect_timeout));
            let outcome = timer::timeout(self.connect_timeout, opening).await;
            attempt.connect = Some(connecting.elapsed());
            let error = match outcome {
                Ok(Ok(link)) => return Ok((link, counted)),
                Ok(Err(error)) => UpstreamError::from(error),
                Err(timer::Elapsed) if endpoint.http2().is_full() => UpstreamError::Busy,
                Err(timer::Elapsed) => UpstreamError::ConnectTimeout,
            };
            if !matches!(error, UpstreamError::Busy) {
                endpoint.avoid();
            }
            tracing::debug!(upstream = &*self.name, endpoint = &*endpoint.label, %error, "no connection");
            last = Some(error);
        }
    }

    async fn sent(
        &self,
        response: Response<Incoming>,
        connection: Connection,
        counted: Counted,
        upload: Rc<Progress>,
    ) -> Sent {
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let (socket, early) = connection.into_stream().await;
            let tunnel = Tunnel { socket, early, _counted: counted };
            return Sent { response: response.map(|_| UpstreamBody::empty()), tunnel: Some(tunnel) };
        }
        let lease = Lease { connection, counted, idle_max: self.idle_max, upload };
        Sent { response: response.map(|body| Http1Body::new(body, lease).into()), tunnel: None }
    }
}

/// The same request once more; only for those without a body.
fn spare(request: &Request<Upload>) -> Request<()> {
    let mut head = Request::new(());
    *head.method_mut() = request.method().clone();
    *head.uri_mut() = request.uri().clone();
    *head.version_mut() = request.version();
    *head.headers_mut() = request.headers().clone();
    head
}

fn lost(failed: NoResponse) -> UpstreamError {
    if let Some(error) = dial::tls_failure(&failed.error) {
        return UpstreamError::Tls(error);
    }
    if failed.error.is_parse() { UpstreamError::Malformed(failed.error) } else { UpstreamError::Reset(failed.error) }
}

/// Decides, while a response is awaited, whose turn it is and whether it takes too long.
struct Watch<'a> {
    deadline: &'a Deadline,
    progress: &'a Progress,
    limits: &'a SendLimits,
    seen: Cell<u64>,
    phase: Cell<Option<Phase>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    ClientSends,
    EndpointTakes,
    EndpointThinks,
}

impl Watch<'_> {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<UpstreamError> {
        if let Some(error) = self.progress.failed.take() {
            return Poll::Ready(UpstreamError::Client(error));
        }
        let phase = if self.progress.ended.get() {
            Phase::EndpointThinks
        } else if self.progress.waits_for_client.get() {
            Phase::ClientSends
        } else {
            Phase::EndpointTakes
        };
        let bytes = self.progress.bytes.get();
        if self.phase.replace(Some(phase)) != Some(phase) || self.seen.replace(bytes) != bytes {
            self.deadline.set(match phase {
                Phase::ClientSends => self.limits.progress_timeout,
                Phase::EndpointTakes | Phase::EndpointThinks => self.limits.response_timeout,
            });
        }
        self.deadline.poll(cx).map(|()| match phase {
            Phase::ClientSends => UpstreamError::Client(BodyError::TooSlow),
            Phase::EndpointTakes | Phase::EndpointThinks => UpstreamError::ResponseTimeout,
        })
    }
}
