//! After a switch of protocols: bytes both ways, ends, and the limit of silence.

use super::support::*;
use crate::upstream::{SendLimits, Upstream, UpstreamBody};
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use serve::{Body, BodyError};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n";

async fn open(
    upstream: &Upstream,
    listener: &TcpListener,
    client: Body,
    stream_idle_timeout: Duration,
    answer: &str,
) -> (UpstreamBody, Peer) {
    let limits = SendLimits { stream_idle_timeout, ..LIMITS };
    let head = request(Method::GET, "/");
    let sending = send_within(upstream, head, Body::empty(), Some(client), limits);
    let (outcome, peer) = tokio::join!(sending, async {
        let mut peer = Peer::accept(listener).await;
        peer.answer(answer).await;
        peer
    });
    let response = outcome.expect("a response");
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    (response.into_body(), peer)
}

async fn next(body: &mut UpstreamBody) -> Option<Result<String, BodyError>> {
    let frame = body.frame().await?;
    Some(frame.map(|frame| String::from_utf8(frame.into_data().expect("data").to_vec()).expect("text")))
}

#[test]
fn bytes_pass_both_ways_and_each_end_is_told() {
    run(async |upstream, listener| {
        let (sender, client) = supplied();
        let answer = format!("{SWITCH}at once");
        let (mut body, mut peer) = open(&upstream, &listener, client, LIMITS.stream_idle_timeout, &answer).await;
        assert!(body.is_tunnel());
        assert_eq!(next(&mut body).await, Some(Ok("at once".to_owned())));
        sender.send(piece(b"\0ping")).expect("wanted");
        let (seen, ()) = tokio::join!(next(&mut body), async {
            assert_eq!(peer.read_until(b"ping").await, "\0ping");
            peer.send("pong").await;
        });
        assert_eq!(seen, Some(Ok("pong".to_owned())));
        // The client ends its direction; the other one goes on.
        drop(sender);
        let (seen, ()) = tokio::join!(next(&mut body), async {
            assert_eq!(peer.read_to_close().await, "");
            peer.send("last words").await;
        });
        assert_eq!(seen, Some(Ok("last words".to_owned())));
        drop(peer);
        assert_eq!(next(&mut body).await, None);
        assert_eq!(next(&mut body).await, None);
    });
}

#[test]
fn what_the_client_had_sent_arrives_behind_the_endpoints_end() {
    run(async |upstream, listener| {
        let (sender, client) = supplied();
        let (mut body, mut peer) = open(&upstream, &listener, client, LIMITS.stream_idle_timeout, SWITCH).await;
        peer.0.shutdown().await.expect("an open connection");
        (0..100).for_each(|_| sender.send(piece(b"up")).expect("wanted"));
        assert_eq!(next(&mut body).await, None);
        drop(body);
        assert_eq!(peer.read_to_close().await, "up".repeat(100));
    });
}

#[test]
fn a_client_that_is_lost_ends_the_tunnel() {
    run(async |upstream, listener| {
        let (sender, client) = supplied();
        let (mut body, mut peer) = open(&upstream, &listener, client, LIMITS.stream_idle_timeout, SWITCH).await;
        sender.send(Err(BodyError::Disconnected)).expect("wanted");
        assert_eq!(next(&mut body).await, Some(Err(BodyError::Disconnected)));
        assert_eq!(peer.read_to_close().await, "");
    });
}

#[test]
fn silence_ends_a_tunnel() {
    run(async |upstream, listener| {
        let (sender, client) = supplied();
        let (mut body, mut peer) = open(&upstream, &listener, client, Duration::from_millis(200), SWITCH).await;
        assert_eq!(next(&mut body).await, Some(Err(BodyError::TooSlow)));
        assert_eq!(peer.read_to_close().await, "");
        assert!(sender.is_closed());
    });
}

#[test]
fn an_endpoint_may_decline() {
    run(async |upstream, listener| {
        let (sender, client) = supplied();
        let head = request(Method::GET, "/");
        let sending = send_within(&upstream, head, Body::empty(), Some(client), LIMITS);
        let (outcome, mut peer) = tokio::join!(sending, async {
            let mut peer = Peer::accept(&listener).await;
            peer.answer("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").await;
            peer
        });
        assert_eq!(read(outcome).await, (403, Ok("no".to_owned())));
        assert!(sender.is_closed());
        let (outcome, _) = tokio::join!(get(&upstream), peer.answer("HTTP/1.1 204 No Content\r\n\r\n"));
        assert_eq!(read(outcome).await, (204, Ok(String::new())), "the connection still speaks HTTP");
    });
}
