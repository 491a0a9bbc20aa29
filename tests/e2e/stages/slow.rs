//! Peers that are slow at each stage, on both sides: each wait has its own limit and its own answer.

use super::{INTERNAL_ERROR, PROMPTLY, code, refused, start};
use portcullis_tests::exchange::ok;
use portcullis_tests::frame::{END_HEADERS, Frame};
use portcullis_tests::hpack;
use portcullis_tests::http2::{Ending, Http2};
use portcullis_tests::raw::{End, Raw};
use std::time::Duration;

/// A byte now and then does not move the deadline of a head: it is one for all of it.
#[tokio::test]
async fn a_head_that_drips_is_408() {
    let (edge, mut origin) = start("header_timeout = \"500ms\"", "").await;
    let mut client = Raw::connect(edge.address("http")).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ").await;
    let mut answer = Vec::new();
    for _ in 0..500 {
        client.send("x").await;
        // The pace of the drip.
        let (read, end) = client.read_to_end(Duration::from_millis(20)).await;
        answer.extend(read);
        if end != End::Open {
            break;
        }
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    assert!(head.starts_with("HTTP/1.1 408 ") && head.to_ascii_lowercase().contains("connection: close"), "{head}");
    assert_eq!(code(body.as_bytes()), "request_timeout");
    assert!(origin.is_quiet());
}

/// A header block that is begun and not ended holds up all of its connection.
#[tokio::test]
async fn a_block_that_does_not_end_ends_the_connection() {
    let (edge, mut origin) = start("header_timeout = \"300ms\"\nidle_timeout = \"300ms\"", "").await;
    let mut connection = Http2::open(&edge.https()).await;
    connection.send(Frame::headers(1, hpack::request("GET", "/", &[])).without(END_HEADERS).end()).await;
    assert_ne!(connection.into_raw().read_to_end(PROMPTLY).await.1, End::Open);
    assert!(origin.is_quiet());
}

#[tokio::test]
async fn a_body_that_stops_is_408() {
    let (edge, mut origin) = start("", "progress_timeout = \"300ms\"").await;
    let mut client = Raw::connect(edge.address("http")).await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf").await;
    let mut upstream = origin.exchange().await.into_raw();
    let head = client.read_head().await;
    let body = client.read_body(&head).await.content;
    assert_eq!((head.status(), code(&body).as_str()), (408, "body_too_slow"));
    assert_eq!(head.field("connection"), Some("close"), "{}", head.raw);
    assert_ne!(client.read_to_end(PROMPTLY).await.1, End::Open);
    assert_ne!(upstream.read_to_end(PROMPTLY).await.1, End::Open, "the upstream must see it break off");

    let mut connection = Http2::open(&edge.https()).await;
    connection.send(Frame::headers(1, hpack::request("POST", "/", &[]))).await;
    connection.send(Frame::data(1, "half")).await;
    let mut upstream = origin.exchange().await.into_raw();
    assert_eq!(refused(&connection.answer(1).await), (Some(408), "body_too_slow".to_owned()));
    assert_ne!(upstream.read_to_end(PROMPTLY).await.1, End::Open, "the upstream must see it break off");
    connection.get(3, "/next").await;
    let (answer, ()) = tokio::join!(connection.answer(3), async { origin.exchange().await.reply(ok("next")).await });
    assert_eq!(answer.ending, Ending::Whole, "the connection goes on");
}

/// A reader that takes nothing would otherwise hold an upstream's connection for as long as it likes.
#[tokio::test]
async fn a_reader_that_takes_nothing_is_left() {
    let large = || ok(&"x".repeat(32 << 20));
    let (edge, mut origin) = start("send_timeout = \"300ms\"", "").await;
    let mut client = Raw::connect(edge.address("http")).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut exchange = origin.exchange().await;
    exchange.send(large()).await;
    assert_ne!(exchange.into_raw().read_to_end(PROMPTLY).await.1, End::Open, "HTTP/1.1");

    let mut connection = Http2::open(&edge.https()).await;
    connection.get(1, "/").await;
    let mut exchange = origin.exchange().await;
    exchange.send(large()).await;
    assert_ne!(exchange.into_raw().read_to_end(PROMPTLY).await.1, End::Open, "HTTP/2");
    // It gets its window's worth, and is then told that no more will come.
    let answer = connection.answer(1).await;
    assert!(answer.body.len() <= 65_535 && answer.ending != Ending::Whole, "{} {:?}", answer.body.len(), answer.ending);
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_is_504() {
    let (edge, mut origin) = start("", "response_timeout = \"300ms\"").await;
    for half in ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nX-Slow: "] {
        let mut client = Raw::connect(edge.address("http")).await;
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let mut exchange = origin.exchange().await;
        exchange.send(half).await;
        let head = client.read_head().await;
        let body = client.read_body(&head).await.content;
        assert_eq!((head.status(), code(&body).as_str()), (504, "upstream_timeout"), "{half:?}");
        assert_ne!(exchange.into_raw().read_to_end(PROMPTLY).await.1, End::Open, "{half:?}");

        let mut connection = Http2::open(&edge.https()).await;
        connection.get(1, "/").await;
        let mut exchange = origin.exchange().await;
        exchange.send(half).await;
        assert_eq!(refused(&connection.answer(1).await), (Some(504), "upstream_timeout".to_owned()), "{half:?}");
        assert_ne!(exchange.into_raw().read_to_end(PROMPTLY).await.1, End::Open, "{half:?}");
    }
}

/// Not the client is slow here, though its body stands still: the upstream does not take it.
#[tokio::test]
async fn an_upstream_that_does_not_read_is_504() {
    let (edge, mut origin) = start("", "response_timeout = \"300ms\"\nbody_bytes_max = \"1GiB\"").await;
    let mut connection = edge.http().connect().await;
    let (call, upload) = edge.http().post("/").upload();
    upload.send(vec![b'x'; 64 << 20]);
    let (answer, exchange) = tokio::join!(call.open_on(&mut connection), origin.exchange());
    let answer = answer.expect("an answer").collect().await.expect("a whole answer");
    assert_eq!(answer.expect_status(504).edge_code(), "upstream_timeout");
    drop(exchange);
}

/// A stream of events may be silent for long; only the limit of the whole ends it, and then visibly.
#[tokio::test]
async fn an_answer_that_stands_still_is_cut_by_the_limit_of_the_whole() {
    let half = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n";
    let (edge, mut origin) = start("", "total_timeout = \"500ms\"").await;
    let mut client = Raw::connect(edge.address("http")).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut exchange = origin.exchange().await;
    exchange.send(half).await;
    assert_eq!(client.read_head().await.status(), 200);
    let (body, end) = client.read_to_end(PROMPTLY).await;
    assert!(end != End::Open && !body.ends_with(b"0\r\n\r\n"), "{end:?}");
    assert_ne!(exchange.into_raw().read_to_end(PROMPTLY).await.1, End::Open);

    let mut connection = Http2::open(&edge.https()).await;
    connection.get(1, "/").await;
    let mut exchange = origin.exchange().await;
    exchange.send(half).await;
    let answer = connection.answer(1).await;
    assert_eq!((answer.status, answer.body.as_slice()), (Some(200), b"half".as_slice()));
    assert_eq!(answer.ending, Ending::Reset(INTERNAL_ERROR));
}
