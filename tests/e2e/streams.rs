//! What must not wait for its end: event streams, uploads, upgraded connections.

use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::origin::Origin;
use portcullis_tests::raw::Raw;

#[tokio::test]
async fn events_arrive_one_by_one() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let call = edge.http().get("/events").header("Accept", "text/event-stream");
    let (mut answer, mut exchange) = tokio::join!(call.open(), async {
        let mut exchange = origin.exchange().await;
        exchange.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        exchange
    });
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    for number in 1..=3 {
        let event = format!("data: {number}\n\n");
        exchange.send(format!("{:x}\r\n{event}\r\n", event.len())).await;
        // The next one is only sent when this one has been seen: nothing on the way may hold it back.
        assert_eq!(answer.read_until("\n\n").await, event);
    }
    exchange.send("0\r\n\r\n").await;
    assert_eq!(answer.piece().await.expect("an orderly end"), None);
}

#[tokio::test]
async fn a_body_that_ends_with_its_connection_streams_too() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let (mut answer, mut exchange) = tokio::join!(edge.http().get("/").open(), async {
        let mut exchange = origin.exchange().await;
        exchange.send("HTTP/1.1 200 OK\r\n\r\nfirst").await;
        exchange
    });
    assert_eq!(answer.read_until("first").await, "first");
    exchange.send("second").await;
    assert_eq!(answer.read_until("second").await, "second");
    exchange.close().await;
    assert_eq!(answer.piece().await.expect("an orderly end"), None);
}

#[tokio::test]
async fn an_upload_reaches_the_upstream_while_it_is_under_way() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let (call, upload) = edge.http().post("/").upload();
    upload.send("first");
    let (answer, ()) = tokio::join!(call.send(), async {
        let exchange = origin.exchange().await;
        assert!(exchange.head().is_chunked(), "{}", exchange.head().raw);
        let mut raw = exchange.into_raw();
        raw.read_until(b"first\r\n").await;
        upload.send("second");
        raw.read_until(b"second\r\n").await;
        drop(upload);
        raw.read_until(b"0\r\n\r\n").await;
        raw.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    });
    assert_eq!(answer.expect_status(200).text(), "ok");
}

#[tokio::test]
async fn a_broken_upload_is_seen_as_broken_by_the_upstream() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let (call, upload) = edge.http().post("/").upload();
    upload.send("half");
    let (answer, seen) = tokio::join!(call.try_open(), async {
        let mut raw = origin.exchange().await.into_raw();
        raw.read_until(b"half\r\n").await;
        upload.abort();
        raw.read_to_close().await
    });
    assert!(!seen.ends_with("0\r\n\r\n"), "{seen:?}");
    drop(answer);
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let mut client = Raw::connect(edge.address("http")).await;
    client
        .send(
            "POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n\
             2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n",
        )
        .await;
    let mut exchange = origin.exchange().await;
    let body = exchange.read_body().await.clone();
    assert_eq!(body.content, b"hi");
    assert_eq!(body.trailers, ["x-sum: 1"]);
    // Some servers throw away what is not announced.
    assert_eq!(exchange.head().field("trailer"), Some("X-Sum"));
    // And some send theirs only to who says that it takes them, as a matter of this connection.
    assert_eq!((exchange.head().field("te"), exchange.head().field("connection")), (Some("trailers"), Some("te")));
    exchange
        .reply(
            "HTTP/1.1 200 OK\r\nTrailer: X-Check\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Check: 2\r\n\r\n",
        )
        .await;
    let head = client.read_head().await;
    let body = client.read_body(&head).await;
    assert_eq!(body.content, b"ok");
    assert_eq!((head.field("trailer"), body.trailers.as_slice()), (Some("X-Check"), &["x-check: 2".to_owned()][..]));
}

const WEBSOCKET: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[tokio::test]
async fn a_websocket_is_a_tunnel() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let mut client = Raw::connect(edge.address("http")).await;
    client.send(format!("GET /socket HTTP/1.1\r\nHost: a\r\n{WEBSOCKET}\r\n")).await;
    let mut exchange = origin.exchange().await;
    let head = exchange.head();
    assert_eq!(head.field("upgrade"), Some("websocket"), "{}", head.raw);
    assert!(head.field("connection").expect("a Connection field").eq_ignore_ascii_case("upgrade"), "{}", head.raw);
    assert_eq!(head.field("sec-websocket-key"), Some("dGhlIHNhbXBsZSBub25jZQ=="));
    exchange
        .send(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nfrom the server at once",
        )
        .await;
    let answer = client.read_head().await;
    assert_eq!(answer.status(), 101, "{}", answer.raw);
    assert_eq!(answer.field("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(client.read_exactly(23).await, b"from the server at once");
    let mut server = exchange.into_raw();
    client.send([0x81, 0x00, 0xff, b'\n']).await;
    assert_eq!(server.read_exactly(4).await, [0x81, 0x00, 0xff, b'\n']);
    server.send("pong").await;
    assert_eq!(client.read_exactly(4).await, b"pong");
    // The end of one side reaches the other.
    server.finish().await;
    assert_eq!(client.read_to_close().await, "");
    client.finish().await;
    assert_eq!(server.read_to_close().await, "");
}

#[tokio::test]
async fn an_upstream_may_decline_the_upgrade() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let mut client = Raw::connect(edge.address("http")).await;
    client.send(format!("GET /socket HTTP/1.1\r\nHost: a\r\n{WEBSOCKET}\r\n")).await;
    origin.exchange().await.reply("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").await;
    let head = client.read_head().await;
    assert_eq!(head.status(), 403);
    assert_eq!(client.read_body(&head).await.content, b"no");
    client.send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n").await;
    origin.exchange().await.reply_text("ok").await;
    assert_eq!(client.read_head().await.status(), 200, "the connection still speaks HTTP");
}

#[tokio::test]
async fn a_websocket_on_which_nothing_passes_is_closed() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&format!("{}\nstream_idle_timeout = \"200ms\"\n", forwarding_to(&origin.endpoint()))).await;
    let mut client = Raw::connect(edge.address("http")).await;
    client.send(format!("GET /socket HTTP/1.1\r\nHost: a\r\n{WEBSOCKET}\r\n")).await;
    let mut exchange = origin.exchange().await;
    exchange.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n").await;
    assert_eq!(client.read_head().await.status(), 101);
    assert_eq!(client.read_to_close().await, "");
    assert_eq!(exchange.into_raw().read_to_close().await, "");
}
