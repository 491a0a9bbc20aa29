//! The PROXY protocol, versions 1 and 2: a load balancer that passes bytes on says first whose bytes they are.
//!
//! HAProxy's proxy-protocol.txt is the standard. Whether a connection begins with a header is never guessed from its
//! bytes (section 5 there): it is decided by who connects, which is [`Senders`]. Everything here but `read.rs` is a pure
//! function of bytes.

mod checksum;
mod read;
mod v1;
mod v2;

pub(crate) use read::read;

use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// A header that is longer is refused, in bytes. The longest addresses (AF_UNIX) take 232; the rest is for extensions,
/// of which load balancers send a few hundred bytes.
pub const HEADER_BYTES_MAX: usize = 4096;

/// How a header is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// One line of text.
    V1,
    /// Binary.
    V2,
}

/// Both ends of the connection that is passed on. IPv4-mapped addresses are IPv4 here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoints {
    /// Who connected.
    pub client: SocketAddr,
    /// What it connected to.
    pub server: SocketAddr,
}

/// Who announces clients by the PROXY protocol on a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Senders {
    /// Peers whose connections begin with a header, and must. Every peer of a Unix socket is one.
    pub from: Vec<IpNet>,
    /// What becomes of other peers.
    pub mode: Mode,
}

/// What becomes of peers that are no [`Senders`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Their connections are closed.
    Required,
    /// They are clients themselves; nothing that they send is read as a header.
    Mixed,
}

impl Senders {
    /// Whether a connection of this peer begins with a header. `None` is the peer of a Unix socket.
    #[must_use]
    pub fn include(&self, peer: Option<IpAddr>) -> bool {
        peer.is_none_or(|peer| self.from.iter().any(|network| network.contains(&peer)))
    }
}

/// Why bytes are no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHeader {
    /// The first bytes belong to neither version.
    #[error("no PROXY protocol header")]
    Missing,
    /// The connection ended within it.
    #[error("the PROXY protocol header is cut short")]
    Short,
    /// More than 107 bytes of text or [`HEADER_BYTES_MAX`] of binary.
    #[error("the PROXY protocol header is too long")]
    Long,
    /// Version 1: not exactly the line that section 2.1 prescribes.
    #[error("the PROXY protocol line is malformed")]
    Line,
    /// Version 2: another version, an unassigned command, family or transport, or addresses that do not fit.
    #[error("the PROXY protocol block is malformed")]
    Block,
    /// Version 2: an extension that reaches beyond the header.
    #[error("a PROXY protocol extension is malformed")]
    Extension,
    /// Version 2: the header's own checksum says that it was damaged.
    #[error("the PROXY protocol checksum is wrong")]
    Checksum,
}

/// How far a header reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All bytes belong to it and there are more to come.
    Part,
    /// It is this long, in bytes; what follows belongs to TLS or HTTP.
    Whole(usize),
}

/// Says how much of what has arrived so far is the header.
///
/// # Errors
/// [`BadHeader`] as soon as it is certain that there will be none.
pub fn extent(bytes: &[u8]) -> Result<Extent, BadHeader> {
    if begins(bytes, v2::SIGNATURE) {
        v2::extent(bytes)
    } else if begins(bytes, v1::SIGNATURE) {
        v1::extent(bytes)
    } else {
        Err(BadHeader::Missing)
    }
}

/// Whether `bytes` begin as `signature` does, as far as they reach.
fn begins(bytes: &[u8], signature: &[u8]) -> bool {
    let common = bytes.len().min(signature.len());
    bytes[..common] == signature[..common]
}

/// Reads a header, all of it and nothing else.
///
/// `None`: the sender speaks for itself (a health check), or can't say who the client is. Both ends are then those of
/// the transport connection (sections 2.1 and 2.2).
///
/// # Errors
/// [`BadHeader`].
pub fn parse(header: &[u8]) -> Result<Option<Endpoints>, BadHeader> {
    match extent(header)? {
        Extent::Whole(length) if length == header.len() => {}
        Extent::Whole(_) => return Err(BadHeader::Long),
        Extent::Part => return Err(BadHeader::Short),
    }
    if header.starts_with(v2::SIGNATURE) { v2::parse(header) } else { v1::parse(header) }
}

