//! One request to an upstream: choose, connect, send, wait for the head; with the retries that are always safe.
//!
//! Two failures are retried here because they can't have had an effect that counts: a connection that could not be
//! made, and a request that a *reused* connection lost before a single byte of an answer, if its method is idempotent
//! or not a byte of it was written. The second is the race in which the application closes an idle connection at the
//! moment it is used again; in other proxies it shows as a random 502. Small bodies are held for it (`upload`).

use super::balance;
use super::body::Lease;
use super::connection::Connection;
use super::endpoint::{Counted, Endpoint};
use super::error::UpstreamError;
use super::exchange::Exchange;
use super::response::UpstreamBody;
use super::tunnel::Tunnel;
use super::upload::Upload;
use super::watch::SendLimits;
use crate::config;
use http::{HeaderMap, Response, StatusCode, request};
use serve::Body;
use serve::http1::{Framing, ResponseHead};
use serve::timer;
use smallvec::{SmallVec, smallvec};
use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
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
    /// Bytes of the request's body, or of the client's direction of a tunnel.
    upload: Option<Rc<Cell<u64>>>,
}

impl Attempt {
    /// Notes the end of the response, or the failure; only the first one counts.
    pub fn ended(&mut self, now: Instant) {
        self.total = self.total.or_else(|| Some(now.saturating_duration_since(self.started?)));
    }

    /// Bytes of the request's body up to now.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.upload.as_ref().map_or(0, |bytes| bytes.get())
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

    /// Sends a request and waits for the head of the response. Interim responses go to `interim` as they come. A
    /// request that offers a switch of protocols comes with a `tunnel`, what its client sends after the switch; the
    /// body of a 101 response is then the other direction, and polling it moves both.
    ///
    /// # Errors
    /// [`UpstreamError`] names the cause; `attempt` says how far it came.
    pub async fn send(
        &self,
        head: request::Parts,
        body: Body,
        tunnel: Option<Body>,
        limits: SendLimits,
        interim: &mut dyn FnMut(StatusCode, HeaderMap),
        attempt: &mut Attempt,
    ) -> Result<Response<UpstreamBody>, UpstreamError> {
        let started = Instant::now();
        attempt.started = Some(started);
        let mut upload = Upload::new(body, limits.body_bytes_max);
        attempt.upload = upload.counter();
        let idempotent = head.method.is_idempotent();
        let mut pick = Pick { fresh: false, surely: !idempotent || upload.framing != Framing::Empty };
        loop {
            let (mut connection, counted) = self.connection(pick, attempt).await?;
            let reused = connection.used > 0;
            let mut exchange =
                Exchange::begin(&mut connection, &head, &mut upload, tunnel.is_some(), limits, &mut *interim);
            match poll_fn(|cx| exchange.poll(cx)).await {
                Ok(answer) => {
                    attempt.first_byte = Some(started.elapsed());
                    let ResponseHead { parts, framing, keep_alive } = answer;
                    let body = match tunnel {
                        Some(client) if parts.status == StatusCode::SWITCHING_PROTOCOLS => {
                            let tunnel = Tunnel::new(connection, client, counted, limits.tunnel_idle_timeout);
                            attempt.upload = Some(tunnel.counter());
                            tunnel.into()
                        }
                        _ => {
                            let upload = (!upload.is_done()).then(|| Box::new(upload));
                            let lease = Lease { connection, counted, idle_max: self.idle_max, keep_alive, upload };
                            UpstreamBody::http1(framing, lease)
                        }
                    };
                    return Ok(Response::from_parts(parts, body));
                }
                // Idempotent methods may be sent twice (RFC 9110 section 9.2.2), others when nothing of them has left.
                Err(UpstreamError::Reset(_))
                    if reused
                        && !connection.received
                        && upload.is_whole()
                        && (idempotent || !connection.wrote) =>
                {
                    // Other idle connections to a restarted application are as dead as this one.
                    pick.fresh = true;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// A connection to the best endpoint that can be reached; each is tried at most once.
    async fn connection(
        &self,
        pick: Pick,
        attempt: &mut Attempt,
    ) -> Result<(Box<Connection>, Counted), UpstreamError> {
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
            if !pick.fresh
                && let Some(connection) = endpoint.take_idle(self.idle_timeout, pick.surely)
            {
                return Ok((connection, counted));
            }
            let connecting = Instant::now();
            // Rare, and many times as large as the rest of a request's future.
            let opening = Box::pin(endpoint.connect(self.resolve_every, self.connect_timeout));
            let outcome = timer::timeout(self.connect_timeout, opening).await;
            attempt.connect = Some(connecting.elapsed());
            let error = match outcome {
                Ok(Ok(connection)) => return Ok((connection, counted)),
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
            tracing::debug!(upstream = &*self.name, endpoint = &*endpoint.label, %error, "no connection");
            last = Some(error);
        }
    }
}

/// Which connections will do.
#[derive(Debug, Clone, Copy)]
struct Pick {
    /// Only one that is opened for this request.
    fresh: bool,
    /// The request can't be sent twice, so an idle one must live.
    surely: bool,
}
