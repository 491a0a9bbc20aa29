//! The upstream's connection ends, in order or by a reset, at each stage of an answer.

use super::{INTERNAL_ERROR, PROMPTLY, code, refused, start};
use portcullis_tests::exchange::{Exchange, ok};
use portcullis_tests::frame::Frame;
use portcullis_tests::hpack;
use portcullis_tests::http2::{Ending, Http2};
use portcullis_tests::raw::{End, Raw};
use tokio::sync::Notify;

/// What the upstream sends before its connection ends.
struct Stage {
    name: &'static str,
    sent: &'static str,
    /// What the client sees of a body before; `None` when not even the head is whole.
    seen: Option<&'static str>,
}

const fn stage(name: &'static str, sent: &'static str, seen: Option<&'static str>) -> Stage {
    Stage { name, sent, seen }
}

const STAGES: &[Stage] = &[
    stage("before the head", "", None),
    stage("inside the status line", "HTTP/1.1 20", None),
    stage("inside the fields", "HTTP/1.1 200 OK\r\nContent-Le", None),
    stage("before the empty line", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n", None),
    stage("behind the head, before a body of a length", "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n", Some("")),
    stage("inside a body of a length", "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf", Some("half")),
    stage("behind the head, before the chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Some("")),
    stage("inside a size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n1", Some("half")),
    stage("inside a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf", Some("half")),
    stage("behind a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", Some("half")),
    stage("at the trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n", Some("half")),
    stage(
        "inside a trailer",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\nX-Sum: ",
        Some("half"),
    ),
];

const ENDS: [(&str, bool); 2] = [("a reset", true), ("an orderly end", false)];

async fn end(exchange: Exchange, by_reset: bool) {
    if by_reset { exchange.reset() } else { exchange.close().await }
}

#[tokio::test]
async fn over_http1() {
    let (edge, mut origin) = start("", "").await;
    for Stage { name, sent, seen } in STAGES {
        for (how, by_reset) in ENDS {
            let mut client = Raw::connect(edge.address("http")).await;
            // Nothing is sent twice: whether it had an effect is not known.
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi").await;
            let mut exchange = origin.exchange().await;
            assert_eq!(exchange.read_body().await.content, b"hi");
            exchange.send(sent).await;
            let Some(seen) = seen else {
                end(exchange, by_reset).await;
                let head = client.read_head().await;
                let body = client.read_body(&head).await.content;
                assert_eq!((head.status(), code(&body).as_str()), (502, "upstream_reset"), "{name}, {how}");
                // The client's connection is another hop.
                client.send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n").await;
                origin.exchange().await.reply(ok("next")).await;
                assert_eq!(client.read_head().await.status(), 200, "{name}, {how}");
                continue;
            };
            // A reset may take along what has not been read: it comes when the client has seen all before it.
            assert_eq!(client.read_head().await.status(), 200, "{name}, {how}");
            if !seen.is_empty() {
                let _ = client.read_until(seen.as_bytes()).await;
            }
            end(exchange, by_reset).await;
            let (rest, ended) = client.read_to_end(PROMPTLY).await;
            let rest = String::from_utf8_lossy(&rest);
            assert_ne!(ended, End::Open, "{name}, {how}: the client waits for the rest");
            assert!(!rest.contains("0\r\n"), "{name}, {how}: it looks whole: {rest:?}");
        }
    }
}

#[tokio::test]
async fn over_http2() {
    let (edge, mut origin) = start("", "").await;
    let mut connection = Http2::open(&edge.https()).await;
    let mut stream = 1;
    for Stage { name, sent, seen } in STAGES {
        for (how, by_reset) in ENDS {
            let block = hpack::request("POST", "/", &[("content-length", "2")]);
            connection.send(Frame::headers(stream, block)).await;
            connection.send(Frame::data(stream, "hi").end()).await;
            let noted = Notify::new();
            let reading = connection.answer_noting(stream, |answer| {
                if answer.status == Some(200) && seen.is_some_and(|seen| answer.body == seen.as_bytes()) {
                    noted.notify_one();
                }
            });
            let (answer, ()) = tokio::join!(reading, async {
                let mut exchange = origin.exchange().await;
                assert_eq!(exchange.read_body().await.content, b"hi");
                exchange.send(sent).await;
                if seen.is_some() {
                    noted.notified().await;
                }
                end(exchange, by_reset).await;
            });
            match seen {
                None => assert_eq!(refused(&answer), (Some(502), "upstream_reset".to_owned()), "{name}, {how}"),
                Some(seen) => {
                    assert_eq!((answer.status, answer.body.as_slice()), (Some(200), seen.as_bytes()), "{name}, {how}");
                    // The stream ends, and the connection with its other streams goes on to the next row.
                    assert_eq!(answer.ending, Ending::Reset(INTERNAL_ERROR), "{name}, {how}");
                }
            }
            stream += 2;
        }
    }
}

/// While the client is still sending: it learns of the end at once, and is not left to send the rest for nothing.
#[tokio::test]
async fn inside_a_request() {
    for by_reset in [true, false] {
        let (edge, mut origin) = start("", "").await;
        let mut client = Raw::connect(edge.address("http")).await;
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf").await;
        let exchange = origin.exchange().await;
        end(exchange, by_reset).await;
        let head = client.read_head().await;
        let body = client.read_body(&head).await.content;
        assert_eq!((head.status(), code(&body).as_str()), (502, "upstream_reset"));
        // The rest of the body is still a body: either nobody reads it, or the next request is read behind it.
        client.send([b'x'; 96]).await;
        client.send("GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        let next = async {
            origin.exchange().await.reply(ok("next")).await;
            std::future::pending().await
        };
        let (answer, ended) = tokio::select! {
            read = client.read_to_end(PROMPTLY) => read,
            read = next => read,
        };
        assert_ne!(ended, End::Open);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));

        let mut connection = Http2::open(&edge.https()).await;
        connection.send(Frame::headers(1, hpack::request("POST", "/", &[]))).await;
        connection.send(Frame::data(1, "half")).await;
        end(origin.exchange().await, by_reset).await;
        assert_eq!(refused(&connection.answer(1).await), (Some(502), "upstream_reset".to_owned()));
        connection.get(3, "/next").await;
        let (answer, ()) =
            tokio::join!(connection.answer(3), async { origin.exchange().await.reply(ok("next")).await });
        assert_eq!(answer.ending, Ending::Whole);
    }
}

