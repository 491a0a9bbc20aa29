//! Stopping: nothing new is taken, nothing under way is lost, and there is an end to it.

use portcullis_tests::deadline::within;
use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::origin::Origin;
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
