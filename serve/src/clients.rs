//! How many connections each client has open, over all workers.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The open connections of each client, with a bound for each.
///
/// One lock for all: it is held for one look into a table, at the beginning and at the end of a connection, which
/// costs each some microseconds of system calls besides. There are never more entries than open connections.
#[derive(Debug)]
pub struct Clients {
    connections_max: NonZeroU32,
    open: Mutex<HashMap<Client, NonZeroU32>>,
}

/// Whom something is counted for. A household or a host has an IPv6 network of 64 bits and may choose any address
/// in it (RFC 6177, RFC 4291 section 2.5.4), so counting addresses would bound nothing there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// An IPv4 address, also one that was written as IPv6.
    V4([u8; 4]),
    /// The first 64 bits of an IPv6 address.
    V6Network([u8; 8]),
}

impl Hash for Client {
    /// A number each: to hash the bytes and what stands around them takes twice as long.
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::V4(octets) => state.write_u32(u32::from_ne_bytes(*octets)),
            Self::V6Network(octets) => state.write_u64(u64::from_ne_bytes(*octets)),
        }
    }
}

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::V6Network([a, b, c, d, e, f, g, h])
            }
        }
    }
}

impl Clients {
    /// Nobody is connected; each client may have so many connections.
    #[must_use]
    pub fn new(connections_max: NonZeroU32) -> Arc<Self> {
        Arc::new(Self { connections_max, open: Mutex::default() })
    }

    /// Counts a connection of this client until the value is dropped.
    ///
    /// # Errors
    /// When the client has as many as it may.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Result<Place, TooMany> {
        let client = Client::from(address);
        let mut open = self.open();
        match open.entry(client) {
            Entry::Vacant(none) => {
                none.insert(NonZeroU32::MIN);
            }
            Entry::Occupied(count) if *count.get() >= self.connections_max => return Err(TooMany),
            Entry::Occupied(mut count) => *count.get_mut() = count.get().saturating_add(1),
        }
        drop(open);
        Ok(Place { clients: Arc::clone(self), client })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Client, NonZeroU32>> {
        // Nothing panics while it is held; if something did, the counts would still be whole.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client has as many connections as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client has too many connections")]
pub struct TooMany;

/// One counted connection of a client.
#[derive(Debug)]
pub struct Place {
    clients: Arc<Clients>,
    client: Client,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.clients.open();
        let Some(count) = open.get_mut(&self.client) else { return };
        match NonZeroU32::new(count.get() - 1) {
            Some(left) => *count = left,
            None => drop(open.remove(&self.client)),
        }
    }
}

/// The bound on connections of one client, as an acceptor applies it.
#[derive(Clone)]
pub struct ClientLimit {
    /// Shared by all workers.
    pub clients: Arc<Clients>,
    /// Whether connections of this address carry many clients. A proxy's are not counted: the bound of one client
    /// would be one for all of them.
    pub is_proxy: Rc<dyn Fn(IpAddr) -> bool>,
}

impl ClientLimit {
    /// Counts a connection, unless it is exempt.
    pub(crate) fn enter(&self, client: Option<IpAddr>) -> Result<Option<Place>, TooMany> {
        match client.filter(|client| !(self.is_proxy)(*client)) {
            Some(client) => self.clients.enter(client).map(Some),
            None => Ok(None),
        }
    }
}

impl fmt::Debug for ClientLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientLimit").field("clients", &self.clients).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn two_each() -> Arc<Clients> {
        Clients::new(NonZeroU32::MIN.saturating_add(1))
    }

    #[test]
    fn each_client_has_its_own_bound_and_a_closed_connection_makes_room() {
        let clients = two_each();
        let first = clients.enter(ip("192.0.2.1"));
        let second = clients.enter(ip("::ffff:192.0.2.1"));
        assert!(first.is_ok() && second.is_ok());
        assert!(clients.enter(ip("192.0.2.1")).is_err());
        assert!(clients.enter(ip("192.0.2.2")).is_ok());
        drop(first);
        assert!(clients.enter(ip("192.0.2.1")).is_ok());
        drop(second);
        assert!(clients.open().is_empty(), "who has left is forgotten");
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        let clients = two_each();
        let _held = [clients.enter(ip("2001:db8:0:1::1")), clients.enter(ip("2001:db8:0:1:ffff::2"))];
        assert!(clients.enter(ip("2001:db8:0:1::3")).is_err());
        assert!(clients.enter(ip("2001:db8:0:2::1")).is_ok());
    }

    #[test]
    fn proxies_and_local_processes_are_not_counted() {
        let limit = ClientLimit { clients: Clients::new(NonZeroU32::MIN), is_proxy: Rc::new(|ip| ip.is_loopback()) };
        let held: Vec<_> = (0..3).flat_map(|_| [limit.enter(None), limit.enter(Some(ip("127.0.0.1")))]).collect();
        assert!(held.iter().all(|place| matches!(place, Ok(None))));
        let counted = limit.enter(Some(ip("192.0.2.1")));
        assert!(matches!(counted, Ok(Some(_))));
        assert!(limit.enter(Some(ip("192.0.2.1"))).is_err());
    }
}
