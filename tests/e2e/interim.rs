//! Interim responses (RFC 9110 section 15.2): 100-continue end to end, and those that an upstream sends by itself.

use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::exchange::ok;
use portcullis_tests::origin::Origin;
use portcullis_tests::raw::Raw;

const EXPECTING: &str = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";

#[tokio::test]
async fn early_hints_reach_the_client_before_the_answer() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let mut client = Raw::connect(edge.address("http")).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut exchange = origin.exchange().await;
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x-hop\r\nX-Hop: 1\r\n\r\n";
    exchange.send(hints).await;
    let interim = client.read_head().await;
    assert_eq!((interim.status(), interim.field("link")), (103, Some("</a.css>")), "{}", interim.raw);
    assert!(!interim.has("x-hop") && !interim.has("connection"), "{}", interim.raw);
    exchange.reply_text("ok").await;
    let head = client.read_head().await;
    assert_eq!(head.status(), 200);
    assert_eq!(client.read_body(&head).await.content, b"ok");
}

#[tokio::test]
async fn clients_of_http_1_0_get_no_interim_responses() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let mut client = Raw::connect(edge.address("http")).await;
    client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n").await;
    let mut exchange = origin.exchange().await;
    exchange.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n").await;
    exchange.reply_text("ok").await;
    assert_eq!(client.read_head().await.status(), 200);
}

#[tokio::test]
async fn the_upstream_asks_for_the_body() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let mut client = Raw::connect(edge.address("http")).await;
    client.send(EXPECTING).await;
    let mut exchange = origin.exchange().await;
    assert_eq!(exchange.head().field("expect"), Some("100-continue"), "{}", exchange.head().raw);
    exchange.send("HTTP/1.1 100 Continue\r\n\r\n").await;
    assert_eq!(client.read_head().await.status(), 100);
    client.send("hi").await;
    assert_eq!(exchange.read_body().await.content, b"hi");
    exchange.reply_text("ok").await;
    assert_eq!(client.read_head().await.status(), 200, "and the client is told once");
}

#[tokio::test]
async fn the_upstream_declines_the_body_unseen() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let mut client = Raw::connect(edge.address("http")).await;
    client.send(EXPECTING).await;
    let mut exchange = origin.exchange().await;
    exchange.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno").await;
    let head = client.read_head().await;
    assert_eq!(head.status(), 401, "no 100 came before");
    assert_eq!(client.read_body(&head).await.content, b"no");
    // Whether the client sends its body now nobody knows, so neither connection can be used again.
    assert_eq!(client.read_to_close().await, "");
    assert_eq!(exchange.into_raw().read_to_close().await, "");
}

#[tokio::test]
async fn an_expectation_without_a_body_ends_at_the_edge() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let call = edge.http().get("/").header("Expect", "100-continue");
    let _ = call.send().await.expect_status(200);
    assert!(!origin.last().head.has("expect"));
}

/// Nothing may stand between a response's head and its body, however early hints and head arrive.
#[tokio::test]
async fn an_interim_response_never_follows_the_final_head() {
    for framing in ["Content-Length: 4", "Transfer-Encoding: chunked"] {
        let mut origin = Origin::start().await;
        let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
        let mut client = Raw::connect(edge.address("http")).await;
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let mut exchange = origin.exchange().await;
        let early = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nContent-Length: 5\r\n\r\n";
        exchange.send(format!("{early}HTTP/1.1 200 OK\r\n{framing}\r\n\r\n")).await;
        let hints = client.read_head().await;
        assert_eq!((hints.status(), hints.has("content-length")), (103, false), "{framing}");
        let head = client.read_head().await;
        assert_eq!(head.status(), 200, "{framing}");
        exchange.send(if head.is_chunked() { "4\r\nbody\r\n0\r\n\r\n" } else { "body" }).await;
        assert_eq!(client.read_body(&head).await.content, b"body", "{framing}");
    }
}

/// A client that was answered is not asked for the body any more, and an endpoint that declined it does not get it.
#[tokio::test]
async fn a_declined_body_is_neither_asked_for_nor_sent() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let mut client = Raw::connect(edge.address("http")).await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n").await;
    let mut exchange = origin.exchange().await;
    exchange.send("HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let head = client.read_head().await;
    assert_eq!((head.status(), head.all("connection").next()), (401, Some("close")));
    exchange.send("2\r\nno\r\n0\r\n\r\n").await;
    assert_eq!(client.read_to_close().await, "2\r\nno\r\n0\r\n\r\n");
    assert_eq!(exchange.into_raw().read_to_close().await, "");
}

/// An endpoint that hangs in the middle of a body does not hold its client for ever.
#[tokio::test]
async fn a_body_that_stands_still_is_ended() {
    let mut origin = Origin::start().await;
    let config = format!("{}\nstream_idle_timeout = \"100ms\"\n", forwarding_to(&origin.endpoint()));
    let edge = Edge::start(&config).await;
    let mut client = Raw::connect(edge.address("http")).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut exchange = origin.exchange().await;
    exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").await;
    assert!(client.read_to_close().await.ends_with("\r\n\r\nhalf"));
    assert_eq!(exchange.into_raw().read_to_close().await, "");
}
