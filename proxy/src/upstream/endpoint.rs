//! One endpoint as a worker knows it: its address, requests in flight, connections.

use super::balance::Latency;
use super::connection::Connection;
use super::dial::{self, DialError, Dialer, Spoken, Transport};
use super::gate::{self, Door, Gate};
use super::group::Group;
use super::health::{Counts, Health, Standing};
use super::host;
use super::http2;
use super::member::Member;
use super::outcome::Outcome;
use super::stream::Stream;
use crate::config::EndpointAddress;
use crate::link::EndpointLink;
use http::uri::Scheme;
use http::{HeaderValue, StatusCode};
use std::cell::{Cell, OnceCell, RefCell};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// An endpoint that could not be reached is asked last for this long, and for twice as long each further time.
const AVOIDED_FOR: Duration = Duration::from_secs(1);
const AVOIDED_FOR_MAX: Duration = Duration::from_secs(8);

pub(super) struct Endpoint {
    place: Place,
    /// The group of the current revision, and what it knows of this place.
    group: RefCell<(Arc<Group>, Arc<Member>)>,
    /// The same as of that member, of which it is a part for good.
    health: Arc<Health>,
    counts: Arc<Counts>,
    latency: Latency,
    /// Whether anybody asks for the latency.
    measures: Cell<bool>,
    dialer: Dialer,
    /// For logs.
    pub(super) label: Rc<str>,
    /// Its own name, for `Host`.
    pub(super) host: HeaderValue,
    avoided_until: Cell<Option<Instant>>,
    avoided_for: Cell<Duration>,
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

enum Place {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Place {
    const fn socket(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(socket) => Some(*socket),
            Self::Unix(_) => None,
        }
    }
}

struct Idle {
    connection: Box<Connection>,
    since: Instant,
}

impl Endpoint {
    /// As a member of a group is reached by this worker; `None` when it is no place that can be connected to.
    pub(super) fn new(group: &Arc<Group>, member: &Arc<Member>, transport: Transport) -> Option<Self> {
        let place = match (&member.address, member.socket) {
            (EndpointAddress::Unix(path), _) => Place::Unix(path.clone()),
            (_, Some(socket)) => Place::Tcp(socket),
            _ => return None,
        };
        let dialer = Dialer::new(&member.address, transport);
        Some(Self {
            agreed: Cell::new(dialer.spoken()),
            http2: http2::Connections::default(),
            health: Arc::clone(&member.health),
            counts: member.health.counts(),
            latency: Latency::default(),
            measures: Cell::new(false),
            group: RefCell::new((Arc::clone(group), Arc::clone(member))),
            label: member.label().into(),
            host: host::of_endpoint(&member.address),
            place,
            dialer,
            avoided_until: Cell::new(None),
            avoided_for: Cell::new(AVOIDED_FOR),
            told: RefCell::new(None),
            door: OnceCell::new(),
            idle: RefCell::default(),
        })
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
        self.counts.in_flight()
    }

    /// How long it takes to answer, in seconds.
    pub(super) fn latency(&self) -> f64 {
        self.latency.seconds()
    }

    /// Percent of its weight that it gets now.
    pub(super) fn share(&self) -> u32 {
        self.health.share()
    }

    /// Whether it is this member's place, with all that is known of it: an address that was gone begins anew.
    pub(super) fn is_of(&self, member: &Member) -> bool {
        Arc::ptr_eq(&self.health, &member.health)
    }

    /// Belongs to another revision from now on, and tells of itself there.
    pub(super) fn join(
        &self,
        group: &Arc<Group>,
        member: &Arc<Member>,
        told: Option<Arc<EndpointLink>>,
        measures: bool,
    ) {
        self.measures.set(measures);
        *self.group.borrow_mut() = (Arc::clone(group), Arc::clone(member));
        *self.told.borrow_mut() = told;
    }

    /// The configured limit, or less where the endpoint itself closes sooner.
    fn idle_timeout(&self, configured: Duration) -> Duration {
        let told = self.told.borrow().as_ref().and_then(|told| told.idle_timeout());
        told.map_or(configured, |told| told.min(configured))
    }

    /// Whether it is asked only when no other is left: it can't be reached, is not well, or has said that it is about to
    /// stop.
    pub(super) fn is_avoided(&self) -> bool {
        self.told.borrow().as_ref().is_some_and(|told| told.is_draining_at(self.place.socket()))
            || self.avoided_until.get().is_some_and(|until| Instant::now() < until)
            || match self.health.standing() {
                Standing::In => false,
                Standing::Trial => self.in_flight() > 0,
                Standing::Out => true,
            }
    }

