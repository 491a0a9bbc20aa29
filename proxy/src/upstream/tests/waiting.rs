//! Whose fault it is that nothing comes.

use super::support::*;
use crate::upstream::{SendLimits, UpstreamError};
use bytes::Bytes;
use http::Method;
use http_body::Frame;
use http_body_util::BodyExt;
use serve::{Body, BodyError};
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(200);

#[test]
fn an_endpoint_that_says_nothing() {
    run(async |upstream, listener| {
        let limits = SendLimits { response_timeout: SHORT, ..LIMITS };
        let sending = send_within(&upstream, request(Method::GET, "/"), Body::empty(), None, limits);
        let (outcome, seen) = tokio::join!(sending, async {
            let mut peer = Peer::accept(&listener).await;
            peer.read_head().await;
            peer.read_to_close().await
        });
        assert!(matches!(outcome, Err(UpstreamError::ResponseTimeout)));
        assert_eq!(seen, "", "the late answer would belong to nobody");
    });
}

#[test]
fn a_client_that_sends_no_more() {
    run(async |upstream, listener| {
        let limits = SendLimits { progress_timeout: SHORT, ..LIMITS };
        let (sender, body) = supplied();
        sender.send(piece(b"half")).expect("wanted");
        let sending = send_within(&upstream, request(Method::POST, "/"), body, None, limits);
        let (outcome, _) = tokio::join!(sending, async { Peer::accept(&listener).await.read_to_close().await });
        assert!(matches!(outcome, Err(UpstreamError::Client(BodyError::TooSlow))));
        drop(sender);
    });
}

#[test]
fn an_endpoint_that_takes_no_more() {
    run(async |upstream, listener| {
        let limits = SendLimits { response_timeout: SHORT, ..LIMITS };
        let (sender, body) = supplied();
        let large: &'static [u8] = Box::leak(vec![b'x'; 1 << 20].into_boxed_slice());
        (0..32).for_each(|_| sender.send(piece(large)).expect("wanted"));
        let sending = send_within(&upstream, request(Method::POST, "/"), body, None, limits);
        let (outcome, _peer) = tokio::join!(sending, Peer::accept(&listener));
        assert!(matches!(outcome, Err(UpstreamError::ResponseTimeout)));
    });
}

#[test]
fn a_request_that_is_dropped_ends_its_connection() {
    run(async |upstream, listener| {
        let accepting = async {
            let mut peer = Peer::accept(&listener).await;
            peer.read_head().await;
            peer
        };
        let mut peer = tokio::select! {
            _ = get(&upstream) => unreachable!("nobody answers"),
            peer = accepting => peer,
        };
        assert_eq!(peer.read_to_close().await, "");
    });
}

#[test]
fn the_rest_of_an_answered_upload_is_given_up_when_it_stops() {
    let cases = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok", Ok("okok".to_owned())),
        // Whether this is whole only the end of the connection tells.
        ("HTTP/1.1 200 OK\r\n\r\nok", Err(BodyError::TooSlow)),
    ];
    for (beginning, wanted) in cases {
        run(async |upstream, listener| {
            let limits = SendLimits { progress_timeout: SHORT, ..LIMITS };
            let (sender, body) = supplied();
            sender.send(piece(b"half")).expect("wanted");
            let sending =
                async { read(send_within(&upstream, request(Method::POST, "/"), body, None, limits).await).await };
            let ((status, body), seen) = tokio::join!(sending, async {
                let mut peer = Peer::accept(&listener).await;
                peer.read_until(b"half\r\n").await;
                peer.send(beginning).await;
                let seen = peer.read_to_close().await;
                // In the second case the proxy has closed.
                let _ = tokio::io::AsyncWriteExt::write_all(&mut peer.0, b"ok").await;
                seen
            });
            assert_eq!((status, body), (200, wanted));
            assert_eq!(seen, "", "it does not look like a whole request");
            assert!(sender.is_closed(), "the client is let go of");
        });
    }
}

#[test]
fn the_rest_of_an_answered_upload_may_take_long_while_it_moves() {
    run(async |upstream, listener| {
        let limits = SendLimits { progress_timeout: SHORT, ..LIMITS };
        let (sender, body) = supplied();
        sender.send(piece(b"0")).expect("wanted");
        let sending =
            async { read(send_within(&upstream, request(Method::POST, "/"), body, None, limits).await).await };
        let (outcome, ()) = tokio::join!(sending, async move {
            let mut peer = Peer::accept(&listener).await;
            peer.read_until(b"1\r\n0\r\n").await;
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n").await;
            for _ in 0..12 {
                // Together longer than the limit, each much shorter: a busy machine adds to them.
                tokio::time::sleep(SHORT / 8).await;
                sender.send(piece(b"1")).expect("still wanted");
                peer.read_until(b"1\r\n1\r\n").await;
            }
            drop(sender);
            peer.read_until(b"0\r\n\r\n").await;
            peer.send("ok").await;
        });
        assert_eq!(outcome, (200, Ok("ok".to_owned())));
    });
}

#[test]
fn nothing_is_held_for_a_retry_once_the_response_has_begun() {
    run(async |upstream, listener| {
        let (first, mut peer) = tokio::join!(async { read(get(&upstream).await).await }, async {
            let mut peer = Peer::accept(&listener).await;
            peer.answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
            peer
        });
        assert_eq!(first.0, 200);
        let mut block = Bytes::from(vec![b'x'; 64 * 1024]);
        let (sender, body) = supplied();
        sender.send(Ok(Frame::data(block.split_to(8 * 1024)))).expect("wanted");
        let (outcome, ()) = tokio::join!(send(&upstream, request(Method::PUT, "/"), body), async {
            peer.read_until(b"x\r\n").await;
            assert!(!block.is_unique(), "it may be needed once more");
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok").await;
        });
        let mut response = outcome.expect("a response").into_body();
        assert!(response.frame().await.is_some());
        assert!(block.is_unique(), "nobody sends it once more");
        assert!(!sender.is_closed());
    });
}
