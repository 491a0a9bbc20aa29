//! One request to an upstream: choose, connect, send, wait for the head; with the retries that are always safe.
//!
//! Two failures are retried here because they can't have had an effect that counts: a connection that could not be
//! made, and a request that a *reused* connection lost before a single byte of an answer, if its method is idempotent
//! or not a byte of it was written. The second is the race in which the application closes an idle connection at the
//! moment it is used again; in other proxies it shows as a random 502. Small bodies are held for it (`upload`).

use super::body::{Lease, Rest};
use super::choice::{Affinity, Outcome, Tried};
use super::endpoint::{Counted, Link};
use super::endpoints::Endpoints;
use super::error::UpstreamError;
use super::exchange::Exchange;
use super::host::HostField;
use super::http2;
use super::response::UpstreamBody;
use super::tunnel::Tunnel;
use super::upload::Upload;
use super::watch::SendLimits;
use crate::config::{self, ProxyVersion};
use crate::metrics::{Failure, UpstreamCounters};
use http::header::{CONNECTION, TE, TRAILER, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, request};
use serve::Body;
use serve::http1::{Framing, ResponseHead};
use serve::timer;
use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A request that can be sent again without harm over HTTP/2 is sent at most this often.
const HTTP2_ATTEMPTS_MAX: u32 = 4;

/// An upstream as one worker uses it.
pub struct Upstream {
    name: Rc<str>,
    endpoints: Endpoints,
    hash_by: Option<config::HashBy>,
    connect_timeout: Duration,
    idle_timeout: Duration,
    idle_max: usize,
    proxy_protocol: Option<ProxyVersion>,
    counters: Arc<UpstreamCounters>,
}

