//! Which fields may follow a request's body.

use http::{HeaderMap, HeaderName};
use serve::contract::{forwarded, identity};

/// What frames, routes or concerns one connection has no place behind a message (RFC 9110 section 6.5.1). What
/// says who the client is falls beside these: see [`forwarded::is_claim`].
const FORBIDDEN: [&str; 20] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "expect",
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
];

/// Removes what a client must not say behind a body: who merges trailers into the head would believe it.
pub(super) fn cleanse(trailer: &mut HeaderMap, identity_headers: &[HeaderName]) {
    identity::strip(trailer, identity_headers);
    let forbidden = |name: &&HeaderName| FORBIDDEN.contains(&name.as_str()) || forwarded::is_claim(name.as_str());
    let claimed: Vec<_> = trailer.keys().filter(forbidden).cloned().collect();
    claimed.iter().for_each(|name| drop(trailer.remove(name)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailer_neither_frames_nor_says_who_the_client_is() {
        let mut trailer = HeaderMap::new();
        for name in [
            "x-auth-subject",
            "x-user",
            "x-forwarded-for",
            "x_forwarded_for",
            "x.real.ip",
            "x_request_id",
            "ssl-client-verify",
            "forwarded",
            "content-length",
            "te",
            "x-sum",
        ] {
            trailer.insert(name, http::HeaderValue::from_static("1"));
        }
        cleanse(&mut trailer, &[HeaderName::from_static("x-user")]);
        assert_eq!(trailer.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-sum"]);
    }
}
