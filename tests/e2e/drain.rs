//! Stopping: nothing new is taken, nothing under way is lost, and there is an end to it.

use portcullis_tests::client::Client;
use portcullis_tests::deadline::within;
use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::origin::Origin;
use portcullis_tests::process::Process;
use portcullis_tests::raw::Raw;
use tokio::net::TcpStream;

#[tokio::test]
async fn a_drain_finishes_a_download_in_flight() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let address = edge.address("http");
    let idle = edge.http().connect().await;
    let (mut answer, mut exchange) = tokio::join!(edge.http().get("/large").open(), async {
        let mut exchange = origin.exchange().await;
        exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst").await;
        exchange
    });
    assert_eq!(answer.read_until("first").await, "first");

    let stopping = tokio::spawn(edge.drain());
    let refused = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    within("new connections to be refused", refused).await;
    assert!(!stopping.is_finished(), "it waits for the download");

    exchange.send(" last").await;
    assert_eq!(answer.collect().await.expect("the rest").text(), " last");
    assert_eq!(within("the end", stopping).await.expect("a drain"), 0, "nothing was cut");
    assert!(idle.is_closed());
}

#[tokio::test]
async fn a_drain_has_a_deadline() {
    let mut origin = Origin::start().await;
    let config = format!("[server]\ndrain_timeout = \"200ms\"\n{}", forwarding_to(&origin.endpoint()));
    let edge = Edge::start(&config).await;
    let (answer, _exchange) = tokio::join!(edge.http().get("/endless").open(), async {
        let mut exchange = origin.exchange().await;
        exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst").await;
        exchange
    });
    assert_eq!(within("the end", edge.drain()).await, 1, "one connection was cut, and counted");
    assert!(answer.collect().await.is_err(), "the client sees that it was cut");
}

/// An event stream would outlast any deadline. It ends after a whole event, and its client comes back elsewhere.
#[tokio::test]
async fn a_drain_ends_event_streams_between_two_events() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let (mut answer, mut exchange) = tokio::join!(edge.http().get("/events").open(), async {
        let mut exchange = origin.exchange().await;
        exchange.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        exchange.send("9\r\ndata: 1\n\n\r\n7\r\ndata: 2\r\n").await;
        exchange
    });
    let _ = answer.read_until("data: 2").await;
    let stopping = tokio::spawn(edge.drain());
    exchange.send("5\r\nnd\n\n.\r\n").await;
    exchange.send("3\r\n!\n\n\r\n").await;
    let rest = answer.collect().await.expect("an orderly end");
    assert!(rest.text().ends_with("\n\n"), "{:?}", rest.text());
    assert_eq!(within("the end", stopping).await.expect("a drain"), 0, "nothing was cut");
}

/// The endpoint hears of it by the client's answer, as if the client had left by itself.
#[tokio::test]
async fn a_drain_closes_websockets_between_two_frames() {
    const CLOSE: [u8; 4] = [0x88, 2, 0x03, 0xE9];
    const ANSWERED: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE9];
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let mut client = Raw::connect(edge.address("http")).await;
    // Key and proof of RFC 6455 section 1.3.
    client
        .send(
            "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .await;
    let mut endpoint = origin.exchange().await.into_raw();
    endpoint
        .send(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        )
        .await;
    endpoint.send([0x81, 3, b'a', b'b']).await;
    let _ = client.read_head().await;
    assert_eq!(client.read_exactly(4).await, [0x81, 3, b'a', b'b'], "half a frame");

    let stopping = tokio::spawn(edge.drain());
    endpoint.send("c").await;
    assert_eq!(client.read_exactly(5).await, [&b"c"[..], &CLOSE].concat());
    // Nothing may follow a Close (RFC 6455 section 5.5.1).
    endpoint.send([0x81, 1, b'd']).await;
    client.send(ANSWERED).await;
    assert_eq!(endpoint.read_exactly(8).await, ANSWERED);
    drop(endpoint);
    assert_eq!(client.read_to_close().await, "");
    assert_eq!(within("the end", stopping).await.expect("a drain"), 0, "nothing was cut");
}

#[tokio::test]
async fn what_is_cut_is_said_by_its_kind() {
    let mut origin = Origin::start().await;
    let config = forwarding_to(&origin.endpoint()).replace(
        "[listener.http]",
        "[server]\ndrain_timeout = \"300ms\"\n[admin]\naddress = \"unix:admin.sock\"\n[listener.http]",
    );
    let mut process = Process::start(&config).await;
    let client = Client::http(process.address("http"));
    let mut open = Vec::new();
    for head in ["Content-Length: 9", "Content-Length: 9", "Content-Type: text/event-stream"] {
        let (answer, exchange) = tokio::join!(client.get("/").open(), async {
            let mut exchange = origin.exchange().await;
            // Half an event, so that the stream can't be ended in order.
            exchange.send(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\ndata:")).await;
            exchange
        });
        let mut answer = answer;
        let _ = answer.read_until("data:").await;
        open.push((answer, exchange));
    }
    process.signal("TERM").await;
    process.says("connections=3 requests=2 streams=1 websockets=0").await;
    assert_eq!(process.ended().await.code(), Some(3));
}
