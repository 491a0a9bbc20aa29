//! Request bodies that are held until they are whole: the application sees none of a slow upload.

use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::frame::Frame;
use portcullis_tests::hpack;
use portcullis_tests::http2::Http2;
use portcullis_tests::origin::Origin;
use portcullis_tests::raw::Raw;

async fn edge(origin: &Origin, buffer: &str) -> Edge {
    Edge::start(&format!("{}\nbuffer = {buffer}\n", forwarding_to(&origin.endpoint()))).await
}

#[tokio::test]
async fn the_upstream_is_asked_when_the_body_is_whole_and_learns_its_length() {
    for buffer in ["{ memory = \"1KiB\" }", "{ memory = \"8B\", disk = \"1KiB\" }"] {
        let mut origin = Origin::start().await;
        let edge = edge(&origin, buffer).await;
        let mut client = Raw::connect(edge.address("http")).await;
        client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n").await;
        client.send("6\r\nworld,\r\n").await;
        // Another request shows that the edge has had every chance to ask.
        let (answer, ()) = tokio::join!(edge.http().get("/other").send(), async {
            let exchange = origin.exchange().await;
            assert_eq!(exchange.head().target(), "/other", "{buffer}: the upload came first");
            exchange.reply_text("other").await;
        });
        let _ = answer.expect_status(200);
        assert!(origin.is_quiet(), "{buffer}");
        client.send("4\r\n bye\r\n0\r\n\r\n").await;
        let mut exchange = origin.exchange().await;
        assert_eq!(exchange.head().all("content-length").collect::<Vec<_>>(), ["16"], "{buffer}");
        assert_eq!(exchange.read_body().await.content, b"hello world, bye", "{buffer}");
        exchange.reply_text("done").await;
        assert_eq!(client.read_head().await.status(), 200, "{buffer}");
    }
}

#[tokio::test]
async fn what_does_not_fit_streams_on() {
    let mut origin = Origin::start().await;
    let edge = edge(&origin, "{ memory = \"8B\" }").await;
    let (call, upload) = edge.http().post("/").upload();
    upload.send("0123456789");
    let (answer, ()) = tokio::join!(call.send(), async {
        // The upstream is asked before the body is whole.
        let mut exchange = origin.exchange().await;
        upload.send("abc");
        drop(upload);
        assert_eq!(exchange.read_body().await.content, b"0123456789abc");
        exchange.reply_text("done").await;
    });
    let _ = answer.expect_status(200);
}

/// A route that holds bodies in memory, with these keys of the route.
async fn holding(origin: &Origin, keys: &str) -> Edge {
    Edge::start(&format!("{}\nbuffer = {{ memory = \"1KiB\" }}\n{keys}\n", forwarding_to(&origin.endpoint()))).await
}

const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

#[tokio::test]
async fn a_client_that_waits_to_be_asked_is_asked_by_the_edge() {
    let mut origin = Origin::start().await;
    let edge = holding(&origin, "").await;
    let mut client = Raw::connect(edge.address("http")).await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n").await;
    assert_eq!(client.read_head().await.status(), 100);
    assert!(origin.is_quiet());
    client.send("hi").await;
    let mut exchange = origin.exchange().await;
    assert!(!exchange.head().has("expect"), "the body is at hand: {}", exchange.head().raw);
    assert_eq!(exchange.read_body().await.content, b"hi");
    exchange.reply_text("done").await;
    assert_eq!(client.read_head().await.status(), 200);
}

