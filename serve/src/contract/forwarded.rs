//! Who the client is when other proxies stand before this one, and how that is told to the next hop.
//!
//! `Forwarded` (RFC 7239) and the older `X-Forwarded-For`, `-Proto` and `-Host` are written by anybody, so they count
//! only when the peer is a proxy that the operator trusts, and are read from the right: the first address that is no
//! trusted proxy is the client. From an untrusted peer all of them are dropped.

use super::identity::strip_named;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use ipnet::IpNet;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

/// The client and all hops, comma-separated, the nearest last.
pub static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// `http` or `https`, as the client spoke.
pub static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The host that the client asked for.
pub static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// The port that the client connected to.
pub static X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// Names that say who the client is, what it spoke, or which path it meant, in any dialect that applications read. None
/// is passed on as a client wrote it, in no spelling that an application folds into one of these: an application that
/// reads one would believe the client.
static CLAIMS: [HeaderName; 23] = [
    header::FORWARDED,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-server"),
    HeaderName::from_static("x-forwarded-prefix"),
    HeaderName::from_static("x-forwarded-ssl"),
    HeaderName::from_static("x-forwarded-protocol"),
    HeaderName::from_static("x-forwarded-scheme"),
    HeaderName::from_static("x-forwarded"),
    HeaderName::from_static("forwarded-for"),
    HeaderName::from_static("x-original-forwarded-for"),
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-client-ip"),
    HeaderName::from_static("x-cluster-client-ip"),
    HeaderName::from_static("true-client-ip"),
    HeaderName::from_static("cf-connecting-ip"),
    HeaderName::from_static("x-original-url"),
    HeaderName::from_static("x-rewrite-url"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("front-end-https"),
    // CGI makes HTTP_PROXY of it, which many HTTP clients take for their own setting (CVE-2016-5385).
    HeaderName::from_static("proxy"),
];

/// More hops than this are not walked: the chain is taken as forged.
const HOPS_MAX: usize = 32;

/// What the client did, as far as trusted hops tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The client's address: the one truth for limits, logs and the application. `None` behind a Unix socket
    /// without a trusted hop.
    pub client: Option<IpAddr>,
    /// Whether the client spoke TLS.
    pub https: bool,
    /// The hops before this proxy as they are passed on, the client first; empty when the peer is the client.
    pub chain: Vec<IpAddr>,
}

/// Whether an address is a proxy whose word counts.
#[must_use]
pub fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

/// Reads who the client is. `peer` is `None` on a Unix socket, whose other end is this machine's own and trusted.
#[must_use]
pub fn read(headers: &HeaderMap, peer: Option<IpAddr>, peer_https: bool, trusted: &[IpNet]) -> Origin {
    let direct = Origin { client: peer, https: peer_https, chain: Vec::new() };
    if peer.is_some_and(|address| !is_trusted(address, trusted)) {
        return direct;
    }
    let Some(hops) = hops(headers) else { return direct };
    // From the right: our own peer vouches for the last entry, that entry (if trusted) for the one before.
    let mut chain = Vec::new();
    let mut https = peer_https;
    for hop in hops.iter().rev() {
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
    Origin { client: chain.first().copied().or(peer), https, chain }
}

struct Hop {
    /// `None`: hidden (`unknown`, `_name`) or unreadable; nothing to the left of it counts.
    address: Option<IpAddr>,
    https: Option<bool>,
}

fn hops(headers: &HeaderMap) -> Option<Vec<Hop>> {
    // Most load balancers write `X-Forwarded-For` and pass a client's `Forwarded` on untouched, so where both stand
    // only the first can be the trusted peer's own word.
    let hops = if !headers.contains_key(&X_FORWARDED_FOR) {
        elements(headers, &header::FORWARDED)?.iter().map(|element| forwarded_element(element)).collect::<Vec<_>>()
    } else {
        let mut hops: Vec<_> = elements(headers, &X_FORWARDED_FOR)?
            .iter()
            .map(|element| Hop { address: node(element), https: None })
            .collect();
        // Only the value that our own peer wrote can be attributed to a hop.
        let told = elements(headers, &X_FORWARDED_PROTO).and_then(|told| told.last().map(|told| scheme(told)));
        if let (Some(last), Some(told)) = (hops.last_mut(), told) {
            last.https = told;
        }
        hops
    };
    (hops.len() <= HOPS_MAX).then_some(hops)
}

/// The comma-separated elements of all fields of this name, in order; `None` when there are none or one is not text.
fn elements<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Vec<&'a str>> {
    let mut elements = Vec::new();
    for value in headers.get_all(name) {
        elements.extend(split_unquoted(value.to_str().ok()?, ',').map(str::trim).filter(|element| !element.is_empty()));
    }
    (!elements.is_empty()).then_some(elements)
}

