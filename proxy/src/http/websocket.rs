//! WebSocket: which requests ask for it, and what an extended CONNECT of HTTP/2 (RFC 8441) is to an endpoint that
//! speaks HTTP/1.1 (RFC 8441 section 5, RFC 6455 section 4).
//!
//! No other protocol is offered to an upstream: after `h2c`, for example, a client could send requests of any path
//! through the tunnel, and none of them would meet a route, a token check or a limit.

use super::error::Cause;
use super::random;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version, request};
use serve::http1::lists;

/// What every key is joined with (RFC 6455 section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Whether a client of HTTP/1.1 wants to switch to WebSocket (RFC 9110 section 7.8, RFC 6455 section 4.1).
pub(super) fn is_wanted(head: &request::Parts) -> bool {
    head.version == Version::HTTP_11
        && head.method == Method::GET
        && is_named(&head.headers)
        && lists(&head.headers, &CONNECTION, "upgrade")
}

/// Whether a client of HTTP/2 does (RFC 8441 section 4).
pub(super) fn is_extended_connect(head: &request::Parts) -> bool {
    let protocol = head.extensions.get::<h2::ext::Protocol>();
    head.method == Method::CONNECT && protocol.is_some_and(|protocol| protocol.as_str() == "websocket")
}

/// Whether `Upgrade` names WebSocket and nothing else.
fn is_named(headers: &HeaderMap) -> bool {
    let mut named = headers.get_all(UPGRADE).iter();
    named.next().is_some_and(|name| name.as_bytes().eq_ignore_ascii_case(b"websocket")) && named.next().is_none()
}

/// The handshake that an extended CONNECT leaves to the proxy.
pub(super) struct Handshake {
    accept: String,
}

impl Handshake {
    /// Adds the fields of a handshake with a fresh key.
    pub(super) fn begin(headers: &mut HeaderMap) -> Self {
        let key = STANDARD.encode(random::bits().to_ne_bytes());
        let accept = accept(key.as_bytes());
        if let Ok(key) = HeaderValue::try_from(key) {
            headers.insert(SEC_WEBSOCKET_KEY, key);
        }
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        Self { accept }
    }

    /// Turns the endpoint's answer into the one of an extended CONNECT: its success is 200, and has none of the fields
    /// of the handshake.
    ///
    /// # Errors
    /// A wrong proof, or a success that is no switch: the client would take it for one.
    fn end<B>(&self, response: &mut Response<B>) -> Result<(), Cause> {
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let proof = response.headers_mut().remove(SEC_WEBSOCKET_ACCEPT);
            if proof.is_none_or(|proof| proof.as_bytes() != self.accept.as_bytes()) {
                return Err(Cause::Switch("its Sec-WebSocket-Accept does not fit the key"));
            }
            *response.status_mut() = StatusCode::OK;
            return Ok(());
        }
        if response.status().is_success() {
            Err(Cause::Switch("it answered with success but did not switch"))
        } else {
            Ok(())
        }
    }
}

/// The proof that belongs to a key (RFC 6455 section 4.2.2).
fn accept(key: &[u8]) -> String {
    STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key, GUID].concat()))
}

/// Checks the answer to a request that offered the switch, and makes it one to the client's request.
///
/// # Errors
/// A switch to another protocol, and what [`Handshake`] finds.
pub(super) fn finish<B>(handshake: Option<&Handshake>, response: &mut Response<B>) -> Result<(), Cause> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS && !is_named(response.headers()) {
        return Err(Cause::Switch("it switched to another protocol"));
    }
    handshake.map_or(Ok(()), |handshake| handshake.end(response))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(request: request::Builder) -> request::Parts {
        request.body(()).expect("a request").into_parts().0
    }

    #[test]
    fn only_websocket_may_be_switched_to() {
        for (method, upgrade, connection, wanted) in [
            ("GET", "websocket", "Upgrade", true),
            ("GET", "WebSocket", "keep-alive, upgrade", true),
            ("GET", "h2c", "Upgrade, HTTP2-Settings", false),
            ("GET", "websocket, h2c", "Upgrade", false),
            ("GET", "websocket", "close", false),
            ("POST", "websocket", "Upgrade", false),
        ] {
            let request =
                http::Request::builder().method(method).header(UPGRADE, upgrade).header(CONNECTION, connection);
            assert_eq!(is_wanted(&head(request)), wanted, "{method} {upgrade} {connection}");
        }
    }

    #[test]
    fn an_extended_connect_names_websocket() {
        let connect = || http::Request::builder().method(Method::CONNECT).uri("https://a/chat");
        assert!(is_extended_connect(&head(connect().extension(h2::ext::Protocol::from_static("websocket")))));
        assert!(!is_extended_connect(&head(connect().extension(h2::ext::Protocol::from_static("connect-udp")))));
        assert!(!is_extended_connect(&head(connect())));
    }

    /// The example of RFC 6455 section 1.3.
    #[test]
    fn the_proof_belongs_to_the_key() {
        assert_eq!(accept(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    fn answered(status: u16, proof: Option<&str>) -> Response<()> {
        let mut response = Response::builder().status(status).header(UPGRADE, "websocket");
        if let Some(proof) = proof {
            response = response.header(SEC_WEBSOCKET_ACCEPT, proof);
        }
        response.body(()).expect("a response")
    }

    #[test]
    fn a_handshake_for_a_client_of_http2_is_checked_and_translated() {
        let mut headers = HeaderMap::new();
        let handshake = Handshake::begin(&mut headers);
        assert_eq!(headers[SEC_WEBSOCKET_VERSION], "13");
        assert_eq!(accept(headers[SEC_WEBSOCKET_KEY].as_bytes()), handshake.accept);
        let mut again = HeaderMap::new();
        Handshake::begin(&mut again);
        assert_ne!(headers[SEC_WEBSOCKET_KEY], again[SEC_WEBSOCKET_KEY]);

        let mut switched = answered(101, Some(&handshake.accept));
        assert!(finish(Some(&handshake), &mut switched).is_ok());
        assert_eq!(switched.status(), StatusCode::OK);
        assert!(!switched.headers().contains_key(SEC_WEBSOCKET_ACCEPT));
        for mut wrong in [answered(101, None), answered(101, Some("AAAA")), answered(200, None)] {
            assert!(finish(Some(&handshake), &mut wrong).is_err(), "{wrong:?}");
        }
        assert!(finish(Some(&handshake), &mut answered(403, None)).is_ok());
    }

    #[test]
    fn nothing_but_websocket_is_switched_to() {
        let mut other = Response::builder().status(101).header(UPGRADE, "h2c").body(()).expect("a response");
        assert!(finish(None, &mut other).is_err());
        assert!(finish(None, &mut answered(101, Some("whatever the client checks"))).is_ok());
    }
}
