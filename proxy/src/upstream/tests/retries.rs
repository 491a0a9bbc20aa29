//! What is sent once more, and what is not.

use super::support::*;
use crate::upstream::{Upstream, UpstreamError};
use http::{HeaderMap, HeaderValue, Method, header};
use http_body::Frame;
use serve::Body;
use tokio::net::TcpListener;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A connection that has served one request.
async fn used(upstream: &Upstream, listener: &TcpListener) -> Peer {
    let (outcome, peer) = tokio::join!(async { read(get(upstream).await).await }, async {
        let mut peer = Peer::accept(listener).await;
        peer.answer(OK).await;
        peer
    });
    assert_eq!(outcome, (200, Ok("ok".to_owned())));
    peer
}

#[test]
fn an_idempotent_request_goes_out_again_with_its_body() {
    for (method, body, wanted) in [
        (Method::GET, "", "GET /again HTTP/1.1\r\n\r\n"),
        (Method::DELETE, "", "DELETE /again HTTP/1.1\r\n\r\n"),
        (Method::PUT, "hello", "PUT /again HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello"),
    ] {
        run(async |upstream, listener| {
            let mut stale = used(&upstream, &listener).await;
            let again = send(&upstream, request(method.clone(), "/again"), Body::full(body));
            let (outcome, ()) = tokio::join!(again, async {
                assert_eq!(stale.read_until(wanted.as_bytes()).await, wanted);
                stale.reset();
                let mut fresh = Peer::accept(&listener).await;
                assert_eq!(fresh.read_until(wanted.as_bytes()).await, wanted);
                fresh.send(OK).await;
            });
            assert_eq!(read(outcome).await, (200, Ok("ok".to_owned())));
        });
    }
}

#[test]
fn a_body_that_was_under_way_goes_out_again_from_its_beginning() {
    run(async |upstream, listener| {
        let mut stale = used(&upstream, &listener).await;
        let (sender, body) = supplied();
        sender.send(piece(b"one")).expect("wanted");
        let (outcome, ()) = tokio::join!(send(&upstream, request(Method::PUT, "/"), body), async {
            stale.read_until(b"3\r\none\r\n").await;
            sender.send(piece(b"two")).expect("wanted");
            stale.read_until(b"3\r\ntwo\r\n").await;
            stale.reset();
            let mut fresh = Peer::accept(&listener).await;
            fresh.read_head().await;
            assert_eq!(fresh.read_until(b"two\r\n").await, "3\r\none\r\n3\r\ntwo\r\n");
            sender.send(piece(b"three")).expect("wanted");
            drop(sender);
            assert_eq!(fresh.read_until(b"0\r\n\r\n").await, "5\r\nthree\r\n0\r\n\r\n");
            fresh.send(OK).await;
        });
        assert_eq!(read(outcome).await, (200, Ok("ok".to_owned())));
    });
}

#[test]
fn a_trailer_goes_out_again_behind_its_body() {
    run(async |upstream, listener| {
        let mut stale = used(&upstream, &listener).await;
        let (sender, body) = supplied();
        sender.send(piece(b"one")).expect("wanted");
        let trailer = HeaderMap::from_iter([(header::ETAG, HeaderValue::from_static("\"1\""))]);
        sender.send(Ok(Frame::trailers(trailer))).expect("wanted");
        drop(sender);
        let wanted = "3\r\none\r\n0\r\netag: \"1\"\r\n\r\n";
        let (outcome, ()) = tokio::join!(send(&upstream, request(Method::PUT, "/"), body), async {
            stale.read_head().await;
            assert_eq!(stale.read_until(b"\"1\"\r\n\r\n").await, wanted);
            stale.reset();
            let mut fresh = Peer::accept(&listener).await;
            fresh.read_head().await;
            assert_eq!(fresh.read_until(b"\"1\"\r\n\r\n").await, wanted);
            fresh.send(OK).await;
        });
        assert_eq!(read(outcome).await, (200, Ok("ok".to_owned())));
    });
}

#[test]
fn what_may_have_had_an_effect_goes_out_once() {
    const LARGE: usize = 100_000;
    for (method, body_bytes, answer) in
        [(Method::POST, 5, ""), (Method::POST, 0, ""), (Method::GET, 0, "HTTP/1.1 2"), (Method::PUT, LARGE, "")]
    {
        run(async |upstream, listener| {
            let mut stale = used(&upstream, &listener).await;
            let body = Body::full(vec![b'x'; body_bytes]);
            let (outcome, ()) = tokio::join!(send(&upstream, request(method.clone(), "/"), body), async {
                stale.read_head().await;
                stale.read_until(&b"x".repeat(body_bytes)).await;
                stale.send(answer).await;
                drop(stale);
            });
            assert!(matches!(outcome, Err(UpstreamError::Reset(_))), "{method} {body_bytes}");
            let accepted = tokio::time::timeout(std::time::Duration::ZERO, listener.accept()).await;
            assert!(accepted.is_err(), "{method} {body_bytes} came again");
        });
    }
}

#[test]
fn a_fresh_connection_is_not_tried_again() {
    run(async |upstream, listener| {
        let (outcome, ()) = tokio::join!(get(&upstream), async {
            let mut peer = Peer::accept(&listener).await;
            peer.read_head().await;
            peer.reset();
        });
        assert!(matches!(outcome, Err(UpstreamError::Reset(_))));
    });
}

/// The runtime has had no turn to notice the end: the kernel is asked.
#[test]
fn what_can_not_be_sent_twice_is_not_risked_on_a_connection_that_has_ended() {
    run(async |upstream, listener| {
        let stale = used(&upstream, &listener).await;
        let stale = stale.0.into_std().expect("a socket");
        drop(stale);
        let post = send(&upstream, request(Method::POST, "/"), Body::full("hi"));
        let (outcome, ()) = tokio::join!(post, async {
            let mut fresh = Peer::accept(&listener).await;
            fresh.read_until(b"hi").await;
            fresh.send(OK).await;
        });
        assert_eq!(read(outcome).await, (200, Ok("ok".to_owned())));
    });
}

#[test]
fn bytes_that_nobody_asked_for_end_an_idle_connection() {
    run(async |upstream, listener| {
        let mut chatty = used(&upstream, &listener).await;
        chatty.send("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n").await;
        let post = send(&upstream, request(Method::POST, "/"), Body::empty());
        let (outcome, ()) = tokio::join!(post, async {
            Peer::accept(&listener).await.answer(OK).await;
        });
        assert_eq!(read(outcome).await, (200, Ok("ok".to_owned())));
        assert_eq!(chatty.read_to_close().await, "");
    });
}