    /// Whether it has said that it stops and is still there: what is sent to it now may be lost with it.
    pub(super) fn is_stopping(&self) -> bool {
        let told = self.told.borrow();
        told.as_ref().is_some_and(|told| told.is_draining_at(self.place.socket()) && told.is_connected())
    }

    /// Whether its process is there and means to stay, but probes of it fail.
    pub(super) fn is_unwell(&self) -> bool {
        let is_there = |told: &EndpointLink| told.is_connected() && !told.is_draining_at(self.place.socket());
        self.is_down() && self.told.borrow().as_ref().is_some_and(|told| is_there(told))
    }

    /// Whether probes of it fail.
    pub(super) fn is_down(&self) -> bool {
        self.health.is_down()
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
    pub(super) fn count(self: &Rc<Self>, place: Option<gate::Place>) -> Counted {
        self.counts.begun.increment();
        Counted { endpoint: Rc::clone(self), _place: place }
    }

    /// A connection that has been used before and still lives, [`Connection::is_usable`] says how surely; the warmest
    /// first. `now` is read once per attempt.
    pub(super) fn take_idle(&self, idle_timeout: Duration, surely: bool, now: Instant) -> Option<Box<Connection>> {
        let idle_timeout = self.idle_timeout(idle_timeout);
        loop {
            let Idle { mut connection, since } = self.idle.borrow_mut().pop()?;
            if now.saturating_duration_since(since) < idle_timeout && connection.is_usable(surely) {
                return Some(connection);
            }
        }
    }

    /// A new connection, or a place on a shared one that has become free or has been opened meanwhile.
    /// A connection begins with `prelude`. `waits` is true while nothing is heard of the other side.
    pub(super) async fn connect(&self, prelude: &[u8], waits: &Cell<bool>) -> Result<Link, DialError> {
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
        let opened = match &self.place {
            Place::Unix(path) => self.open(self.dialer.unix(path, prelude).await?).await,
            Place::Tcp(socket) => {
                waits.set(true);
                let stream = dial::tcp(*socket).await;
                waits.set(false);
                self.open(self.dialer.tcp(stream?, prelude).await?).await
            }
        }?;
        self.avoided_until.set(None);
        self.avoided_for.set(AVOIDED_FOR);
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
            Outcome::Unreachable => {
                self.avoid();
                self.note_failure();
            }
            Outcome::Failed => self.note_failure(),
            Outcome::Outrun { after } => self.latency.at_least(after, Instant::now()),
            Outcome::Answered { status, headers, after, now } => {
                if self.measures.get() {
                    self.latency.answered(after, headers, now);
                }
                if is_failure(status) {
                    self.note_failure_answered();
                    return;
                }
                self.counts.good.increment();
                if self.health.is_troubled() {
                    let (group, member) = &*self.group.borrow();
                    group.succeeded(member);
                }
            }
        }
    }

    /// It is asked last for a while, and its name is looked up again.
    fn avoid(&self) {
        let avoided_for = self.avoided_for.get();
        self.avoided_until.set(Some(Instant::now() + avoided_for));
        self.avoided_for.set((avoided_for * 2).min(AVOIDED_FOR_MAX));
        self.look_again();
    }

    /// Asks for a lookup of its name.
    pub(super) fn look_again(&self) {
        let (group, member) = &*self.group.borrow();
        group.want(member.part);
    }

    /// Whether both are addresses of one name.
    pub(super) fn shares_name(&self, other: &Self) -> bool {
        let (own, others) = (&self.group.borrow().1, &other.group.borrow().1);
        own.part == others.part && own.address == others.address
    }

    /// Whether both are addresses of one family.
    pub(super) fn shares_family(&self, other: &Self) -> bool {
        let is_ipv4 = |endpoint: &Self| endpoint.place.socket().map(|socket| socket.is_ipv4());
        is_ipv4(self) == is_ipv4(other)
    }

    fn note_failure(&self) {
        self.latency.failed(Instant::now());
        self.note_failure_answered();
    }

    fn note_failure_answered(&self) {
        self.counts.bad.increment();
        let (group, member) = &*self.group.borrow();
        group.failed(member);
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

/// Answers of a server that has nobody to answer, or no time. Others may be what a client has asked for.
const fn is_failure(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
}

/// A request in flight at an endpoint.
pub(super) struct Counted {
    endpoint: Rc<Endpoint>,
    _place: Option<gate::Place>,
}

impl Counted {
    pub(super) fn endpoint(&self) -> &Rc<Endpoint> {
        &self.endpoint
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.endpoint.counts.ended.increment();
    }
}
