//! Stopping without losing work: nothing new is accepted, what is under way finishes, and a deadline ends the rest.

use crate::timer;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;
use tokio::sync::Notify;

/// An idle connection is not closed the moment that a drain begins: a request on its way would be lost, and HTTP/1 has
/// no word to prevent that. One that comes within this time is answered, and its answer says that it is the last.
pub(crate) const LAST_REQUEST_WITHIN: Duration = Duration::from_secs(1);

/// The drain of one worker, or of one listener's connections on it.
#[derive(Debug, Default)]
pub struct Drain {
    begun: Cell<bool>,
    refuses: Cell<bool>,
    open: Cell<usize>,
    work: Works,
    changed: Notify,
    closed: Notify,
    parent: Option<Rc<Drain>>,
    children: RefCell<Vec<Weak<Drain>>>,
}

/// What a request is to those that wait for its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// It ends by itself.
    Request,
    /// A stream of events, which goes on until somebody leaves.
    Stream,
    /// A WebSocket, or another tunnel.
    Tunnel,
}

/// How much work is under way, by its kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UnderWay {
    /// Requests that end by themselves.
    pub requests: usize,
    /// Streams of events.
    pub streams: usize,
    /// WebSockets.
    pub websockets: usize,
}

#[derive(Debug, Default)]
struct Works([Cell<usize>; 3]);

impl Works {
    fn change(&self, work: Work, change: impl Fn(usize) -> usize) {
        let count = &self.0[work as usize];
        count.set(change(count.get()));
    }
}

impl Drain {
    /// Nothing open, not begun.
    #[must_use]
    pub fn new() -> Rc<Self> {
        Rc::default()
    }

    /// One that begins with this one at the latest, and whose connections are open for both.
    #[must_use]
    pub fn child(self: &Rc<Self>) -> Rc<Self> {
        let child = Rc::new(Self { parent: Some(Rc::clone(self)), ..Self::default() });
        if self.has_begun() {
            child.begin();
        }
        let mut children = self.children.borrow_mut();
        children.retain(|child| child.strong_count() > 0);
        children.push(Rc::downgrade(&child));
        child
    }

    /// Stops accepting, tells every connection, and wakes those that wait.
    pub fn begin(&self) {
        self.begun.set(true);
        self.stop_accepting();
        self.children.borrow().iter().filter_map(Weak::upgrade).for_each(|child| child.begin());
        timer::wake_all();
    }

    /// Stops accepting; connections go on.
    pub fn stop_accepting(&self) {
        self.refuses.set(true);
        self.changed.notify_waiters();
    }

    /// Whether the drain has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.begun.get()
    }

    /// Waits until nothing more is to be accepted.
    pub async fn accepting_ends(&self) {
        let mut changed = std::pin::pin!(self.changed.notified());
        // Registered before the look, so that a change between the two is not missed.
        changed.as_mut().enable();
        if !self.refuses.get() {
            changed.await;
        }
    }

    /// Counts one connection (or other work that a stop waits for) as open until the value is dropped.
    #[must_use]
    pub fn open(self: &Rc<Self>) -> Open {
        self.count_open();
        Open(Rc::clone(self))
    }

    fn count_open(&self) {
        self.open.set(self.open.get() + 1);
        self.parent.iter().for_each(|parent| parent.count_open());
    }

    fn count_closed(&self) {
        self.open.set(self.open.get().saturating_sub(1));
        if self.open.get() == 0 {
            self.closed.notify_waiters();
        }
        self.parent.iter().for_each(|parent| parent.count_closed());
    }

    /// How many are open.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.open.get()
    }

    /// Counts a request as under way until the value is dropped.
    pub(crate) fn work(&self) -> Doing<'_> {
        self.change_work(Work::Request, |count| count + 1);
        Doing { drain: self, work: Cell::new(Work::Request) }
    }

    fn change_work(&self, work: Work, change: impl Fn(usize) -> usize + Copy) {
        // Only the worker's own is asked.
        match &self.parent {
            Some(parent) => parent.change_work(work, change),
            None => self.work.change(work, change),
        }
    }

    /// What is under way.
    #[must_use]
    pub fn under_way(&self) -> UnderWay {
        let [requests, streams, websockets] = &self.work.0;
        UnderWay { requests: requests.get(), streams: streams.get(), websockets: websockets.get() }
    }

    /// Waits until nothing is open.
    pub async fn all_closed(&self) {
        while self.open.get() > 0 {
            let mut closed = std::pin::pin!(self.closed.notified());
            closed.as_mut().enable();
            if self.open.get() == 0 {
                return;
            }
            closed.await;
        }
    }
}

/// Something that a stop waits for.
#[derive(Debug)]
pub struct Open(Rc<Drain>);

impl Open {
    /// The drain that waits for it.
    #[must_use]
    pub fn drain(&self) -> &Rc<Drain> {
        &self.0
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.count_closed();
    }
}

/// A request that is under way.
#[derive(Debug)]
pub(crate) struct Doing<'a> {
    drain: &'a Drain,
    work: Cell<Work>,
}

impl Doing<'_> {
    /// Says what it has turned out to be, now that there is an answer.
    pub(crate) fn is(&self, work: Work) {
        self.drain.change_work(self.work.replace(work), |count| count.saturating_sub(1));
        self.drain.change_work(work, |count| count + 1);
    }
}

impl Drop for Doing<'_> {
    fn drop(&mut self) {
        self.drain.change_work(self.work.get(), |count| count.saturating_sub(1));
    }
}

impl Work {
    /// What the request of this answer is.
    pub(crate) fn of<B>(response: &http::Response<B>, switches: bool) -> Self {
        let is_events = |value: &http::HeaderValue| {
            let essence = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
            essence.trim_ascii().eq_ignore_ascii_case(b"text/event-stream")
        };
        if switches {
            Self::Tunnel
        } else if response.headers().get(http::header::CONTENT_TYPE).is_some_and(is_events) {
            Self::Stream
        } else {
            Self::Request
        }
    }
}

impl std::ops::AddAssign for UnderWay {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.streams += other.streams;
        self.websockets += other.websockets;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn a_drain_waits_for_all_that_is_open() {
        let drain = Drain::new();
        let (first, second) = (drain.open(), drain.open());
        drain.begin();
        drain.accepting_ends().await;
        let closing = async {
            drop(first);
            tokio::task::yield_now().await;
            assert_eq!(drain.open_count(), 1);
            drop(second);
        };
        tokio::join!(drain.all_closed(), closing);
    }

    #[test]
    fn a_listener_drains_alone_or_with_its_worker() {
        let worker = Drain::new();
        let (removed, kept) = (worker.child(), worker.child());
        let open = (removed.open(), kept.open());
        assert_eq!((worker.open_count(), removed.open_count()), (2, 1));
        removed.begin();
        assert!(removed.has_begun() && !kept.has_begun() && !worker.has_begun());
        let doing = kept.work();
        doing.is(Work::Stream);
        assert_eq!(worker.under_way(), UnderWay { streams: 1, ..UnderWay::default() });
        worker.begin();
        assert!(kept.has_begun() && worker.child().has_begun());
        drop((doing, open));
        assert_eq!((worker.open_count(), worker.under_way()), (0, UnderWay::default()));
    }
}
