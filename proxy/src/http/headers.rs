//! Which fields cross the proxy, in which shape.

use super::context::RequestContext;
use super::own_fields::{OwnFields, Teller};
use super::target::Target;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, EXPECT, HOST, TE, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version, request};
use serve::contract::{forwarded, forwarded_prefix};
use smallvec::SmallVec;

/// nginx's name for "serve this file instead", which applications already know.
pub(super) static X_ACCEL_REDIRECT: HeaderName = HeaderName::from_static("x-accel-redirect");

/// Fields that concern one connection only (RFC 9110 section 7.6.1), beside those that `Connection` names. `Trailer` is
/// none of them: some servers throw away what it does not announce.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "http2-settings"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Removes what concerns one connection only. `Connection` may not name the fields that frame or address a message:
/// a client could make the application see another message than the edge did.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    // Few messages have any: looking at the names that are there costs a quarter of asking for each that may be.
    if !headers.keys().any(is_hop_by_hop) {
        return;
    }
    if headers.contains_key(CONNECTION) {
        let named: SmallVec<[HeaderName; 4]> = headers
            .get_all(CONNECTION)
            .iter()
            .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
            .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
            .filter(|name| *name != HOST && *name != CONTENT_LENGTH)
            .collect();
        named.iter().for_each(|name| drop(headers.remove(name)));
    }
    let there: SmallVec<[HeaderName; 4]> = headers.keys().filter(|name| is_hop_by_hop(name)).cloned().collect();
    there.iter().for_each(|name| drop(headers.remove(name)));
}

/// What comes with a request's head.
#[derive(Debug, Clone, Copy)]
pub(super) struct Carries {
    /// A body that its client may hold back until it is asked for: not one that the edge holds as a whole.
    pub(super) waiting_body: bool,
    /// The offer to switch to WebSocket.
    pub(super) websocket: bool,
}

/// Whether this is a gRPC call. Its two directions may wait for each other, so nothing of it can be held.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    const TYPE: &[u8] = b"application/grpc";
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.as_bytes().get(..TYPE.len()));
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case(TYPE))
}

/// Whether the client takes trailers (RFC 9110 section 10.1.4). The edge passes them on, so it may say the same; gRPC
/// servers refuse who does not.
fn wants_trailers(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TE).iter().flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    codings.any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

/// Makes the fields of a request ready for an upstream: what the client claims goes, and what the edge knows instead is
/// returned. `stripped` is what the route cuts off the path.
pub(super) fn towards_upstream(
    head: &mut request::Parts,
    carries: Carries,
    context: &RequestContext,
    teller: &Teller,
    target: &Target,
    stripped: Option<&HeaderValue>,
) -> OwnFields {
    let received = head.version;
    let headers = &mut head.headers;
    if headers.keys().any(is_hop_by_hop) {
        let trailers = wants_trailers(headers);
        remove_hop_by_hop(headers);
        if trailers {
            headers.insert(TE, HeaderValue::from_static("trailers"));
        }
    }
    if carries.websocket {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    }
    join_cookies(headers);
    // Only a body can wait for a 100, and clients of HTTP/1.0 know none (RFC 9110 section 10.1.1). There is no other
    // expectation.
    if let Some(expected) = headers.get(EXPECT) {
        let waits = expected.as_bytes().eq_ignore_ascii_case(b"100-continue");
        if !(waits && carries.waiting_body && received > Version::HTTP_10) {
            headers.remove(EXPECT);
        }
    }
    // Usually it is there as it is meant: what the target says beside it was compared.
    if headers.get(HOST).is_none_or(|host| *host != target.authority) {
        headers.insert(HOST, target.authority.clone());
    }
    let prefix = context.peer_trusted.then(|| forwarded_prefix::read(headers)).flatten();
    forwarded::remove(headers);
    head.version = Version::HTTP_11;
    let mut own = OwnFields::new(teller, context, &target.authority, received);
    own.prefix = forwarded_prefix::joined(prefix, stripped);
    own
}

/// HTTP/2 clients may split the cookies over several fields; one field is what HTTP/1.1 allows (RFC 9113 section 8.2.3).
pub(super) fn join_cookies(headers: &mut HeaderMap) {
    // Whether any field is repeated is known at once.
    if headers.len() == headers.keys_len() || headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let crumbs: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

/// Makes the head of an upstream's response ready for the client. A 101 keeps what it switches to.
pub(super) fn towards_client<B>(response: &mut Response<B>) {
    let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    // The version is each connection's own (RFC 9110 section 2.5).
    *response.version_mut() = Version::HTTP_11;
    let headers = response.headers_mut();
    let upgrade = switched.then(|| headers.remove(UPGRADE)).flatten();
    remove_hop_by_hop(headers);
    if switched {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        upgrade.map(|protocol| headers.insert(UPGRADE, protocol));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_concerns_one_connection_goes() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Secret , host, content-length"),
            ("connection", "x-other"),
            ("x-secret", "1"),
            ("x-other", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("host", "a"),
            ("content-length", "5"),
            ("x-kept", "1"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        remove_hop_by_hop(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "host", "x-kept"]);
    }

    #[test]
    fn grpc_is_known_by_its_type() {
        for (kind, grpc) in [
            (Some("application/grpc"), true),
            (Some("Application/GRPC+proto"), true),
            (Some("application/json"), false),
            (Some("application/grp"), false),
            (None, false),
        ] {
            let kind = kind.map(HeaderValue::from_static);
            let headers = HeaderMap::from_iter(kind.map(|kind| (CONTENT_TYPE, kind)));
            assert_eq!(is_grpc(&headers), grpc, "{headers:?}");
        }
    }

    #[test]
    fn who_takes_trailers_says_so_among_transfer_codings() {
        for (te, wanted) in [
            (&["trailers"][..], true),
            (&["gzip;q=0.5, Trailers"], true),
            (&["gzip", "trailers"], true),
            (&["x"], false),
        ] {
            let mut headers = HeaderMap::new();
            for coding in te {
                headers.append(TE, HeaderValue::from_static(coding));
            }
            assert_eq!(wants_trailers(&headers), wanted, "{te:?}");
        }
    }

    #[test]
    fn crumbs_of_cookies_are_joined() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1"));
        headers.append(COOKIE, HeaderValue::from_static("b=2"));
        join_cookies(&mut headers);
        assert_eq!(headers.get_all(COOKIE).iter().collect::<Vec<_>>(), ["a=1; b=2"]);
    }
}
