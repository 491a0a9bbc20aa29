//! What an open connection takes of what there is only so much of, given back when its stream is dropped.

use crate::clients::Place;
use crate::counters::ConnectionCounters;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// An accepted connection, counted as open until this is dropped.
pub(crate) struct Accepted(Arc<ConnectionCounters>);

impl Accepted {
    pub(crate) fn count(counters: &Arc<ConnectionCounters>) -> Self {
        counters.accepted.increment();
        Self(Arc::clone(counters))
    }
}

impl Drop for Accepted {
    fn drop(&mut self) {
        self.0.closed.increment();
    }
}

/// What an open connection holds, for as long as its stream lives: an upgraded stream outlives its HTTP connection.
pub(crate) struct Held {
    /// One of the server's slots.
    pub(crate) _slot: OwnedSemaphorePermit,
    /// One of the client's connections.
    pub(crate) _place: Option<Place>,
    /// Its part in the number of open connections.
    pub(crate) accepted: Accepted,
}

impl Held {
    /// Where the connection's bytes are counted.
    pub(crate) fn counters(&self) -> &Arc<ConnectionCounters> {
        &self.accepted.0
    }
}
