//! The head of a request as HTTP/2 writes it, and the fields that no trailer may be.

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request, Uri, Version, request};

static KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
static PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Fields that concern one HTTP/1.1 connection (RFC 9113 section 8.2.2).
static CONNECTION_SPECIFIC: [&HeaderName; 5] =
    [&CONNECTION, &KEEP_ALIVE, &PROXY_CONNECTION, &TRANSFER_ENCODING, &UPGRADE];

/// A request with the pseudo-fields of RFC 9113 section 8.3.1. The path stays byte for byte as it is.
pub(super) fn to_http2(head: &request::Parts, scheme: &Scheme) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = head.method.clone();
    let mut headers = head.headers.clone();
    remove_connection_specific(&mut headers);
    let authority = headers.get(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let mut parts = head.uri.clone().into_parts();
    parts.authority = authority;
    parts.scheme = parts.authority.as_ref().map(|_| scheme.clone());
    match Uri::from_parts(parts) {
        Ok(uri) if uri.authority().is_some() => {
            headers.remove(HOST);
            *request.uri_mut() = uri;
            *request.version_mut() = Version::HTTP_2;
        }
        // A host that is no authority stays a field, and `:authority` is left out (RFC 9113 section 8.3.1).
        _ => {
            *request.uri_mut() = head.uri.clone();
            *request.version_mut() = Version::HTTP_11;
        }
    }
    *request.headers_mut() = headers;
    request
}

fn remove_connection_specific(headers: &mut HeaderMap) {
    for name in CONNECTION_SPECIFIC {
        headers.remove(name);
    }
    // Nothing else may be said in it (RFC 9113 section 8.2.2); gRPC servers insist on it.
    if headers.get_all(TE).iter().any(|value| value.as_bytes().eq_ignore_ascii_case(b"trailers")) {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    } else {
        headers.remove(TE);
    }
}

/// Removes what must not stand in trailers because it frames, routes or addresses a message (RFC 9110 section 6.5.1).
pub(super) fn cleanse_trailers(trailers: &mut HeaderMap) {
    for name in CONNECTION_SPECIFIC.into_iter().chain([&CONTENT_LENGTH, &HOST, &TE, &TRAILER]) {
        trailers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(uri: &str, fields: &[(&'static str, &'static str)]) -> Request<()> {
        let mut request = Request::builder().uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        to_http2(&request.body(()).expect("a request").into_parts().0, &Scheme::HTTPS)
    }

    #[test]
    fn the_host_becomes_the_authority_and_the_path_stays() {
        let request = converted("/a%2Fb//c?x=%20&y", &[("host", "app.example:8443"), ("x-kept", "1")]);
        assert_eq!(request.uri(), "https://app.example:8443/a%2Fb//c?x=%20&y");
        assert_eq!(request.version(), Version::HTTP_2);
        assert_eq!(request.headers().keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-kept"]);
        let odd = converted("/", &[("host", "a b")]);
        assert_eq!((odd.uri(), &odd.headers()[HOST]), (&Uri::from_static("/"), &HeaderValue::from_static("a b")));
    }

    #[test]
    fn what_concerns_one_connection_goes_and_te_says_trailers_or_nothing() {
        let request = converted(
            "/",
            &[("host", "a"), ("connection", "upgrade, te"), ("upgrade", "websocket"), ("te", "Trailers"), ("x", "1")],
        );
        let mut left: Vec<_> = request.headers().iter().map(|(name, value)| (name.as_str(), value)).collect();
        left.sort_unstable_by_key(|(name, _)| *name);
        assert_eq!(left, [("te", &HeaderValue::from_static("trailers")), ("x", &HeaderValue::from_static("1"))]);
        assert!(converted("/", &[("host", "a"), ("te", "gzip")]).headers().is_empty());
    }

    #[test]
    fn trailers_do_not_frame_the_message() {
        let mut trailers = HeaderMap::new();
        for name in ["content-length", "transfer-encoding", "host", "te", "trailer", "connection", "grpc-status"] {
            trailers.insert(name, HeaderValue::from_static("0"));
        }
        cleanse_trailers(&mut trailers);
        assert_eq!(trailers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["grpc-status"]);
    }
}
