//! From an endpoint's name to addresses, asked again while the proxy runs.
//!
//! A name is resolved when a connection is needed and the last answer is older than the configured time. A name that
//! is missing at start is no error; requests say so until it appears. When a later lookup fails, the last good answer
//! goes on being used.

use crate::config::EndpointAddress;
use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::time::Instant;

/// More addresses of one name are not tried.
const ADDRESSES_MAX: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Resolved {
    last: RefCell<Option<(Instant, Vec<SocketAddr>)>>,
}

impl Resolved {
    /// The addresses to try, in the resolver's order.
    ///
    /// # Errors
    /// When the name has never been resolved and can't be now.
    pub(super) async fn addresses(&self, host: &str, port: u16, every: Duration) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let known = self.last.borrow().clone();
        if let Some((at, addresses)) = &known
            && at.elapsed() < every
        {
            return Ok(addresses.clone());
        }
        let looked_up =
            tokio::net::lookup_host((host, port)).await.map(|found| found.take(ADDRESSES_MAX).collect::<Vec<_>>());
        match looked_up {
            Ok(addresses) if !addresses.is_empty() => {
                *self.last.borrow_mut() = Some((Instant::now(), addresses.clone()));
                Ok(addresses)
            }
            failed => match known {
                Some((_, addresses)) => Ok(addresses),
                None => Err(failed
                    .err()
                    .unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))),
            },
        }
    }
}

/// The text of an endpoint, for logs, and its name towards a link.
#[must_use]
pub fn display(address: &EndpointAddress) -> String {
    match address {
        EndpointAddress::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
        EndpointAddress::Tcp { host, port } => format!("{host}:{port}"),
        EndpointAddress::Unix(path) => format!("unix:{}", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn literals_are_taken_and_names_remembered() {
        let resolved = Resolved::default();
        let every = Duration::from_secs(60);
        assert_eq!(resolved.addresses("::1", 80, every).await.expect("a literal"), ["[::1]:80".parse().expect("one")]);
        assert!(resolved.last.borrow().is_none());
        let found = resolved.addresses("localhost", 80, every).await.expect("localhost");
        assert!(found.iter().all(|address| address.ip().is_loopback()));
        // A lookup that fails later uses what was known.
        let stale = resolved.addresses("no-such-name.invalid", 80, Duration::ZERO).await.expect("the last answer");
        assert_eq!(stale, found);
        assert!(Resolved::default().addresses("no-such-name.invalid", 80, every).await.is_err());
    }
}