/// Splits outside of quoted strings (RFC 9110 section 5.6.4).
fn split_unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    text.split(move |c| {
        if escaped {
            escaped = false;
            return false;
        }
        match c {
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            c if c == separator => return !quoted,
            _ => {}
        }
        false
    })
}

/// One element of `Forwarded` (RFC 7239 section 4).
fn forwarded_element(element: &str) -> Hop {
    let mut hop = Hop { address: None, https: None };
    for pair in split_unquoted(element, ';') {
        let Some((name, value)) = pair.trim().split_once('=') else { continue };
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        if name.eq_ignore_ascii_case("for") {
            hop.address = node(value);
        } else if name.eq_ignore_ascii_case("proto") {
            hop.https = scheme(value);
        }
    }
    hop
}

/// A node with or without port (RFC 7239 section 6; the older fields hold bare addresses).
fn node(text: &str) -> Option<IpAddr> {
    let address = text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    address.or_else(bracketed).map(|address: IpAddr| address.to_canonical())
}

fn scheme(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("https") {
        Some(true)
    } else if text.eq_ignore_ascii_case("http") {
        Some(false)
    } else {
        None
    }
}

/// Replaces every such field by what this proxy knows: the chain of trusted hops, then its own peer.
///
/// `host` is the host as the client asked for it and `port` the port that it reached, when they are known.
pub fn write(
    headers: &mut HeaderMap,
    origin: &Origin,
    peer: Option<IpAddr>,
    host: Option<&HeaderValue>,
    port: Option<u16>,
) {
    strip_named(headers, &CLAIMS);
    let scheme = if origin.https { "https" } else { "http" };
    let (older, newer) = told(origin.chain.iter().copied().chain(peer), scheme, host);
    set(headers, &X_FORWARDED_FOR, older);
    set(headers, &header::FORWARDED, newer);
    headers.insert(X_FORWARDED_PROTO.clone(), HeaderValue::from_static(scheme));
    match host {
        Some(host) => headers.insert(X_FORWARDED_HOST.clone(), host.clone()),
        None => headers.remove(&X_FORWARDED_HOST),
    };
    match port {
        Some(port) => headers.insert(X_FORWARDED_PORT.clone(), HeaderValue::from(port)),
        None => headers.remove(&X_FORWARDED_PORT),
    };
}

