//! Who the client is when other proxies stand before this one, and how that is told to the next hop.
//!
//! `Forwarded` (RFC 7239) and the older `X-Forwarded-For`, `-Proto` and `-Host` are written by anybody, so they count
//! only when the peer is a proxy that the operator trusts, and are read from the right: the first address that is no
//! trusted proxy is the client. From an untrusted peer all of them are dropped.

mod claims;
mod hops;
#[cfg(test)]
mod tests;

pub use self::claims::is_claim;

use self::hops::{hops, told_port};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use ipnet::IpNet;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::num::NonZeroU16;

/// The client and all hops, comma-separated, the nearest last.
pub static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// RFC 7239.
static FORWARDED: HeaderName = header::FORWARDED;
/// `http` or `https`, as the client spoke.
pub static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The host that the client asked for.
pub static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// The port that the client connected to.
pub static X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// What the client did, as far as trusted hops tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The client's address: the one truth for limits, logs and the application. `None` behind a Unix socket
    /// without a trusted hop.
    pub client: Option<IpAddr>,
    /// Whether the client spoke TLS.
    pub https: bool,
    /// Whether the peer did, which is the client or the nearest hop.
    pub peer_https: bool,
    /// The hops before this proxy as they are passed on, the client first; empty when the peer is the client.
    pub chain: Vec<IpAddr>,
    /// The port that the client reached.
    pub port: OriginPort,
}

/// Which port the client reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OriginPort {
    /// The peer is the client: the port of its connection.
    Own,
    /// Another, as the trusted hop before this proxy tells; `None` when it does not.
    Told(Option<NonZeroU16>),
}

/// Whether an address is a proxy whose word counts.
#[must_use]
pub fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

/// Reads who the client is. `peer` is `None` on a Unix socket, whose other end is this machine's own and trusted.
#[must_use]
pub fn read(headers: &HeaderMap, peer: Option<IpAddr>, peer_https: bool, trusted: &[IpNet]) -> Origin {
    let direct = Origin { client: peer, https: peer_https, peer_https, chain: Vec::new(), port: OriginPort::Own };
    if peer.is_some_and(|address| !is_trusted(address, trusted)) {
        return direct;
    }
    // From the right: our own peer vouches for the last entry, that entry (if trusted) for the one before.
    let mut chain = Vec::new();
    let mut https = peer_https;
    let hops = hops(headers);
    // The port of our own listener is where a hop has connected to, not the client.
    let port = if hops.is_empty() { OriginPort::Own } else { OriginPort::Told(told_port(headers)) };
    for hop in hops {
        if let Some(told) = hop.https {
            https = told;
        }
        let Some(address) = hop.address else { break };
        chain.push(address);
        if !is_trusted(address, trusted) {
            break;
        }
    }
    chain.reverse();
    Origin { client: chain.first().copied().or(peer), https, peer_https, chain, port }
}

/// Removes every field by which a client could say such a thing, in whatever spelling: see [`is_claim`].
pub fn remove(headers: &mut HeaderMap) {
    claims::remove(headers);
}

/// What this proxy tells the next hop instead, each name once: the chain of trusted hops, then its own peer.
///
/// `host` is the host as the client asked for it and `port` the port of this proxy that was reached, when they are known.
pub fn fields(
    origin: &Origin,
    peer: Option<IpAddr>,
    host: Option<&HeaderValue>,
    port: Option<u16>,
) -> impl Iterator<Item = (&'static HeaderName, HeaderValue)> {
    let (older, newer) = told(origin, peer, host);
    let port = match origin.port {
        OriginPort::Own => port,
        OriginPort::Told(told) => told.map(NonZeroU16::get),
    };
    let scheme = HeaderValue::from_static(name_of_scheme(origin.https));
    let fields = [
        older.map(|value| (&X_FORWARDED_FOR, value)),
        newer.map(|value| (&FORWARDED, value)),
        Some((&X_FORWARDED_PROTO, scheme)),
        host.map(|host| (&X_FORWARDED_HOST, host.clone())),
        port.map(|port| (&X_FORWARDED_PORT, HeaderValue::from(port))),
    ];
    fields.into_iter().flatten()
}

/// The values of `X-Forwarded-For` and of `Forwarded`.
fn told(
    origin: &Origin,
    peer: Option<IpAddr>,
    host: Option<&HeaderValue>,
) -> (Option<HeaderValue>, Option<HeaderValue>) {
    let mut newer = String::with_capacity(112);
    let mut older = String::new();
    // Where there is one address, and it stands as it is in both, the older value is a piece of the newer one.
    let mut only = None;
    match (&*origin.chain, peer) {
        ([], None) => {
            newer.push_str("for=unknown");
            push_scheme(&mut newer, origin.https);
        }
        ([], Some(IpAddr::V4(peer))) => {
            newer.push_str("for=");
            let from = newer.len();
            push_address(&mut newer, IpAddr::V4(peer));
            only = Some(from..newer.len());
            push_scheme(&mut newer, origin.https);
        }
        (chain, peer) => push_hops(&mut older, &mut newer, origin, chain.iter().copied().chain(peer)),
    }
    // A host is a token with `:` and brackets (RFC 9110 section 7.2): quoting needs no escape.
    if let Some(host) = host.and_then(|host| host.to_str().ok()).filter(|host| !host.contains(['"', '\\'])) {
        [";host=\"", host, "\""].into_iter().for_each(|part| newer.push_str(part));
    }
    let newer = Bytes::from(newer);
    let older = match only {
        Some(only) => Some(newer.slice(only)),
        None => (!older.is_empty()).then(|| Bytes::from(older)),
    };
    let value = |text| HeaderValue::from_maybe_shared(text).ok();
    (older.and_then(value), value(newer))
}

/// Appends an element for each hop, the client's first. The last is this proxy's own: of its peer it knows the scheme.
fn push_hops(older: &mut String, newer: &mut String, origin: &Origin, hops: impl Iterator<Item = IpAddr>) {
    let mut address = String::with_capacity(48);
    let mut count = 0;
    for hop in hops {
        address.clear();
        push_address(&mut address, hop);
        for list in [&mut *older, &mut *newer] {
            list.push_str(if list.is_empty() { "" } else { ", " });
        }
        older.push_str(&address);
        // An IPv6 address is no token, so it is quoted (RFC 7239 section 6).
        let (before, after) = if hop.is_ipv6() { ("for=\"[", "]\"") } else { ("for=", "") };
        [before, &address, after].into_iter().for_each(|part| newer.push_str(part));
        // What the client spoke belongs to its own element (RFC 7239 section 5.4).
        if count == 0 {
            push_scheme(newer, origin.https);
        }
        count += 1;
    }
    if count > 1 {
        push_scheme(newer, origin.peer_https);
    }
}

fn push_scheme(element: &mut String, https: bool) {
    element.push_str(";proto=");
    element.push_str(name_of_scheme(https));
}

fn name_of_scheme(https: bool) -> &'static str {
    if https { "https" } else { "http" }
}

/// As `Display` writes it, in a fifth of the time for the addresses that most requests have.
fn push_address(text: &mut String, address: IpAddr) {
    let IpAddr::V4(address) = address else {
        // Writing to a string can't fail.
        let _ = write!(text, "{address}");
        return;
    };
    for (index, octet) in address.octets().into_iter().enumerate() {
        if index > 0 {
            text.push('.');
        }
        for (least, divisor) in [(100, 100), (10, 10), (0, 1)] {
            if octet >= least {
                text.push(char::from(b'0' + octet / divisor % 10));
            }
        }
    }
}