/// The header that stands before everything else on a new connection. Without both ends it says that they are not
/// known; ends of different families are both written as IPv6.
#[must_use]
pub fn prelude(version: Version, client: Option<SocketAddr>, server: Option<SocketAddr>) -> Vec<u8> {
    let endpoints = client.zip(server).map(|(client, server)| Endpoints { client, server }.canonical());
    match version {
        Version::V1 => v1::write(endpoints),
        Version::V2 => v2::write(endpoints),
    }
}

/// Both addresses in one family.
enum Family {
    V4([std::net::Ipv4Addr; 2]),
    V6([std::net::Ipv6Addr; 2]),
}

impl Endpoints {
    /// Behind an IPv6 socket an IPv4 client is an IPv4 client.
    fn canonical(self) -> Self {
        let canonical = |end: SocketAddr| SocketAddr::new(end.ip().to_canonical(), end.port());
        Self { client: canonical(self.client), server: canonical(self.server) }
    }

    fn family(&self) -> Family {
        let wide = |address| match address {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        match (self.client.ip(), self.server.ip()) {
            (IpAddr::V4(client), IpAddr::V4(server)) => Family::V4([client, server]),
            (client, server) => Family::V6([wide(client), wide(server)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ends(client: &str, server: &str) -> Endpoints {
        Endpoints { client: client.parse().expect("an address"), server: server.parse().expect("an address") }
    }

    #[test]
    fn only_listed_peers_and_local_processes_send_headers() {
        let senders = Senders { from: vec!["10.0.0.0/8".parse().expect("a network")], mode: Mode::Required };
        for (peer, included) in [("10.1.2.3", true), ("11.0.0.1", false), ("::1", false)] {
            assert_eq!(senders.include(peer.parse().ok()), included, "{peer}");
        }
        assert!(senders.include(None));
    }

    #[test]
    fn what_can_be_no_header_is_known_at_once() {
        for bytes in ["G", "PROXYx", "\r\n\r\nx", "\x16\x03\x01", "proxy "] {
            assert_eq!(extent(bytes.as_bytes()), Err(BadHeader::Missing), "{bytes:?}");
        }
        for bytes in ["", "P", "PROXY", "PROXY TCP4 1", "\r\n", "\r\n\r\n\0\r\nQUIT\n"] {
            assert_eq!(extent(bytes.as_bytes()), Ok(Extent::Part), "{bytes:?}");
        }
    }

    #[test]
    fn ends_of_two_families_are_told_as_ipv6_and_understood() {
        let mixed = ends("192.0.2.1:1", "[2001:db8::1]:443");
        for version in [Version::V1, Version::V2] {
            let written = prelude(version, Some(mixed.client), Some(mixed.server));
            assert_eq!(parse(&written), Ok(Some(mixed)), "{version:?}");
        }
    }

    #[test]
    fn who_is_not_known_is_not_told() {
        for version in [Version::V1, Version::V2] {
            assert_eq!(parse(&prelude(version, None, "127.0.0.1:80".parse().ok())), Ok(None), "{version:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(client: IpAddr, server: IpAddr, ports: (u16, u16), rest: Vec<u8>) {
            let told = Endpoints {
                client: SocketAddr::new(client, ports.0), server: SocketAddr::new(server, ports.1)
            }.canonical();
            for version in [Version::V1, Version::V2] {
                let header = prelude(version, Some(told.client), Some(told.server));
                prop_assert_eq!(parse(&header), Ok(Some(told)));
                for cut in 0..header.len() {
                    prop_assert_eq!(extent(&header[..cut]), Ok(Extent::Part));
                    prop_assert_eq!(parse(&header[..cut]), Err(BadHeader::Short));
                }
                let followed = [&header[..], &rest].concat();
                prop_assert_eq!(extent(&followed), Ok(Extent::Whole(header.len())));
            }
        }

        #[test]
        fn no_bytes_panic(start in 0..3_usize, bytes: Vec<u8>) {
            let starts: [&[u8]; 3] = [b"", v1::SIGNATURE, v2::SIGNATURE];
            let bytes = [starts[start], &bytes].concat();
            if let Ok(Extent::Whole(length)) = extent(&bytes) {
                prop_assert!(length <= bytes.len().min(HEADER_BYTES_MAX));
                let _ = parse(&bytes[..length]);
            }
        }
    }
}