/// The other way round: what the upstream sees of a client that leaves in the middle of an answer or of its own body.
#[tokio::test]
async fn clients_that_leave_take_their_request_along() {
    let (edge, mut origin) = start("", "").await;
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf";

    let mut client = Raw::connect(edge.address("http")).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut exchange = origin.exchange().await;
    exchange.send(half).await;
    client.read_until(b"half").await;
    client.reset();
    assert_ne!(exchange.into_raw().read_to_end(PROMPTLY).await.1, End::Open, "HTTP/1.1, inside the answer");

    let mut connection = Http2::open(&edge.https()).await;
    connection.get(1, "/").await;
    let mut exchange = origin.exchange().await;
    exchange.send(half).await;
    connection.send(Frame::reset(1, 8)).await;
    assert_ne!(exchange.into_raw().read_to_end(PROMPTLY).await.1, End::Open, "HTTP/2, inside the answer");

    connection.send(Frame::headers(3, hpack::request("POST", "/", &[]))).await;
    connection.send(Frame::data(3, "half")).await;
    let exchange = origin.exchange().await;
    connection.send(Frame::reset(3, 8)).await;
    let (seen, end) = exchange.into_raw().read_to_end(PROMPTLY).await;
    assert!(end != End::Open && !seen.ends_with(b"0\r\n\r\n"), "HTTP/2, inside the body: {end:?}");

    connection.get(5, "/next").await;
    let (answer, ()) = tokio::join!(connection.answer(5), async { origin.exchange().await.reply(ok("next")).await });
    assert_eq!(answer.ending, Ending::Whole, "the connection with its other streams goes on");
}
