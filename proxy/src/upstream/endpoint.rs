//! One endpoint as a worker knows it: its address, requests in flight, idle connections.

use super::connection::Connection;
use super::host;
use super::resolve::{self, Resolved};
use crate::config::EndpointAddress;
use http::HeaderValue;
use serve::timer;
use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::Instant;

/// An endpoint that could not be reached is asked last for this long.
const AVOIDED_FOR: Duration = Duration::from_secs(1);

pub(super) struct Endpoint {
    address: EndpointAddress,
    /// For logs.
    pub(super) label: Rc<str>,
    /// Its own name, for `Host`.
    pub(super) host: HeaderValue,
    resolved: Resolved,
    /// The address that answered last.
    good: Cell<Option<SocketAddr>>,
    in_flight: Cell<usize>,
    avoided_until: Cell<Option<Instant>>,
    /// The most recently used last.
    idle: RefCell<Vec<Idle>>,
}

struct Idle {
    connection: Box<Connection>,
    since: Instant,
}

impl Endpoint {
    pub(super) fn new(address: EndpointAddress) -> Self {
        let label = resolve::display(&address).into();
        let host = host::of_endpoint(&address);
        Self {
            address,
            label,
            host,
            resolved: Resolved::default(),
            good: Cell::new(None),
            in_flight: Cell::new(0),
            avoided_until: Cell::new(None),
            idle: RefCell::default(),
        }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.get()
    }

    pub(super) fn is_avoided(&self) -> bool {
        self.avoided_until.get().is_some_and(|until| Instant::now() < until)
    }

    /// Counts a request until the value is dropped.
    pub(super) fn count(self: &Rc<Self>) -> Counted {
        self.in_flight.set(self.in_flight.get() + 1);
        Counted(Rc::clone(self))
    }

    /// A connection that has been used before and still lives, [`Connection::is_usable`] says how surely; the warmest
    /// first.
    pub(super) fn take_idle(&self, idle_timeout: Duration, surely: bool) -> Option<Box<Connection>> {
        loop {
            let Idle { mut connection, since } = self.idle.borrow_mut().pop()?;
            if since.elapsed() < idle_timeout && connection.is_usable(surely) {
                return Some(connection);
            }
        }
    }

    /// Opens a connection to the first address that answers, beginning with the one that did so last. Each address has
    /// its share of `limit`, so that one behind a silent firewall doesn't use up the time of the others.
    /// A connection begins with `prelude`.
    pub(super) async fn connect(
        &self,
        resolve_every: Duration,
        limit: Duration,
        prelude: &[u8],
    ) -> io::Result<Box<Connection>> {
        let connected = match &self.address {
            EndpointAddress::Unix(path) => Connection::connect_unix(path, prelude).await,
            EndpointAddress::Tcp { host, port } => {
                let mut addresses = self.resolved.addresses(host, *port, resolve_every).await?;
                let good = self.good.get();
                addresses.sort_by_key(|address| Some(*address) != good);
                self.connect_first(&addresses, limit, prelude).await
            }
        }?;
        self.avoided_until.set(None);
        Ok(connected)
    }

    async fn connect_first(
        &self,
        addresses: &[SocketAddr],
        limit: Duration,
        prelude: &[u8],
    ) -> io::Result<Box<Connection>> {
        let share = limit / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for &address in addresses {
            last = match timer::timeout(share, Connection::connect_tcp(address, prelude)).await {
                Ok(Ok(connection)) => {
                    self.good.set(Some(address));
                    return Ok(connection);
                }
                Ok(Err(error)) => error,
                Err(timer::Elapsed) => io::ErrorKind::TimedOut.into(),
            };
        }
        Err(last)
    }

    /// Notes that no connection could be made.
    pub(super) fn avoid(&self) {
        self.avoided_until.set(Some(Instant::now() + AVOIDED_FOR));
    }

    /// Keeps a connection for the next request, unless it is full or broken.
    pub(super) fn give_back(&self, connection: Box<Connection>, idle_max: usize) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < idle_max {
            idle.push(Idle { connection, since: Instant::now() });
        }
    }

    /// Closes what has been idle for too long; returns whether anything is left.
    pub(super) fn sweep(&self, idle_timeout: Duration) -> bool {
        let mut idle = self.idle.borrow_mut();
        idle.retain(|idle| idle.since.elapsed() < idle_timeout);
        !idle.is_empty()
    }
}

/// A request in flight at an endpoint.
pub(super) struct Counted(Rc<Endpoint>);

impl Counted {
    pub(super) fn endpoint(&self) -> &Rc<Endpoint> {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.in_flight.set(self.0.in_flight.get().saturating_sub(1));
    }
}
