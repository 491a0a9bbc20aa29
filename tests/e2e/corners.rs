//! Corners of HTTP/1 in which the framing of a message, or what follows it on its connection, hangs on one word: each
//! is followed by another request, which must be read as one.

use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::origin::Origin;
use portcullis_tests::raw::{End, Raw};
use std::time::Duration;

/// Only a failing test waits so long.
const PROMPTLY: Duration = Duration::from_secs(5);

async fn start() -> (Edge, Origin, Raw) {
    let origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let client = Raw::connect(edge.address("http")).await;
    (edge, origin, client)
}

/// RFC 9110 sections 8.6, 9.3.2 and 15.4.5: an answer without a body has none, however its head frames it.
#[tokio::test]
async fn an_answer_without_a_body_has_none_in_every_framing() {
    let (_edge, mut origin, mut client) = start().await;
    for (method, answer, length) in [
        ("HEAD", "200 OK\r\nContent-Length: 5", Some("5")),
        ("HEAD", "200 OK\r\nContent-Length: 0", Some("0")),
        ("HEAD", "200 OK\r\nTransfer-Encoding: chunked", None),
        ("HEAD", "200 OK\r\nX-Any: y", None),
        ("HEAD", "404 Not Found\r\nContent-Length: 5", Some("5")),
        ("GET", "204 No Content\r\nX-Any: y", None),
        ("GET", "204 No Content\r\nContent-Length: 0", None),
        ("GET", "204 No Content\r\nContent-Length: 5", None),
        ("GET", "204 No Content\r\nTransfer-Encoding: chunked", None),
        ("GET", "205 Reset Content\r\nContent-Length: 0", Some("0")),
        ("GET", "304 Not Modified\r\nContent-Length: 5", Some("5")),
        ("GET", "304 Not Modified\r\nTransfer-Encoding: chunked", None),
        ("GET", "304 Not Modified\r\nETag: \"x\"", None),
    ] {
        client.send(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        let mut exchange = origin.exchange().await;
        exchange.send(format!("HTTP/1.1 {answer}\r\n\r\n")).await;
        exchange.keep();
        let head = client.read_head().await;
        assert!(answer.starts_with(&head.status().to_string()), "{method} {answer}: {}", head.raw);
        assert_eq!((head.field("content-length"), head.has("transfer-encoding")), (length, false), "{method} {answer}");
        // No byte stands before the next answer.
        client.send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n").await;
        origin.exchange().await.reply_text("next").await;
        let head = client.read_head().await;
        assert_eq!(
            (head.status(), client.read_body(&head).await.content),
            (200, b"next".to_vec()),
            "{method} {answer}"
        );
    }
}

/// RFC 9110 section 10.1.1: HTTP/1.0 has no expectations, and nobody is answered what he can't read.
#[tokio::test]
async fn an_expectation_of_http_1_0_is_none() {
    let (_edge, mut origin, mut client) = start().await;
    client.send("POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n").await;
    client.send("hi").await;
    let mut exchange = origin.exchange().await;
    assert!(!exchange.head().has("expect"), "{}", exchange.head().raw);
    assert_eq!(exchange.read_body().await.content, b"hi");
    exchange.reply_text("ok").await;
    assert_eq!(client.read_head().await.status(), 200, "no 100 came before");
}

/// RFC 9112 section 9.3: an old client may ask to stay, and does so for as long as it can tell where answers end.
#[tokio::test]
async fn a_client_of_http_1_0_stays_while_answers_have_a_length() {
    let (_edge, mut origin, mut client) = start().await;
    let request = "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n";
    for _ in 0..2 {
        client.send(request).await;
        origin.exchange().await.reply_text("sized").await;
        let head = client.read_head().await;
        assert_eq!(head.field("connection"), Some("keep-alive"), "{}", head.raw);
        assert_eq!(client.read_body(&head).await.content, b"sized");
    }
    client.send(request).await;
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n";
    origin.exchange().await.reply(chunks).await;
    let head = client.read_head().await;
    assert_eq!((head.field("connection"), head.is_chunked()), (Some("close"), false), "{}", head.raw);
    assert_eq!(client.read_to_end(PROMPTLY).await, (b"hello".to_vec(), End::Closed));
}

/// RFC 9112 section 9.3.2: answers come in the order of their requests, and no request overtakes a slow one.
#[tokio::test]
async fn a_slow_answer_is_waited_for_by_all_behind_it() {
    let (_edge, mut origin, mut client) = start().await;
    let all: String = (1..=3).map(|number| format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n")).collect();
    client.send(all).await;
    for number in 1..=3 {
        let mut exchange = origin.exchange().await;
        assert_eq!(exchange.head().target(), format!("/{number}"));
        exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nslow ").await;
        let head = client.read_head().await;
        assert_eq!(client.read_exactly(5).await, b"slow ");
        assert!(origin.is_quiet(), "{number}: {}", head.raw);
        exchange.send(number.to_string()).await;
        exchange.keep();
        assert_eq!(client.read_exactly(1).await, number.to_string().as_bytes());
    }
}

/// RFC 9110 section 7.8: an offer to switch may be ignored. Behind a body, nobody could say where the other protocol
/// would begin.
#[tokio::test]
async fn an_offer_to_switch_with_a_body_is_an_ordinary_request() {
    let offer = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for (framing, body) in
        [("Content-Length: 5\r\n", "hello"), ("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n")]
    {
        let (_edge, mut origin, mut client) = start().await;
        client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{offer}{framing}\r\n{body}")).await;
        let mut exchange = origin.exchange().await;
        assert_eq!(exchange.read_body().await.content, b"hello", "{framing}");
        assert!(!exchange.head().has("upgrade"), "{}", exchange.head().raw);
        // An upstream that switches nevertheless is at fault.
        exchange.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n").await;
        let head = client.read_head().await;
        assert_eq!(head.status(), 502, "{framing}");
        let _ = client.read_body(&head).await;
        client.send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n").await;
        origin.exchange().await.reply_text("next").await;
        assert_eq!(client.read_head().await.status(), 200, "{framing}");
    }
}

/// An offer that the upstream declines leaves HTTP on both connections: what was sent early is the next request.
#[tokio::test]
async fn what_follows_a_declined_offer_is_a_request() {
    let (_edge, mut origin, mut client) = start().await;
    let offer = "GET /socket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 12\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    client.send(format!("{offer}GET /early HTTP/1.1\r\nHost: a\r\nX-Auth-Subject: root\r\n\r\n")).await;
    let declined = "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n";
    origin.exchange().await.reply(declined).await;
    let head = client.read_head().await;
    assert_eq!((head.status(), head.field("sec-websocket-version")), (426, Some("13")));
    let exchange = origin.exchange().await;
    assert_eq!(
        (exchange.head().target(), exchange.head().has("x-auth-subject")),
        ("/early", false),
        "through the edge"
    );
    exchange.reply_text("ok").await;
    assert_eq!(client.read_head().await.status(), 200);
}

/// Answers that the edge makes itself, while a body is still on its way: to whom, and with which status.
const OWN_ANSWERS: &[(&str, &str, u16)] = &[
    ("a", "/fixed", 200),
    ("a", "/moved", 308),
    ("a", "/closed", 401),
    ("a", "/files/none", 404),
    ("other", "/", 404),
    ("a", "/fixed/%2e%2e", 400),
];

async fn answering_itself() -> Edge {
    Edge::start(
        r#"
        [listener.http]
        address = "127.0.0.1:0"

        [site.main]
        hosts = ["a"]

        [issuer.test]
        iss = "https://issuer.test"
        audiences = ["api"]
        algorithms = ["HS256"]
        keys = { secret = "a secret of thirty-two bytes or more" }

        [[route]]
        match = "/fixed"
        auth = "public"
        respond = { body = "fixed" }

        [[route]]
        match = "/moved"
        auth = "public"
        redirect = { to = "/fixed" }

        [[route]]
        match = "/closed"
        respond = { body = "closed" }

        [[route]]
        match = "/files/**"
        auth = "public"
        files = { root = "{folder}" }
        "#,
    )
    .await
}

/// Whoever answers before a body has come must not take the body for the next request: not when it is there already,
/// not when it comes after a pause, and not when its client waits to be asked for it.
#[tokio::test]
async fn a_body_that_nobody_reads_is_never_a_request() {
    const INSIDE: &str = "GET /fixed?smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let edge = answering_itself().await;
    let chunks = format!("{:x}\r\n{INSIDE}\r\n0\r\n\r\n", INSIDE.len());
    let length = format!("Content-Length: {}\r\n", INSIDE.len());
    let next = "GET /fixed HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    for (host, path, status) in OWN_ANSWERS {
        for (framing, body) in [(length.as_str(), INSIDE), ("Transfer-Encoding: chunked\r\n", chunks.as_str())] {
            for (expect, pauses) in [("", false), ("", true), ("Expect: 100-continue\r\n", true)] {
                let mut client = Raw::connect(edge.address("http")).await;
                let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{expect}{framing}\r\n");
                let case = format!("{head:?}, pauses: {pauses}");
                if pauses {
                    client.send(&head).await;
                } else {
                    client.send(format!("{head}{body}{next}")).await;
                }
                let first = client.read_head().await;
                assert_eq!(first.status(), *status, "{case}");
                let _ = client.read_body(&first).await;
                if pauses {
                    client.send(format!("{body}{next}")).await;
                }
                let (rest, end) = client.read_to_end(PROMPTLY).await;
                let rest = String::from_utf8_lossy(&rest);
                // Either the connection has ended, or the request behind the body is answered, and that alone.
                let closed = rest.is_empty() && first.field("connection") == Some("close");
                let answered = rest.matches("HTTP/1.1 ").count() == 1 && rest.starts_with("HTTP/1.1 200 ");
                assert!(end != End::Open && (closed || answered), "{case}: {end:?} {rest}");
                assert!(expect.is_empty() || closed, "{case}: nobody knows whether the body follows");
            }
        }
    }
    let log = edge.log().text();
    assert!(!log.contains("smuggled"), "{log}");
}
