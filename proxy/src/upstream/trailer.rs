//! Which fields may follow a request's body.

use http::{HeaderMap, HeaderName};
use serve::contract::identity;

/// What frames, routes or concerns one connection has no place behind a message (RFC 9110 section 6.5.1). The rest,
/// beside `X-Forwarded-*`, is what tells the application about the client in the edge's own words.
const FORBIDDEN: [&str; 23] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "http2-settings",
    "x-real-ip",
    "x-request-id",
];

/// Removes what a client must not say behind a body: who merges trailers into the head would believe it.
pub(super) fn cleanse(trailer: &mut HeaderMap, identity_headers: &[HeaderName]) {
    identity::strip(trailer, identity_headers);
    let forbidden = |name: &&HeaderName| {
        let name = name.as_str();
        FORBIDDEN.contains(&name) || name.starts_with("x-forwarded-")
    };
    let claimed: Vec<_> = trailer.keys().filter(forbidden).cloned().collect();
    claimed.iter().for_each(|name| drop(trailer.remove(name)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailer_neither_frames_nor_says_who_the_client_is() {
        let mut trailer = HeaderMap::new();
        for name in ["x-auth-subject", "x-user", "x-forwarded-for", "forwarded", "content-length", "te", "x-sum"] {
            trailer.insert(name, http::HeaderValue::from_static("1"));
        }
        cleanse(&mut trailer, &[HeaderName::from_static("x-user")]);
        assert_eq!(trailer.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-sum"]);
    }
}