/// The values of `X-Forwarded-For` and of `Forwarded`.
fn told(
    hops: impl Iterator<Item = IpAddr>,
    scheme: &str,
    host: Option<&HeaderValue>,
) -> (Option<HeaderValue>, Option<HeaderValue>) {
    let (mut older, mut newer) = (String::with_capacity(48), String::with_capacity(112));
    let mut address = String::with_capacity(48);
    for hop in hops {
        address.clear();
        push_address(&mut address, hop);
        for list in [&mut older, &mut newer] {
            list.push_str(if list.is_empty() { "" } else { ", " });
        }
        older.push_str(&address);
        // An IPv6 address is no token, so it is quoted (RFC 7239 section 6).
        let (before, after) = if hop.is_ipv6() { ("for=\"[", "]\"") } else { ("for=", "") };
        [before, &address, after].into_iter().for_each(|part| newer.push_str(part));
    }
    if newer.is_empty() {
        newer.push_str("for=unknown");
    }
    // The last element is this proxy's own: only of its peer it knows these.
    newer.push_str(";proto=");
    newer.push_str(scheme);
    // A host is a token with `:` and brackets (RFC 9110 section 7.2): quoting needs no escape.
    if let Some(host) = host.and_then(|host| host.to_str().ok()).filter(|host| !host.contains(['"', '\\'])) {
        [";host=\"", host, "\""].into_iter().for_each(|part| newer.push_str(part));
    }
    ((!older.is_empty()).then(|| HeaderValue::try_from(older).ok()).flatten(), HeaderValue::try_from(newer).ok())
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

fn set(headers: &mut HeaderMap, name: &HeaderName, value: Option<HeaderValue>) {
    match value {
        Some(value) => headers.insert(name.clone(), value),
        None => headers.remove(name),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn addresses_are_written_as_everywhere(address: IpAddr) {
            let mut text = String::new();
            push_address(&mut text, address);
            prop_assert_eq!(text, address.to_string());
        }
    }

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value")))
            .collect()
    }

    fn client(fields: &[(&'static str, &str)], peer: &str) -> String {
        let trusted = ["10.0.0.0/8".parse().expect("a network"), "fd00::/8".parse().expect("a network")];
        let origin = read(&headers(fields), Some(peer.parse().expect("an address")), false, &trusted);
        format!("{} {}", origin.client.expect("a client"), if origin.https { "https" } else { "http" })
    }

    #[test]
    fn only_trusted_hops_are_believed_and_from_the_right() {
        for (fields, peer, wanted) in [
            (&[("x-forwarded-for", "6.6.6.6")][..], "9.9.9.9", "9.9.9.9 http"),
            (&[("x-forwarded-for", "6.6.6.6, 1.2.3.4")], "10.0.0.1", "1.2.3.4 http"),
            (&[("x-forwarded-for", "1.2.3.4, 10.0.0.2")], "10.0.0.1", "1.2.3.4 http"),
            (&[("x-forwarded-for", "10.0.0.3, 10.0.0.2")], "10.0.0.1", "10.0.0.3 http"),
            (&[("x-forwarded-for", "1.2.3.4, garbage, 10.0.0.2")], "10.0.0.1", "10.0.0.2 http"),
            (&[("x-forwarded-for", "1.2.3.4"), ("x-forwarded-proto", "https")], "10.0.0.1", "1.2.3.4 https"),
            (&[("x-forwarded-for", "1.2.3.4"), ("x-forwarded-proto", "https")], "9.9.9.9", "9.9.9.9 http"),
            (&[("forwarded", "for=1.2.3.4;proto=https")], "fd00::1", "1.2.3.4 https"),
            (&[("forwarded", "For=\"[2001:db8::1]:4711\"")], "10.0.0.1", "2001:db8::1 http"),
            (&[("forwarded", "for=unknown, for=10.0.0.5")], "10.0.0.1", "10.0.0.5 http"),
            (&[("forwarded", "for=\"a, for=6.6.6.6\", for=1.2.3.4")], "10.0.0.1", "1.2.3.4 http"),
            (&[("forwarded", "for=6.6.6.6;proto=https"), ("x-forwarded-for", "1.2.3.4")], "10.0.0.1", "1.2.3.4 http"),
            (&[("x-forwarded-for", "::ffff:1.2.3.4")], "10.0.0.1", "1.2.3.4 http"),
        ] {
            assert_eq!(client(fields, peer), wanted, "{fields:?} from {peer}");
        }
    }

    #[test]
    fn forged_fields_are_replaced() {
        let mut fields = headers(&[
            ("x-forwarded-for", "6.6.6.6"),
            ("forwarded", "for=6.6.6.6"),
            ("x-real-ip", "6.6.6.6"),
            ("x_forwarded_for", "6.6.6.6"),
            ("x.real.ip", "6.6.6.6"),
            ("x-original-url", "/admin"),
            ("x-forwarded-host", "evil"),
        ]);
        let peer = "2001:db8::7".parse().ok();
        let origin = read(&fields, peer, true, &[]);
        write(&mut fields, &origin, peer, Some(&HeaderValue::from_static("example.com:8443")), Some(8443));
        let got = |name: &str| fields.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-").to_owned();
        assert_eq!(got("x-forwarded-for"), "2001:db8::7");
        assert_eq!(got("forwarded"), "for=\"[2001:db8::7]\";proto=https;host=\"example.com:8443\"");
        assert_eq!(got("x-forwarded-host"), "example.com:8443");
        assert_eq!(got("x-forwarded-port"), "8443");
        for gone in ["x-real-ip", "x_forwarded_for", "x.real.ip", "x-original-url"] {
            assert_eq!(got(gone), "-", "{gone}");
        }
    }

    proptest! {
        #[test]
        fn an_untrusted_peer_is_always_the_client(value in "[ -~]{0,200}", forwarded in "[ -~]{0,200}") {
            let fields = headers(&[("x-forwarded-for", &value), ("forwarded", &forwarded)]);
            let peer = "9.9.9.9".parse().ok();
            prop_assert_eq!(read(&fields, peer, false, &["10.0.0.0/8".parse().expect("a network")]).client, peer);
            let _ = read(&fields, "10.0.0.1".parse().ok(), false, &["10.0.0.0/8".parse().expect("a network")]);
        }
    }
}
