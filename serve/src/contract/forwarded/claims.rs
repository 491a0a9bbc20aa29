//! Field names by which a client could say who it is, what it spoke, which path it meant, or where its body ends, in
//! every dialect that applications and frameworks read.
//!
//! None is passed on as a client wrote it, in no spelling that an application folds into one of these: an application
//! that reads one would believe the client. Proxies that are trusted are no exception: what counts of their word is
//! read before, and told in the edge's own fields.

use crate::contract::identity::folded;
use http::{HeaderMap, HeaderName};

/// What follows `x-` in the families of which every member is such a claim.
const X_FAMILIES: [&[u8]; 5] = [b"forwarded-", b"original-", b"ssl-client", b"tls-client", b"client-cert"];

/// Single names that begin with `x-`, without it.
const X_NAMES: [&[u8]; 17] = [
    b"forwarded",
    b"real-ip",
    b"client-ip",
    b"cluster-client-ip",
    b"remote-ip",
    b"remote-addr",
    b"proxyuser-ip",
    b"azure-clientip",
    b"azure-socketip",
    b"envoy-external-address",
    b"arr-clientcert",
    b"arr-ssl",
    b"scheme",
    b"url-scheme",
    b"host",
    b"rewrite-url",
    b"request-id",
];

/// The other families. `client-cert` is RFC 9440, whose section 4 demands this.
const FAMILIES: [&[u8]; 4] = [b"forwarded-", b"ssl-client", b"client-cert", b"cf-connecting-ip"];

/// The other single names.
const NAMES: [&[u8]; 9] = [
    b"forwarded",
    b"client-ip",
    b"true-client-ip",
    b"fastly-client-ip",
    b"proxy-client-ip",
    b"wl-proxy-client-ip",
    b"remote-addr",
    b"front-end-https",
    // CGI makes HTTP_PROXY of it, which many HTTP clients take for their own setting (CVE-2016-5385).
    b"proxy",
];

/// What frames a message. Spelled so these fields are what the edge has read and writes itself; spelled otherwise they
/// are another length to who folds them.
const FRAMING: [&[u8]; 2] = [b"content-length", b"transfer-encoding"];

/// Whether a field of this name is such a claim. `_` and `.` count as `-`, because CGI and its heirs fold them together.
#[must_use]
pub fn is_claim(name: &str) -> bool {
    let name = name.as_bytes();
    // Names are lower-case in a map of fields; the others are for whoever asks.
    let Some(b'x' | b'f' | b's' | b'c' | b't' | b'p' | b'w' | b'r') = name.first().map(u8::to_ascii_lowercase) else {
        return false;
    };
    let (name, families, names): (_, &[&[u8]], &[&[u8]]) = match name {
        [b'x' | b'X', b'-' | b'_' | b'.', rest @ ..] => (rest, &X_FAMILIES, &X_NAMES),
        _ => (name, &FAMILIES, &NAMES),
    };
    let is_folded = |claim: &[u8]| claim.len() == name.len() && begins_folded(name, claim);
    families.iter().any(|family| begins_folded(name, family))
        || names.iter().any(|claim| is_folded(claim))
        || FRAMING.iter().any(|framing| is_folded(framing) && !name.eq_ignore_ascii_case(framing))
}

/// Removes every such field.
pub(super) fn remove(headers: &mut HeaderMap) {
    if !headers.keys().any(|name| is_claim(name.as_str())) {
        return;
    }
    let claimed: Vec<HeaderName> = headers.keys().filter(|name| is_claim(name.as_str())).cloned().collect();
    claimed.iter().for_each(|name| drop(headers.remove(name)));
}

fn begins_folded(name: &[u8], with: &[u8]) -> bool {
    name.len() >= with.len() && name.iter().zip(with).all(|(&found, &wanted)| folded(found) == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_known_in_every_dialect_and_spelling() {
        for name in [
            "forwarded",
            "forwarded-for",
            "x-forwarded",
            "x-forwarded-for",
            "x_forwarded_for",
            "x.forwarded.proto",
            "X-Forwarded-User",
            "x-forwarded-client-cert",
            "x-original-url",
            "x-original_host",
            "x-scheme",
            "x-url-scheme",
            "x-host",
            "x_host",
            "ssl-client-verify",
            "ssl_client_s_dn",
            "x-ssl-client-dn",
            "x-ssl-client-cert",
            "x-tls-client-subject",
            "client-cert",
            "client-cert-chain",
            "x-client-cert",
            "x-client-certificate",
            "fastly-client-ip",
            "cf-connecting-ip",
            "cf-connecting-ipv6",
            "x-azure-clientip",
            "x-envoy-external-address",
            "true-client-ip",
            "x-client-ip",
            "client_ip",
            "x-cluster-client-ip",
            "x-real.ip",
            "x-request-id",
            "proxy",
            "content_length",
            "Content.Length",
            "transfer_encoding",
        ] {
            assert!(is_claim(name), "{name}");
        }
    }

    #[test]
    fn other_fields_are_left_alone() {
        for name in [
            "",
            "x-",
            "host",
            "content-length",
            "Transfer-Encoding",
            "content_type",
            "accept",
            "via",
            "x-forwarded2",
            "x-hostname",
            "x-schema",
            "x-original",
            "x-client",
            "x-client-version",
            "client-id",
            "cf-ray",
            "proxy-status",
            "x-requested-with",
            "x-request-id-of-parent",
        ] {
            assert!(!is_claim(name), "{name}");
        }
    }
}
