//! The host: what gunicorn is to a WSGI callable.
//!
//! It serves any [`tower::Service`] over HTTP, one worker a core, and knows no endpoint: it answers the two probes
//! itself, gives every request its id, bounds time and number of requests, survives panics of the callable, writes one
//! line a request, and drains.

mod access_log;
mod probe;
mod ring;
mod upload;

pub use probe::Readiness;
pub use serve::worker::Drained;

use access_log::AccessLog;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use ring::Ring;
use serve::Body;
use serve::admission::Admission;
use serve::connection::{Acceptor, ConnectionInfo, ConnectionLimits};
use serve::listener::{Address, Bound, Socket};
use serve::telemetry::{Format, RequestLines, RequestLog};
use serve::worker::{Worker, Workers};
use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tower::Service;

/// Fields of a request: as many as a front server lets a client send, and what it adds itself.
const HEADER_COUNT_MAX: usize = 256;

/// How the callable is served.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// Where to listen.
    pub listen: Address,
    /// How many workers, one thread each.
    pub threads: NonZeroUsize,
    /// From the request's head, or the last piece of its body, to the response's head.
    pub request_timeout: Duration,
    /// How long work may go on after the stop was asked for.
    pub drain_timeout: Duration,
    /// Requests at once, over all workers; a request counts until its response's body has ended.
    pub in_flight_max: usize,
    /// Connections at once, over all workers; more wait in the kernel's queue.
    pub connections_max: usize,
    /// How the line of a request looks; none are written without it.
    pub access_log: Option<Format>,
}

/// A host that serves.
pub struct Host {
    /// Beside the workers' own descriptors; none once it has been handed over or drains.
    bound: Option<Bound>,
    address: Address,
    readiness: Readiness,
    drain_timeout: Duration,
    workers: Workers,
    /// Ends after the workers, which hold its senders.
    _log: Option<RequestLog>,
}

/// Binds the address and serves what `make_callable` makes on each worker.
///
/// The callable lives on its worker's thread and need not be `Send`. The host is ready when this returns.
///
/// # Errors
/// The address can't be bound, or threads can't be made.
pub async fn start<M, S, B>(config: &HostConfig, make_callable: M) -> io::Result<Host>
where
    M: Fn() -> S + Clone + Send + 'static,
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + 'static,
    S::Future: 'static,
    B: HttpBody<Data = Bytes> + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    serve(Bound::bind(&config.listen, config.threads)?, config, make_callable).await
}

/// As [`start`], on an address that was bound before: for who must know that it is free before doing anything else.
///
/// # Errors
/// Threads can't be made.
pub async fn serve<M, S, B>(bound: Bound, config: &HostConfig, make_callable: M) -> io::Result<Host>
where
    M: Fn() -> S + Clone + Send + 'static,
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + 'static,
    S::Future: 'static,
    B: HttpBody<Data = Bytes> + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let address = bound.local_address().clone();
    let local = Arc::new(address.clone());
    let readiness = Readiness::default();
    let in_flight = Arc::new(Semaphore::new(config.in_flight_max.min(Semaphore::MAX_PERMITS)));
    let slots = Arc::new(Semaphore::new(config.connections_max.min(Semaphore::MAX_PERMITS)));
    let log = config.access_log.map(|format| RequestLog::start(io::stdout()).map(|log| (format, log))).transpose()?;
    let mut shares = bound.shares(config.threads)?.into_iter();
    let workers = Workers::start(config.threads, "app", |_| {
        let sockets = shares.next().unwrap_or_default();
        let (make_callable, readiness, local) = (make_callable.clone(), readiness.clone(), Arc::clone(&local));
        let (in_flight, slots) = (Arc::clone(&in_flight), Arc::clone(&slots));
        let lines = log.as_ref().and_then(|(format, log)| Some((*format, log.sender()?)));
        let request_timeout = config.request_timeout;
        async move |worker: Worker| {
            let log = lines.map(|(format, sender)| Rc::new(AccessLog::new(format, RequestLines::new(sender))));
            let callable = make_callable();
            let make_service = move |_: &ConnectionInfo| Ring {
                callable: callable.clone(),
                readiness: readiness.clone(),
                in_flight: Arc::clone(&in_flight),
                request_timeout,
                log: log.clone(),
            };
            let limits =
                Rc::new(ConnectionLimits { header_count_max: HEADER_COUNT_MAX, ..ConnectionLimits::default() });
            for socket in sockets {
                let acceptor = Acceptor {
                    socket,
                    local: Arc::clone(&local),
                    limits: Rc::clone(&limits),
                    tls: None,
                    slots: Arc::clone(&slots),
                    drain: Rc::clone(&worker.drain),
                    admission: Admission::default(),
                    make_service: make_service.clone(),
                };
                tokio::task::spawn_local(async move {
                    if let Err(error) = acceptor.run().await {
                        tracing::error!(%error, "a worker can't accept");
                    }
                });
            }
            Ok(())
        }
    })
    .await?;
    readiness.set(true);
    let log = log.map(|(_, log)| log);
    Ok(Host { bound: Some(bound), address, readiness, drain_timeout: config.drain_timeout, workers, _log: log })
}

impl Host {
    /// The address in use, with the real port.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// What `/readyz` answers.
    #[must_use]
    pub const fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// Its sockets, for a process that takes them over.
    ///
    /// # Errors
    /// There are no descriptors left.
    pub fn sockets(&self) -> io::Result<Vec<Socket>> {
        self.bound.iter().flat_map(Bound::sockets).map(Socket::try_clone).collect()
    }

    /// Says that another process accepts on its sockets.
    pub fn handed_over(&mut self) {
        self.bound = None;
    }

    /// Stops accepting, lets requests finish until the deadline, and ends the workers.
    pub async fn drain(mut self) -> Drained {
        self.readiness.set(false);
        let is_last = self.bound.take().is_some();
        let drained = self.workers.drain(self.drain_timeout).await;
        if let Address::Unix(path) = &self.address
            && is_last
        {
            // Nobody listens there any more; the next start would remove it too.
            let _ = std::fs::remove_file(path);
        }
        drained
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("address", &self.address).finish_non_exhaustive()
    }
}
