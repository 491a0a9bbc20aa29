//! Half-closed connections: one side has said all that it will say and still listens (RFC 9112 section 9.6).

use super::{PROMPTLY, code, start};
use portcullis_tests::exchange::ok;
use portcullis_tests::raw::{End, Raw};

/// `printf ... | nc` does so, and so do simple health checks: the request is whole, its answer is due.
#[tokio::test]
async fn a_client_that_has_said_all_gets_its_answer() {
    let (edge, mut origin) = start("", "").await;
    for request in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    ] {
        let mut client = Raw::connect(edge.address("http")).await;
        client.send(request).await;
        client.finish().await;
        let mut exchange = origin.exchange().await;
        let _ = exchange.read_body().await;
        exchange.reply_text("late, but there").await;
        let (answer, end) = client.read_to_end(PROMPTLY).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("late, but there"), "{request:?}: {answer}");
        assert_eq!(end, End::Closed, "{request:?}: and then there is nothing more to wait for");
    }
}

/// Nothing of what was said before the end is left out: each request is answered, however long the first takes.
#[tokio::test]
async fn a_client_that_has_said_several_things_gets_all_its_answers() {
    let (edge, mut origin) = start("", "").await;
    let mut client = Raw::connect(edge.address("http")).await;
    client
        .send(
            "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi\
             GET /3 HTTP/1.1\r\nHost: a\r\n\r\nGET /half HTTP/1.1\r\n",
        )
        .await;
    client.finish().await;
    for path in ["/1", "/2", "/3"] {
        let mut exchange = origin.exchange().await;
        assert_eq!(exchange.head().target(), path);
        let _ = exchange.read_body().await;
        assert!(origin.is_quiet(), "one after the other");
        exchange.reply_text(path).await;
        let head = client.read_head().await;
        assert_eq!((head.status(), client.read_body(&head).await.content), (200, path.as_bytes().to_vec()));
    }
    let (rest, end) = client.read_to_end(PROMPTLY).await;
    let rest = String::from_utf8_lossy(&rest);
    assert!(end != End::Open && (rest.is_empty() || rest.starts_with("HTTP/1.1 400 ")), "{end:?} {rest}");
    assert!(origin.is_quiet(), "half a request is none");
}

#[tokio::test]
async fn half_a_head_and_the_end_are_no_request() {
    let (edge, mut origin) = start("", "").await;
    for half in ["GET", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX-An"] {
        let mut client = Raw::connect(edge.address("http")).await;
        client.send(half).await;
        client.finish().await;
        let (answer, end) = client.read_to_end(PROMPTLY).await;
        let answer = String::from_utf8_lossy(&answer);
        assert_ne!(end, End::Open, "{half:?}");
        // To say what is wrong is as good as to say nothing.
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{half:?}: {answer}");
        assert!(origin.is_quiet(), "{half:?}");
    }
}

#[tokio::test]
async fn half_a_body_and_the_end_never_look_whole() {
    for (framing, sent) in [
        ("Content-Length: 100", "half"),
        ("Transfer-Encoding: chunked", "4\r\nhalf\r\n"),
        ("Transfer-Encoding: chunked", "8\r\nhalf"),
    ] {
        let (edge, mut origin) = start("", "").await;
        let mut client = Raw::connect(edge.address("http")).await;
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n{sent}")).await;
        let mut upstream = origin.exchange().await.into_raw();
        upstream.read_until(b"half").await;
        client.finish().await;
        let (seen, end) = upstream.read_to_end(PROMPTLY).await;
        assert!(end != End::Open && !seen.ends_with(b"0\r\n\r\n"), "{framing}: {end:?} {seen:?}");
        let (answer, end) = client.read_to_end(PROMPTLY).await;
        assert_ne!(end, End::Open, "{framing}");
        if let Some((head, body)) = String::from_utf8_lossy(&answer).split_once("\r\n\r\n") {
            assert!(head.starts_with("HTTP/1.1 400 "), "{framing}: {head}");
            assert_eq!(code(body.as_bytes()), "body_broken", "{framing}");
        }
    }
}

/// An idle connection whose client has nothing more to say is not kept until a timeout.
#[tokio::test]
async fn an_idle_connection_ends_with_its_client() {
    let (edge, mut origin) = start("", "").await;
    let mut client = Raw::connect(edge.address("http")).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    origin.exchange().await.reply(ok("ok")).await;
    let head = client.read_head().await;
    let _ = client.read_body(&head).await;
    client.finish().await;
    assert_eq!(client.read_to_end(PROMPTLY).await, (Vec::new(), End::Closed));
}

/// An upstream that has answered and half-closed while the client is still sending: the answer counts.
#[tokio::test]
async fn an_upstream_that_has_said_all_was_heard() {
    let (edge, mut origin) = start("", "").await;
    let mut client = Raw::connect(edge.address("http")).await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf").await;
    let mut exchange = origin.exchange().await;
    exchange.send("HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno").await;
    let mut upstream = exchange.into_raw();
    upstream.finish().await;
    let head = client.read_head().await;
    assert_eq!((head.status(), client.read_body(&head).await.content), (403, b"no".to_vec()));
    // Nobody wants the rest of the body: both connections end when the client has sent it, or before.
    client.send([b'x'; 96]).await;
    assert_ne!(upstream.read_to_end(PROMPTLY).await.1, End::Open);
}
