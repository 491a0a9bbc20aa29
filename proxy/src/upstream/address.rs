//! Where endpoints are: as written, and as found under a name.

use crate::config::EndpointAddress;
use std::net::SocketAddr;

/// More addresses of one name are not used.
pub(super) const ADDRESSES_MAX: usize = 64;

/// One address that a name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Whom it is asked as.
    pub(super) address: EndpointAddress,
    /// `None` for a Unix socket.
    pub(super) socket: Option<SocketAddr>,
    /// What an SRV record says of its share.
    pub(super) weight: Option<u32>,
}

/// The text of an endpoint, for logs, and its name towards a link.
#[must_use]
pub fn display(address: &EndpointAddress) -> String {
    match address {
        EndpointAddress::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
        EndpointAddress::Tcp { host, port } => format!("{host}:{port}"),
        EndpointAddress::Unix(path) => format!("unix:{}", path.display()),
        EndpointAddress::Srv(name) => format!("srv:{name}"),
    }
}
