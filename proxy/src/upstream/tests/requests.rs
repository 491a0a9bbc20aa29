//! What an endpoint sees of a request.

use super::support::*;
use crate::upstream::UpstreamError;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use http_body::Frame;
use serve::{Body, BodyError};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn requests_are_written_as_they_were_meant() {
    for (method, target, field, body, wanted) in [
        (Method::GET, "/", None, "", "GET / HTTP/1.1\r\n\r\n"),
        (Method::GET, "/a%2Fb//../c?x=%20&y;z", None, "", "GET /a%2Fb//../c?x=%20&y;z HTTP/1.1\r\n\r\n"),
        (Method::GET, "http://a?x", None, "", "GET /?x HTTP/1.1\r\n\r\n"),
        (Method::OPTIONS, "*", None, "", "OPTIONS * HTTP/1.1\r\n\r\n"),
        (Method::POST, "/", None, "", "POST / HTTP/1.1\r\n\r\n"),
        (Method::POST, "/", Some(("content-length", "0")), "", "POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n"),
        (Method::PUT, "/", Some(("x-a", "b")), "hi", "PUT / HTTP/1.1\r\nx-a: b\r\ncontent-length: 2\r\n\r\nhi"),
    ] {
        run(async |upstream, listener| {
            let mut head = request(method.clone(), target);
            if let Some((name, value)) = field {
                head.headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            let (outcome, seen) = tokio::join!(send(&upstream, head, Body::full(body)), async {
                let mut peer = Peer::accept(&listener).await;
                let seen = peer.read_until(wanted.as_bytes()).await;
                peer.send(OK).await;
                seen
            });
            assert_eq!(seen, wanted);
            assert_eq!(read(outcome).await, (200, Ok("ok".to_owned())));
        });
    }
}

#[test]
fn a_body_of_unknown_length_goes_in_chunks_and_with_its_trailer() {
    run(async |upstream, listener| {
        let (sender, body) = supplied();
        sender.send(piece(b"one")).expect("wanted");
        let (outcome, ()) = tokio::join!(send(&upstream, request(Method::POST, "/"), body), async {
            let mut peer = Peer::accept(&listener).await;
            let head = peer.read_head().await;
            assert_eq!(head, "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n");
            assert_eq!(peer.read_until(b"3\r\none\r\n").await, "3\r\none\r\n");
            sender.send(piece(b"three")).expect("wanted");
            assert_eq!(peer.read_until(b"5\r\nthree\r\n").await, "5\r\nthree\r\n");
            let trailer = HeaderMap::from_iter([(HeaderName::from_static("x-sum"), HeaderValue::from_static("8"))]);
            sender.send(Ok(Frame::trailers(trailer))).expect("wanted");
            assert_eq!(peer.read_head().await, "0\r\nx-sum: 8\r\n\r\n");
            peer.send(OK).await;
        });
        assert_eq!(read(outcome).await, (200, Ok("ok".to_owned())));
    });
}

#[test]
fn of_a_malformed_body_nothing_reaches_an_endpoint() {
    run(async |upstream, listener| {
        let (sender, body) = supplied();
        sender.send(Err(BodyError::Malformed("odd"))).expect("wanted");
        let (outcome, seen) = tokio::join!(send(&upstream, request(Method::POST, "/"), body), async {
            Peer::accept(&listener).await.read_to_close().await
        });
        assert!(matches!(outcome, Err(UpstreamError::Client(BodyError::Malformed("odd")))));
        assert_eq!(seen, "");
    });
}

#[test]
fn a_body_that_breaks_off_never_looks_whole() {
    for error in [BodyError::Disconnected, BodyError::Malformed("odd")] {
        run(async |upstream, listener| {
            let (sender, body) = supplied();
            sender.send(piece(b"half")).expect("wanted");
            let (outcome, seen) = tokio::join!(send(&upstream, request(Method::POST, "/"), body), async {
                let mut peer = Peer::accept(&listener).await;
                peer.read_until(b"half\r\n").await;
                sender.send(Err(error)).expect("wanted");
                peer.read_to_close().await
            });
            assert!(matches!(outcome, Err(UpstreamError::Client(seen)) if seen == error));
            assert_eq!(seen, "");
        });
    }
}

#[test]
fn a_body_over_the_limit_is_cut() {
    run(async |upstream, listener| {
        let limits = crate::upstream::SendLimits { body_bytes_max: 5, ..LIMITS };
        let (sender, body) = supplied();
        sender.send(piece(b"12345")).expect("wanted");
        let sending = send_within(&upstream, request(Method::POST, "/"), body, None, limits);
        let (outcome, ()) = tokio::join!(sending, async {
            let mut peer = Peer::accept(&listener).await;
            peer.read_until(b"12345\r\n").await;
            sender.send(piece(b"6")).expect("wanted");
            assert_eq!(peer.read_to_close().await, "");
        });
        assert!(matches!(outcome, Err(UpstreamError::Client(BodyError::TooLarge { limit_bytes: 5 }))));
    });
}

#[test]
fn an_expectation_is_the_endpoints_to_answer() {
    let expecting = || {
        let mut head = request(Method::POST, "/");
        head.headers.insert(header::EXPECT, HeaderValue::from_static("100-continue"));
        head
    };
    // It asks for the body.
    run(async |upstream, listener| {
        let (outcome, ()) = tokio::join!(send(&upstream, expecting(), Body::full("hi")), async {
            let mut peer = Peer::accept(&listener).await;
            let head = peer.read_head().await;
            assert!(head.contains("expect: 100-continue\r\n"), "{head}");
            peer.send("HTTP/1.1 100 Continue\r\n\r\n").await;
            peer.read_until(b"hi").await;
            peer.send(OK).await;
        });
        assert_eq!(read(outcome).await, (200, Ok("ok".to_owned())));
    });
    // It does not want it: the client is never asked for it.
    run(async |upstream, listener| {
        let (sender, body) = supplied();
        sender.send(Err(BodyError::Malformed("nobody may look at this"))).expect("wanted");
        let (outcome, seen) = tokio::join!(async { read(send(&upstream, expecting(), body).await).await }, async {
            let mut peer = Peer::accept(&listener).await;
            peer.answer("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno").await;
            peer.read_to_close().await
        });
        assert_eq!(outcome, (417, Ok("no".to_owned())));
        assert_eq!(seen, "", "the connection ends without the body");
    });
    // It does not know expectations.
    run(async |upstream, listener| {
        let (outcome, ()) = tokio::join!(send(&upstream, expecting(), Body::full("hi")), async {
            let mut peer = Peer::accept(&listener).await;
            peer.read_head().await;
            peer.read_until(b"hi").await;
            peer.send(OK).await;
        });
        assert_eq!(read(outcome).await, (200, Ok("ok".to_owned())));
    });
}
