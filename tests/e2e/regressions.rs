//! What went wrong once, each told by the request that showed it.

use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::exchange::ok;
use portcullis_tests::origin::Origin;
use portcullis_tests::raw::Raw;

/// Behind a switch to HTTP/2 a client could have sent requests of any path that met no route and no token check.
#[tokio::test]
async fn no_client_switches_an_upstream_to_http2() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let mut client = Raw::connect(edge.address("http")).await;
    let upgrade = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n";
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{upgrade}\r\n")).await;
    assert_eq!(client.read_head().await.status(), 200);
    let head = origin.last().head;
    for gone in ["upgrade", "connection", "http2-settings"] {
        assert_eq!(head.field(gone), None, "{}", head.raw);
    }
}

/// A socket that is closed with unread bytes is reset, and a reset takes the answer along.
#[tokio::test]
async fn a_client_that_uploads_before_it_reads_gets_its_refusal() {
    let origin = Origin::start().await.always(ok("ok"));
    let config = forwarding_to(&origin.endpoint()).replace("[[route]]", "[[route]]\nbody_bytes_max = \"1KiB\"");
    let edge = Edge::start(&config).await;
    let mut client = Raw::connect(edge.address("http")).await;
    client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 700_000)).await;
    client.send(vec![b'x'; 700_000]).await;
    assert_eq!(client.read_head().await.status(), 413);
    assert!(origin.received().is_empty());
}

/// The rest of the upload stayed in a connection that nobody polled, and the client waited for half a minute.
#[tokio::test]
async fn an_upload_that_was_answered_early_does_not_hang_in_the_pool() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let mut client = Raw::connect(edge.address("http")).await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n").await;
    let mut exchange = origin.exchange().await;
    exchange.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(client.read_head().await.status(), 401);
    // Only now does the client send it all: the edge must take the bytes or end the connection, or this waits for ever.
    client.send(vec![b'x'; 8_000_000]).await;
    drop(exchange);
}

/// RFC 9113 section 8.2.3: over HTTP/1.1 there is one Cookie field.
#[tokio::test]
async fn cookies_split_by_an_http2_client_are_joined() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let call = edge.http().get("/").header("Cookie", "a=1").header("Cookie", "b=2");
    let _ = call.send().await.expect_status(200);
    assert_eq!(origin.last().head.all("cookie").collect::<Vec<_>>(), ["a=1; b=2"]);
}
