//! One endpoint as the whole process knows it.

use super::address::{Found, display};
use super::health::Health;
use crate::config::EndpointAddress;
use std::net::SocketAddr;
use std::sync::Arc;

/// An address that requests are sent to. A name has as many members as it has addresses.
#[derive(Debug)]
pub struct Member {
    /// The endpoint as the operator wrote it.
    pub written: Arc<str>,
    /// Which of the written endpoints it is.
    pub(super) part: usize,
    /// Whom `Host` and certificate name: as written, or the target of an SRV record.
    pub(super) address: EndpointAddress,
    /// Where it listens; `None` for a Unix socket.
    pub(super) socket: Option<SocketAddr>,
    /// Its share, beside those of the others.
    pub weight: u32,
    /// What its SRV record said of it.
    pub(super) own_weight: Option<u32>,
    /// Where it runs.
    pub zone: Option<Arc<str>>,
    pub(super) health: Arc<Health>,
}

impl Member {
    /// Where it listens, for logs and metrics.
    #[must_use]
    pub fn label(&self) -> String {
        self.socket.map_or_else(|| display(&self.address), |socket| socket.to_string())
    }

    /// Where it listens; `None` for a Unix socket.
    #[must_use]
    pub const fn socket(&self) -> Option<SocketAddr> {
        self.socket
    }

    /// Requests in flight there, over all workers.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.health.in_flight()
    }

    /// How often it was ejected, and how many probes of it have failed.
    #[must_use]
    pub fn counted(&self) -> (u64, u64) {
        self.health.counted()
    }

    /// How it is: `up`, `slow_start`, `trial`, `ejected` or `down`; and why it is or was not well.
    #[must_use]
    pub fn state(&self) -> (&'static str, Option<String>) {
        self.health.said()
    }

    /// Whether both are one place under one name.
    pub(super) fn is_at(&self, other: &Self) -> bool {
        (&self.address, self.socket) == (&other.address, other.socket)
    }

    /// What it was made of.
    pub(super) fn found(&self) -> Found {
        Found { address: self.address.clone(), socket: self.socket, weight: self.own_weight }
    }
}
