//! The HTTP/2 connections of one endpoint and worker.

use super::connection::{Connection, Slot};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::Notify;

/// Connections to one endpoint; further requests wait for a place.
const CONNECTIONS_MAX: usize = 64;

/// Connections, the oldest first.
#[derive(Default)]
pub(in crate::upstream) struct Connections {
    list: RefCell<Vec<Rc<Connection>>>,
    opening: Cell<bool>,
    changed: Rc<Notify>,
}

impl Connections {
    /// A place on a connection that is open already. The oldest with room: the others fall idle and close.
    pub(in crate::upstream) fn take(&self) -> Option<Slot> {
        let mut list = self.list.borrow_mut();
        list.retain(|connection| connection.is_open());
        list.iter().find(|connection| connection.has_room()).map(Slot::take)
    }

    /// Leave to open a connection. `None`: somebody else is opening one, or there are as many as may be.
    pub(in crate::upstream) fn begin(&self) -> Option<Opening<'_>> {
        let may = !self.opening.get() && self.list.borrow().len() < CONNECTIONS_MAX;
        may.then(|| {
            self.opening.set(true);
            Opening(self)
        })
    }

    /// Waits until a place has become free, or a connection has been opened or has failed.
    pub(in crate::upstream) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// For new connections, which tell by it what changes.
    pub(in crate::upstream) fn notify(&self) -> Rc<Notify> {
        Rc::clone(&self.changed)
    }

    /// Keeps a new connection, and takes the first place on it.
    pub(in crate::upstream) fn add(&self, connection: Rc<Connection>) -> Slot {
        let slot = Slot::take(&connection);
        self.list.borrow_mut().push(connection);
        slot
    }

    /// Whether requests wait because every place is taken, and not for a connection that is being opened.
    pub(in crate::upstream) fn is_full(&self) -> bool {
        !self.opening.get() && self.list.borrow().len() >= CONNECTIONS_MAX
    }

    /// Closes what has been idle for too long.
    pub(in crate::upstream) fn sweep(&self, idle_timeout: Duration) {
        let mut list = self.list.borrow_mut();
        list.retain(|connection| connection.is_open() && !connection.is_idle_since(idle_timeout));
    }
}

/// A connection is being opened. One at a time: when many requests come at once to an endpoint without a connection,
/// one opens it and the others share it.
pub(in crate::upstream) struct Opening<'a>(&'a Connections);

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.0.opening.set(false);
        self.0.changed.notify_waiters();
    }
}
