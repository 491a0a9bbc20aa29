//! One endpoint as a worker knows it: its address, requests in flight, connections.

use super::connection::Connection;
use super::dial::{self, DialError, Dialer, Spoken, Transport};
use super::gate::{Door, Gate, Place};
use super::host;
use super::http2;
use super::outcome::Outcome;
use super::resolve::{self, Resolved};
use super::stream::Stream;
use crate::config::EndpointAddress;
use crate::link::EndpointLink;
use http::HeaderValue;
use http::uri::Scheme;
use serve::timer;
use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// An endpoint that could not be reached is asked last for this long.
const AVOIDED_FOR: Duration = Duration::from_secs(1);

pub(super) struct Endpoint {
    address: EndpointAddress,
    dialer: Dialer,
    /// For logs.
    pub(super) label: Rc<str>,
    /// Its own name, for `Host`.
    pub(super) host: HeaderValue,
    resolved: Resolved,
    /// The address that answered last.
    good: Cell<Option<SocketAddr>>,
    in_flight: Cell<usize>,
    avoided_until: Cell<Option<Instant>>,
    /// What it tells of itself, if it does.
    told: RefCell<Option<Arc<EndpointLink>>>,
    door: OnceCell<Arc<Door>>,
    /// What the last connection agreed on.
    agreed: Cell<Option<Spoken>>,
    /// HTTP/1.1, the most recently used last.
    idle: RefCell<Vec<Idle>>,
    http2: http2::Connections,
}

/// Where a request goes next.
pub(super) enum Link {
    /// A connection of its own.
    Http1(Box<Connection>),
    /// A place on a shared one.
    Http2(http2::Slot),
}

/// A connection as it was just opened.
enum Opened {
    Http1(Box<Connection>),
    Http2(Rc<http2::Connection>),
}

struct Idle {
    connection: Box<Connection>,
    since: Instant,
}

impl Endpoint {
    pub(super) fn new(address: EndpointAddress, transport: Transport) -> Self {
        let label = resolve::display(&address).into();
        let dialer = Dialer::new(&address, transport);
        let host = host::of_endpoint(&address);
        Self {
            agreed: Cell::new(dialer.spoken()),
            http2: http2::Connections::default(),
            address,
            dialer,
            label,
            host,
            resolved: Resolved::default(),
            good: Cell::new(None),
            in_flight: Cell::new(0),
            avoided_until: Cell::new(None),
            told: RefCell::new(None),
            door: OnceCell::new(),
            idle: RefCell::default(),
        }
    }

    /// How it is talked to.
    pub(super) fn transport(&self) -> &Transport {
        self.dialer.transport()
    }

    /// Its HTTP/2 connections.
    pub(super) fn http2(&self) -> &http2::Connections {
        &self.http2
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.get()
    }

    /// Takes over where it tells of itself.
    pub(super) fn listen_to(&self, told: Option<Arc<EndpointLink>>) {
        *self.told.borrow_mut() = told;
    }

    /// The configured limit, or less where the endpoint itself closes sooner.
    fn idle_timeout(&self, configured: Duration) -> Duration {
        let told = self.told.borrow().as_ref().and_then(|told| told.idle_timeout());
        told.map_or(configured, |told| told.min(configured))
    }

    /// Whether it is asked only when no other is left: it can't be reached, or has said that it is about to stop.
    pub(super) fn is_avoided(&self) -> bool {
        self.told.borrow().as_ref().is_some_and(|told| told.is_draining())
            || self.avoided_until.get().is_some_and(|until| Instant::now() < until)
    }

    /// Whether it has said that it stops and is still there: what is sent to it now may be lost with it.
    pub(super) fn is_stopping(&self) -> bool {
        self.told.borrow().as_ref().is_some_and(|told| told.is_draining() && told.is_connected())
    }

    /// It as all workers see it.
    pub(super) fn door(&self, gate: &Gate) -> &Arc<Door> {
        self.door.get_or_init(|| gate.door(&self.label))
    }

    /// How many requests it has said that it takes at once.
    pub(super) fn told_in_flight_max(&self) -> Option<usize> {
        let told = self.told.borrow().as_ref().map_or(0, |told| told.in_flight_max());
        usize::try_from(told).ok().filter(|&told| told > 0)
    }

    /// Counts a request until the value is dropped, and holds its place until then.
    pub(super) fn count(self: &Rc<Self>, place: Option<Place>) -> Counted {
        self.in_flight.set(self.in_flight.get() + 1);
        Counted { endpoint: Rc::clone(self), _place: place }
    }