/// A request as it is to be sent.
pub struct Call<'a> {
    /// Its head, with the fields of this hop. HTTP/2 takes it out.
    pub head: &'a mut request::Parts,
    /// Its body.
    pub body: Body,
    /// For a request that offers a switch of protocols: what its client sends after the switch. The body of a 101
    /// response is then the other direction, and polling it moves both.
    pub tunnel: Option<Body>,
    /// What of it decides about the endpoint.
    pub affinity: Affinity,
    /// Which `Host` the endpoint is told.
    pub host: &'a HostField,
    /// How much and how long.
    pub limits: SendLimits,
    /// Fields that say who the client is, beside `X-Auth-*`: a trailer may not bring them either.
    pub identity_headers: &'a Rc<[HeaderName]>,
    /// How a connection begins that is opened for it.
    pub prelude: &'a [u8],
    /// Where interim responses go as they come.
    pub interim: &'a mut dyn FnMut(StatusCode, HeaderMap),
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
    pub(super) fn new(config: &config::Upstream, endpoints: Endpoints, counters: Arc<UpstreamCounters>) -> Self {
        Self {
            name: config.name.as_str().into(),
            endpoints,
            hash_by: config.hash_by.clone(),
            connect_timeout: config.connect_timeout,
            idle_timeout: config.idle_timeout,
            // A connection whose first bytes say who the client is serves no other client.
            idle_max: if config.proxy_protocol.is_some() { 0 } else { config.idle_max },
            proxy_protocol: config.proxy_protocol,
            counters,
        }
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &Rc<str> {
        &self.name
    }

    /// Which requests go to one endpoint.
    #[must_use]
    pub const fn hash_by(&self) -> Option<&config::HashBy> {
        self.hash_by.as_ref()
    }

    /// How it is told who the client is, at the start of each connection.
    #[must_use]
    pub const fn proxy_protocol(&self) -> Option<ProxyVersion> {
        self.proxy_protocol
    }

    /// Sends a request and waits for the head of the response.
    ///
    /// # Errors
    /// [`UpstreamError`] names the cause; `attempt` says how far it came.
    pub async fn send(&self, call: Call<'_>, attempt: &mut Attempt) -> Result<Response<UpstreamBody>, UpstreamError> {
        let started = Instant::now();
        attempt.started = Some(started);
        let Call { head, body, mut tunnel, affinity, host, limits, identity_headers, prelude, interim } = call;
        let mut upload = Upload::new(body, limits.body_bytes_max, Rc::clone(identity_headers));
        attempt.upload = upload.counter();
        let idempotent = head.method.is_idempotent();
        let mut pick = Pick { fresh: false, surely: !idempotent || upload.framing != Framing::Empty };
        loop {
            let (link, counted) = self.connection(pick, &affinity, prelude, attempt).await?;
            let sent = Instant::now();
            host.write(&mut head.headers, &counted.endpoint().host);
            let mut connection = match link {
                Link::Http1(connection) => connection,
                Link::Http2(slot) => {
                    // What an endpoint of another protocol has been sent of a body can't be sent anew.
                    let body = upload.into_body().ok_or(UpstreamError::Reset(io::ErrorKind::UnexpectedEof.into()))?;
                    let informational = |response: Response<()>| {
                        let (parts, ()) = response.into_parts();
                        interim(parts.status, parts.headers);
                    };
                    let client = http2::Client {
                        counter: attempt.upload.clone(),
                        identity_headers: Rc::clone(identity_headers),
                    };
                    let taken = take_head(head);
                    // Several times as large as the rest of a request's future.
                    let sending = Box::pin(http2::send(slot, taken, body, limits.into(), client, informational));
                    let failed = match sending.await {
                        Ok(response) => {
                            attempt.first_byte = Some(started.elapsed());
                            answered(&counted, response.status(), response.headers(), sent);
                            return Ok(
                                response.map(|body| UpstreamBody::http2(body, counted, limits.stream_idle_timeout))
                            );
                        }
                        Err(failed) => failed,
                    };
                    let (again, body) = match failed.again {
                        Some(again) if attempt.attempts < HTTP2_ATTEMPTS_MAX => *again,
                        _ => {
                            let error = failed.error.into();
                            self.failed_at(&counted, &error);
                            return Err(error);
                        }
                    };
                    *head = again;
                    upload = Upload::new(body, limits.body_bytes_max, Rc::clone(identity_headers));
                    continue;
                }
            };
            if upload.framing != Framing::Empty && head.headers.contains_key(TRAILER) {
                upload.expect_trailer();
            }
            name_te(&mut head.headers);
            let reused = connection.used > 0;
            let mut exchange =
                Exchange::begin(&mut connection, &*head, &mut upload, tunnel.is_some(), limits, &mut *interim);
            match poll_fn(|cx| exchange.poll(cx)).await {
                Ok(answer) => {
                    attempt.first_byte = Some(started.elapsed());
                    // A body that was declined is not sent behind the answer.
                    let declined = exchange.has_declined();
                    let ResponseHead { parts, framing, keep_alive } = answer;
                    answered(&counted, parts.status, &parts.headers, sent);
                    let body = match tunnel.take() {
                        Some(client) if parts.status == StatusCode::SWITCHING_PROTOCOLS => {
                            let tunnel = Tunnel::new(connection, client, counted, limits.stream_idle_timeout);
                            attempt.upload = Some(tunnel.counter());
                            tunnel.into()
                        }
                        _ => {
                            // It is answered, so it is not sent once more.
                            upload.let_go();
                            let rest = (!upload.is_done() && !declined)
                                .then(|| Box::new(Rest::new(upload, limits.progress_timeout)));
                            let keep_alive = keep_alive && !declined;
                            let lease = Lease { connection, counted, idle_max: self.idle_max, keep_alive, rest };
                            UpstreamBody::http1(framing, lease, limits.stream_idle_timeout)
                        }
                    };
                    return Ok(Response::from_parts(parts, body));
                }
                // Idempotent methods may be sent twice (RFC 9110 section 9.2.2), others when nothing of them has left.
                Err(UpstreamError::Reset(_))
                    if reused && !connection.received && upload.is_whole() && (idempotent || !connection.wrote) =>
                {
                    self.counters.failed(Failure::Reset);
                    // Other idle connections to a restarted application are as dead as this one.
                    pick.fresh = true;
                }
                Err(error) => {
                    self.failed_at(&counted, &error);
                    return Err(error);
                }
            }
        }
    }

    /// Counts an attempt that failed on a connection, and tells its endpoint unless the client is to blame.
    fn failed_at(&self, counted: &Counted, error: &UpstreamError) {
        self.failed(error);
        if !matches!(error, UpstreamError::Client(_)) {
            counted.endpoint().report(Outcome::Failed);
        }
    }

    /// Counts a failed attempt by its cause.
    fn failed(&self, error: &UpstreamError) {
        let failure = match error {
            UpstreamError::Resolve(_) => Failure::Resolve,
            UpstreamError::Connect(_) => Failure::Connect,
            UpstreamError::ConnectTimeout => Failure::ConnectTimeout,
            UpstreamError::ResponseTimeout => Failure::ResponseTimeout,
            UpstreamError::Tls(_) => Failure::Tls,
            UpstreamError::Busy => Failure::Busy,
            UpstreamError::Reset(_) | UpstreamError::StreamReset(_) => Failure::Reset,
            UpstreamError::Malformed(_) | UpstreamError::StreamMalformed(_) => Failure::Malformed,
            UpstreamError::Client(_) => return,
        };
        self.counters.failed(failure);
    }

    /// A connection to the best endpoint that can be reached; each is tried at most once.
    async fn connection(
        &self,
        pick: Pick,
        affinity: &Affinity,
        prelude: &[u8],
        attempt: &mut Attempt,
    ) -> Result<(Link, Counted), UpstreamError> {
        // Connections from before a reload that asked for a prelude have had none.
        let fresh = pick.fresh || self.proxy_protocol.is_some();
        let mut tried = Tried::default();
        let mut last = None;
        loop {
            let endpoint = match self.endpoints.choose(affinity, &tried) {
                Some(endpoint) => endpoint,
                // Rare, and large beside the rest of a request's future.
                None => match Box::pin(self.endpoints.appear(affinity, &tried, self.connect_timeout)).await {
                    Some(endpoint) => endpoint,
                    None => return Err(last.unwrap_or_else(|| self.endpoints.none())),
                },
            };
            tried.note(&endpoint);
            attempt.attempts += 1;
            let counted = endpoint.count();
            attempt.endpoint = Some(Rc::clone(&endpoint.label));
            if !fresh && let Some(connection) = endpoint.take_idle(self.idle_timeout, pick.surely) {
                self.counters.reuses.increment();
                return Ok((Link::Http1(connection), counted));
            }
            if let Some(slot) = endpoint.http2().take() {
                self.counters.reuses.increment();
                return Ok((Link::Http2(slot), counted));
            }
            let connecting = Instant::now();
            // Rare, and many times as large as the rest of a request's future.
            let opening = Box::pin(endpoint.connect(prelude));
            let outcome = timer::timeout(self.connect_timeout, opening).await;
            attempt.connect = Some(connecting.elapsed());
            let error = match outcome {
                Ok(Ok(link)) => {
                    self.counters.connects.increment();
                    return Ok((link, counted));
                }
                Ok(Err(error)) => UpstreamError::from(error),
                Err(timer::Elapsed) if endpoint.http2().is_full() => UpstreamError::Busy,
                Err(timer::Elapsed) => UpstreamError::ConnectTimeout,
            };
            if !matches!(error, UpstreamError::Busy) {
                endpoint.report(Outcome::Unreachable);
            }
            self.failed(&error);
            tracing::debug!(upstream = &*self.name, endpoint = &*endpoint.label, %error, "no connection");
            last = Some(error);
        }
    }
}

/// Tells the endpoint how it has answered what was handed over at `sent`.
fn answered(counted: &Counted, status: StatusCode, headers: &HeaderMap, sent: Instant) {
    counted.endpoint().report(Outcome::Answered { status, headers, after: sent.elapsed() });
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

/// Which connections will do.
#[derive(Debug, Clone, Copy)]
struct Pick {
    /// Only one that is opened for this request.
    fresh: bool,
    /// The request can't be sent twice, so an idle one must live.
    surely: bool,
}
