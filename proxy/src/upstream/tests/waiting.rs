//! Whose fault it is that nothing comes.

use super::support::*;
use crate::upstream::{SendLimits, UpstreamError};
use http::Method;
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
