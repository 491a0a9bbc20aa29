//! The hops before this proxy, out of what they have written and of what a client has written before them.
//!
//! The right-most element is the peer's own. Whatever a client puts before it must not change how it is read.

use super::{X_FORWARDED_FOR, X_FORWARDED_PORT, X_FORWARDED_PROTO};
use http::{HeaderMap, HeaderName, header};
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;

/// Hops that are walked, from the right. What stands further left is not looked at.
const HOPS_MAX: usize = 32;

/// One proxy on the way, as the next one tells.
#[derive(Default)]
pub(super) struct Hop {
    /// `None`: hidden (`unknown`, `_name`) or unreadable; nothing to the left of it counts.
    pub(super) address: Option<IpAddr>,
    pub(super) https: Option<bool>,
}

/// The hops, the nearest first.
pub(super) fn hops(headers: &HeaderMap) -> Vec<Hop> {
    // Most load balancers write `X-Forwarded-For` and pass a client's `Forwarded` on untouched, so where both stand
    // only the first can be the trusted peer's own word.
    if !headers.contains_key(&X_FORWARDED_FOR) {
        return nearest(headers, &header::FORWARDED, quoted_elements).into_iter().map(forwarded_element).collect();
    }
    let unnamed = |element: &[u8]| Hop { address: text(element).and_then(node), https: None };
    let mut hops: Vec<_> = nearest(headers, &X_FORWARDED_FOR, plain_elements).into_iter().map(unnamed).collect();
    // Only the value that our own peer wrote can be attributed to a hop.
    if let (Some(hop), Some(told)) = (hops.first_mut(), nearest(headers, &X_FORWARDED_PROTO, plain_elements).first()) {
        hop.https = text(told).and_then(scheme);
    }
    hops
}

/// The port that the peer's client reached, in the peer's own words. Beside `Forwarded` alone the field could be a
/// client's that was passed on untouched, as with `X-Forwarded-Proto`.
pub(super) fn told_port(headers: &HeaderMap) -> Option<NonZeroU16> {
    if !headers.contains_key(&X_FORWARDED_FOR) {
        return None;
    }
    let told = nearest(headers, &X_FORWARDED_PORT, plain_elements);
    // `parse` would take a sign.
    told.first().filter(|port| port.iter().all(u8::is_ascii_digit)).and_then(|port| text(port)?.parse().ok())
}

/// The last elements of all fields of this name, the last one first; empty ones do not count (RFC 9110 section 5.6.1).
fn nearest<'a>(headers: &'a HeaderMap, name: &HeaderName, elements: fn(&'a [u8]) -> Vec<&'a [u8]>) -> Vec<&'a [u8]> {
    let all = headers.get_all(name).iter().rev().flat_map(|value| elements(value.as_bytes()).into_iter().rev());
    all.map(<[u8]>::trim_ascii).filter(|element| !element.is_empty()).take(HOPS_MAX).collect()
}

/// The older fields know no quotes: with them a client could hide the comma that a trusted proxy writes behind its
/// value, and with it that proxy's word.
fn plain_elements(value: &[u8]) -> Vec<&[u8]> {
    value.split(|&byte| byte == b',').collect()
}

/// The elements of a `Forwarded` field. A quote that is never closed is a client's, before the comma that a trusted
/// proxy has written: then no quote counts, so that the last element is still that proxy's.
fn quoted_elements(value: &[u8]) -> Vec<&[u8]> {
    split_unquoted(value, b',').unwrap_or_else(|| plain_elements(value))
}

/// Splits outside of quoted strings (RFC 9110 section 5.6.4). `None`: the last of them is not closed.
fn split_unquoted(text: &[u8], separator: u8) -> Option<Vec<&[u8]>> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = text.split(|&byte| {
        if std::mem::take(&mut escaped) {
            return false;
        }
        match byte {
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            byte => return byte == separator && !quoted,
        }
        false
    });
    let parts = parts.collect();
    (!quoted).then_some(parts)
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// One element of `Forwarded` (RFC 7239 section 4). A parameter that stands twice makes it unreadable.
fn forwarded_element(element: &[u8]) -> Hop {
    let Some(pairs) = split_unquoted(element, b';') else { return Hop::default() };
    let (mut address, mut proto) = (None, None);
    for pair in pairs {
        let Some((name, value)) = text(pair).and_then(|pair| pair.trim().split_once('=')) else { continue };
        let place = if name.eq_ignore_ascii_case("for") {
            &mut address
        } else if name.eq_ignore_ascii_case("proto") {
            &mut proto
        } else {
            continue;
        };
        if place.replace(unquoted(value)).is_some() {
            return Hop::default();
        }
    }
    Hop { address: address.and_then(|text| node(&text)), https: proto.and_then(|text| scheme(&text)) }
}

/// A token as it is, a quoted string without its quotes and escapes (RFC 9110 section 5.6.4).
fn unquoted(value: &str) -> Cow<'_, str> {
    let Some(inner) = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) else { return value.into() };
    if !inner.contains('\\') {
        return inner.into();
    }
    let mut escaped = false;
    inner
        .chars()
        .filter(|&c| {
            escaped = c == '\\' && !escaped;
            !escaped
        })
        .collect()
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