    /// A connection that has been used before and still lives, [`Connection::is_usable`] says how surely; the warmest
    /// first.
    pub(super) fn take_idle(&self, idle_timeout: Duration, surely: bool) -> Option<Box<Connection>> {
        let idle_timeout = self.idle_timeout(idle_timeout);
        loop {
            let Idle { mut connection, since } = self.idle.borrow_mut().pop()?;
            if since.elapsed() < idle_timeout && connection.is_usable(surely) {
                return Some(connection);
            }
        }
    }

    /// A new connection, or a place on a shared one that has become free or has been opened meanwhile.
    ///
    /// The first address that answers is taken, beginning with the one that did so last. Each address has its share of
    /// `limit`, so that one behind a silent firewall doesn't use up the time of the others. A connection begins with
    /// `prelude`.
    pub(super) async fn connect(
        &self,
        resolve_every: Duration,
        limit: Duration,
        prelude: &[u8],
    ) -> Result<Link, DialError> {
        let mut opening = None;
        // While it is not known what will be agreed on, the endpoint may turn out to share its connections.
        while self.agreed.get() != Some(Spoken::Http1) {
            if let Some(slot) = self.http2.take() {
                return Ok(Link::Http2(slot));
            }
            opening = self.http2.begin();
            if opening.is_some() {
                break;
            }
            self.http2.changed().await;
        }
        let opened = match &self.address {
            EndpointAddress::Unix(path) => self.open(self.dialer.unix(path, prelude).await?).await,
            EndpointAddress::Tcp { host, port } => {
                let resolved = self.resolved.addresses(host, *port, resolve_every).await;
                let mut addresses = resolved.map_err(DialError::Resolve)?;
                let good = self.good.get();
                addresses.sort_by_key(|address| Some(*address) != good);
                self.open_first(&addresses, limit, prelude).await
            }
        }?;
        self.avoided_until.set(None);
        let link = match opened {
            Opened::Http1(connection) => {
                self.agreed.set(Some(Spoken::Http1));
                Link::Http1(connection)
            }
            Opened::Http2(connection) => {
                self.agreed.set(Some(Spoken::Http2));
                Link::Http2(self.http2.add(connection))
            }
        };
        // Only now may those who wait look.
        drop(opening);
        Ok(link)
    }

    async fn open_first(&self, addresses: &[SocketAddr], limit: Duration, prelude: &[u8]) -> Result<Opened, DialError> {
        let share = limit / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
        let mut last = DialError::Resolve(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        for &address in addresses {
            let opening = async { self.open(self.dialer.tcp(address, prelude).await?).await };
            last = match timer::timeout(share, opening).await {
                Ok(Ok(opened)) => {
                    self.good.set(Some(address));
                    return Ok(opened);
                }
                Ok(Err(error)) => error,
                Err(timer::Elapsed) => DialError::Timeout,
            };
        }
        Err(last)
    }

    async fn open(&self, (stream, spoken): (Stream, Spoken)) -> Result<Opened, DialError> {
        match spoken {
            Spoken::Http1 => Ok(Opened::Http1(Connection::new(stream))),
            Spoken::Http2 => {
                let scheme = if self.dialer.is_tls() { Scheme::HTTPS } else { Scheme::HTTP };
                let opened = http2::Connection::open(stream, scheme, self.http2.notify()).await;
                opened
                    .map(Opened::Http2)
                    .map_err(|error| dial::tls_failure_in(&error).map_or(DialError::Http2(error), DialError::Tls))
            }
        }
    }

    /// Takes in what became of an attempt.
    pub(super) fn report(&self, outcome: Outcome<'_>) {
        match outcome {
            Outcome::Unreachable => self.avoided_until.set(Some(Instant::now() + AVOIDED_FOR)),
            Outcome::Failed | Outcome::Answered { .. } => {}
        }
    }

    /// Keeps a connection for the next request, unless it is full or broken.
    pub(super) fn give_back(&self, connection: Box<Connection>, idle_max: usize) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < idle_max {
            idle.push(Idle { connection, since: Instant::now() });
        }
    }

    /// Closes what has been idle for too long.
    pub(super) fn sweep(&self, idle_timeout: Duration) {
        let idle_timeout = self.idle_timeout(idle_timeout);
        self.idle.borrow_mut().retain(|idle| idle.since.elapsed() < idle_timeout);
        self.http2.sweep(idle_timeout);
    }
}

/// A request in flight at an endpoint.
pub(super) struct Counted {
    endpoint: Rc<Endpoint>,
    _place: Option<Place>,
}

impl Counted {
    pub(super) fn endpoint(&self) -> &Rc<Endpoint> {
        &self.endpoint
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.endpoint.in_flight.set(self.endpoint.in_flight.get().saturating_sub(1));
    }
}