#[tokio::test]
async fn what_is_refused_while_it_is_held_reaches_no_upstream() {
    let mut origin = Origin::start().await;
    let edge = holding(&origin, "body_bytes_max = \"8B\"\nprogress_timeout = \"300ms\"").await;
    for (body, status) in [("6\r\nhello \r\n6\r\nworld,\r\n", 413), ("5\r\nhello\r\n", 408)] {
        let mut client = Raw::connect(edge.address("http")).await;
        client.send(format!("{CHUNKED}{body}")).await;
        assert_eq!(client.read_head().await.status(), status);
        assert!(origin.is_quiet(), "{status}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_while_its_body_is_held_reaches_no_upstream() {
    let mut origin = Origin::start().await;
    let edge = holding(&origin, "").await;
    let mut client = Raw::connect(edge.address("http")).await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n").await;
    assert_eq!(client.read_head().await.status(), 100);
    client.send("hello").await;
    client.reset();
    // The request has ended when its line is written.
    let line = edge.log().text_with("\"POST\"").await;
    assert!(origin.is_quiet(), "{line}");
    assert_eq!(origin.connections(), 0);
}

#[tokio::test]
async fn trailers_of_a_held_body_arrive() {
    for buffer in ["{ memory = \"1KiB\" }", "{ memory = \"0B\", disk = \"1KiB\" }"] {
        let mut origin = Origin::start().await;
        let edge = edge(&origin, buffer).await;
        let mut client = Raw::connect(edge.address("http")).await;
        client.send(format!("{CHUNKED}2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n")).await;
        let mut exchange = origin.exchange().await;
        assert!(exchange.head().is_chunked(), "{buffer}: {}", exchange.head().raw);
        let body = exchange.read_body().await;
        assert_eq!((&body.content[..], &body.trailers[..]), (&b"hi"[..], &["x-sum: 1".to_owned()][..]), "{buffer}");
        exchange.reply_text("done").await;
        assert_eq!(client.read_head().await.status(), 200, "{buffer}");
    }
}

#[tokio::test]
async fn with_no_memory_left_the_disk_holds_and_with_neither_nothing_does() {
    for (disk, held) in [("1KiB", true), ("0B", false)] {
        let mut origin = Origin::start().await;
        let server = format!("[server]\nbuffer_memory_max = \"4B\"\nbuffer_disk_max = \"{disk}\"");
        let config = format!("{server}\n{}\nbuffer = {{ disk = \"1KiB\" }}\n", forwarding_to(&origin.endpoint()));
        let edge = Edge::start(&config).await;
        let mut client = Raw::connect(edge.address("http")).await;
        client.send(format!("{CHUNKED}10\r\n0123456789abcdef\r\n0\r\n\r\n")).await;
        let mut exchange = origin.exchange().await;
        // Only of a body that was held is the length known.
        let length: Vec<_> = exchange.head().all("content-length").collect();
        assert_eq!(length, if held { &["16"][..] } else { &[] }, "{disk}");
        assert_eq!(exchange.read_body().await.content, b"0123456789abcdef");
        exchange.reply_text("done").await;
        assert_eq!(client.read_head().await.status(), 200);
    }
}

#[tokio::test]
async fn bodies_and_trailers_of_http2_are_held_too() {
    let mut origin = Origin::start().await;
    let config = forwarding_to(&origin.endpoint()).replace("[listener.http]", "[listener.http]\nh2c = true");
    let edge = Edge::start(&format!("{config}\nbuffer = {{ memory = \"1KiB\" }}\n")).await;
    let mut client = Http2::open(&edge.http()).await;
    client.send(Frame::headers(1, hpack::request("POST", "/held", &[("content-length", "5")]))).await;
    client.send(Frame::data(1, "hel")).await;
    // Another request on the same connection shows that the edge has had every chance to ask.
    client.get(3, "/other").await;
    let exchange = origin.exchange().await;
    assert_eq!(exchange.head().target(), "/other");
    exchange.reply_text("other").await;
    assert_eq!(client.answer(3).await.status, Some(200));
    assert!(origin.is_quiet());
    client.send(Frame::data(1, "lo")).await;
    client.send(Frame::headers(1, hpack::literal("x-sum", "1")).end()).await;
    let mut exchange = origin.exchange().await;
    assert_eq!(exchange.head().target(), "/held");
    assert!(!exchange.head().has("content-length"), "{}", exchange.head().raw);
    let body = exchange.read_body().await;
    assert_eq!((&body.content[..], &body.trailers[..]), (&b"hello"[..], &["x-sum: 1".to_owned()][..]));
    exchange.reply_text("done").await;
    assert_eq!(client.answer(1).await.status, Some(200));
}

#[tokio::test]
async fn a_grpc_call_is_not_held_because_its_directions_may_wait_for_each_other() {
    let mut origin = Origin::start().await;
    let edge = holding(&origin, "").await;
    let (call, upload) = edge.http().post("/").header("Content-Type", "application/grpc+proto").upload();
    upload.send("first");
    let (answer, ()) = tokio::join!(call.send(), async {
        let mut raw = origin.exchange().await.into_raw();
        raw.read_until(b"first\r\n").await;
        drop(upload);
        raw.read_until(b"0\r\n\r\n").await;
        raw.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    });
    assert_eq!(answer.expect_status(200).text(), "ok");
}
