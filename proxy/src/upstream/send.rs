//! One request to an upstream: choose, connect, send, wait for the head; with the retries that are always safe.
//!
//! Two failures are retried here because they can't have had an effect: a connection that could not be made, and a
//! request that a *reused* connection lost before a single byte of an answer. The second is the race in which the
//! application closes an idle connection at the moment it is used again; in other proxies it shows as a random 502.

use super::balance;
use super::body::{Lease, UpstreamBody};
use super::connection::{Connection, NoResponse};
use super::endpoint::{Counted, Endpoint};
use super::host::HostField;
use super::tunnel::Tunnel;
use super::upload::{Progress, Upload};
use crate::config::{self, ProxyVersion};
use crate::metrics::{Failure, UpstreamCounters};
use http::{Request, Response, StatusCode, request};
use hyper::body::Incoming;
use serve::timer::{self, Deadline};
use serve::{Body, BodyError};
use smallvec::{SmallVec, smallvec};
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

/// An upstream has seldom more endpoints than this; to choose among more, memory is allocated.
const ENDPOINTS_INLINE: usize = 8;

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
    proxy_protocol: Option<ProxyVersion>,
    counters: Arc<UpstreamCounters>,
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
    /// From the start to the end of the response, or to the failure.
    pub total: Option<Duration>,
    started: Option<Instant>,
    upload: Option<Rc<Progress>>,
}

impl Attempt {
    /// Notes the end of the response, or the failure; only the first one counts.
    pub fn ended(&mut self, now: Instant) {
        self.total = self.total.or_else(|| Some(now.saturating_duration_since(self.started?)));
    }

    /// Bytes of the request's body up to now.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.upload.as_ref().map_or(0, |progress| progress.bytes.get())
    }
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
    /// The client's body failed: it is too large, too slow, or broke off.
    #[error("{0}")]
    Client(BodyError),
}

impl Upstream {
    pub(super) fn new(
        config: &config::Upstream,
        endpoints: Vec<Rc<Endpoint>>,
        counters: Arc<UpstreamCounters>,
    ) -> Self {
        Self {
            name: config.name.as_str().into(),
            balance: config.balance,
            endpoints,
            turn: Cell::new(0),
            connect_timeout: config.connect_timeout,
            idle_timeout: config.idle_timeout,
            // A connection whose first bytes say who the client is serves no other client.
            idle_max: if config.proxy_protocol.is_some() { 0 } else { config.idle_max },
            resolve_every: config.resolve_every,
            proxy_protocol: config.proxy_protocol,
            counters,
        }
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &Rc<str> {
        &self.name
    }

    /// How it is told who the client is, at the start of each connection.
    #[must_use]
    pub const fn proxy_protocol(&self) -> Option<ProxyVersion> {
        self.proxy_protocol
    }

    /// Sends a request and waits for the head of the response. A connection that is opened for it begins with
    /// `prelude`.
    ///
    /// # Errors
    /// [`UpstreamError`] names the cause; `attempt` says how far it came.
    pub async fn send(
        &self,
        head: request::Parts,
        body: Body,
        host: &HostField,
        limits: SendLimits,
        prelude: &[u8],
        attempt: &mut Attempt,
    ) -> Result<Sent, UpstreamError> {
        let started = Instant::now();
        attempt.started = Some(started);
        let (upload, progress) = Upload::new(body, limits.body_bytes_max);
        attempt.upload = Some(Rc::clone(&progress));
        let bodiless = progress.ended.get();
        let mut request = Request::from_parts(head, upload);
        let mut must_be_fresh = false;
        loop {
            let (mut connection, counted) = self.connection(must_be_fresh, prelude, attempt).await?;
            host.write(request.headers_mut(), &counted.endpoint().host);
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
            let outcome = connection.send(request, |cx| watch.poll(cx)).await;
            match outcome.inspect_err(|error| self.failed(error))? {
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
                        (unsent, _) => {
                            let error = lost(NoResponse { unsent, ..failed });
                            self.failed(&error);
                            return Err(error);
                        }
                    };
                    self.counters.failed(Failure::Reset);
                    // Other idle connections to a restarted application are as dead as this one.
                    must_be_fresh = true;
                }
            }
        }
    }

    /// Counts a failed attempt by its cause.
    fn failed(&self, error: &UpstreamError) {
        let failure = match error {
            UpstreamError::Resolve(_) => Failure::Resolve,
            UpstreamError::Connect(_) => Failure::Connect,
            UpstreamError::ConnectTimeout => Failure::ConnectTimeout,
            UpstreamError::ResponseTimeout => Failure::ResponseTimeout,
            UpstreamError::Reset(_) => Failure::Reset,
            UpstreamError::Malformed(_) => Failure::Malformed,
            UpstreamError::Client(_) => return,
        };
        self.counters.failed(failure);
    }

    /// A connection to the best endpoint that can be reached; each is tried at most once.
    async fn connection(
        &self,
        fresh: bool,
        prelude: &[u8],
        attempt: &mut Attempt,
    ) -> Result<(Connection, Counted), UpstreamError> {
        // Connections from before a reload that asked for a prelude have had none.
        let fresh = fresh || self.proxy_protocol.is_some();
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
            attempt.attempts += 1;
            let counted = endpoint.count();
            attempt.endpoint = Some(Rc::clone(&endpoint.label));
            if !fresh && let Some(connection) = endpoint.take_idle(self.idle_timeout).await {
                self.counters.reuses.increment();
                return Ok((connection, counted));
            }
            let connecting = Instant::now();
            // Rare, and many times as large as the rest of a request's future.
            let opening = Box::pin(endpoint.connect(self.resolve_every, self.connect_timeout, prelude));
            let outcome = timer::timeout(self.connect_timeout, opening).await;
            attempt.connect = Some(connecting.elapsed());
            let error = match outcome {
                Ok(Ok(connection)) => {
                    self.counters.connects.increment();
                    return Ok((connection, counted));
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut => UpstreamError::ConnectTimeout,
                Ok(Err(error))
                    if error.kind() == io::ErrorKind::ConnectionRefused || error.raw_os_error().is_some() =>
                {
                    UpstreamError::Connect(error)
                }
                Ok(Err(error)) => UpstreamError::Resolve(error),
                Err(timer::Elapsed) => UpstreamError::ConnectTimeout,
            };
            endpoint.avoid();
            self.failed(&error);
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
        Sent { response: response.map(|body| UpstreamBody::new(body, lease)), tunnel: None }
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
