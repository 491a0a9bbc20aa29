//! Several requests on one connection (RFC 9112 section 9.3): each begins exactly where the one before it ended.

use super::{PROMPTLY, SMUGGLED};
use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::origin::{Answering, Origin};
use portcullis_tests::raw::{End, Raw};

/// An upstream that answers with the target and the body that it got.
async fn echo() -> (Edge, Answering) {
    let origin = Origin::start().await.answering(|received| {
        let body = String::from_utf8_lossy(&received.body.content);
        let text = format!("{} {body}", received.head.target());
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()).into_bytes()
    });
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    (edge, origin)
}

/// What arrived upstream: target and body of each request.
fn arrived(origin: &Answering) -> Vec<(String, String)> {
    let seen = |received: &portcullis_tests::exchange::Received| {
        (received.head.target().to_owned(), String::from_utf8_lossy(&received.body.content).into_owned())
    };
    origin.received().iter().map(seen).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(target, body)| ((*target).to_owned(), (*body).to_owned())).collect()
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let (edge, origin) = echo().await;
    let mut client = Raw::connect(edge.address("http")).await;
    client
        .send(
            "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n\
             POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello\
             POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n\
             PUT /4 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n\
             GET /5 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        )
        .await;
    for expected in ["/1 ", "/2 hello", "/3 abc", "/4 ", "/5 "] {
        let head = client.read_head().await;
        let body = client.read_body(&head).await;
        assert_eq!(String::from_utf8_lossy(&body.content), expected);
    }
    assert_eq!(client.read_to_end(PROMPTLY).await, (Vec::new(), End::Closed));
    assert_eq!(arrived(&origin), pairs(&[("/1", ""), ("/2", "hello"), ("/3", "abc"), ("/4", ""), ("/5", "")]));
}

/// Without a length, or with a length of zero, a request has no body: what follows is the next one.
#[tokio::test]
async fn bytes_behind_a_request_without_a_body_are_the_next_request() {
    for fields in ["", "Content-Length: 0\r\n"] {
        for method in ["GET", "POST", "DELETE"] {
            let (edge, origin) = echo().await;
            let mut client = Raw::connect(edge.address("http")).await;
            let next = "GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
            client.send(format!("{method} /first HTTP/1.1\r\nHost: a\r\n{fields}\r\n{next}")).await;
            for expected in ["/first ", "/next "] {
                let head = client.read_head().await;
                assert_eq!(client.read_body(&head).await.content, expected.as_bytes(), "{method} {fields:?}");
            }
            assert_eq!(arrived(&origin), pairs(&[("/first", ""), ("/next", "")]), "{method} {fields:?}");
        }
    }
}

/// And a GET with a length has one: nothing of it is a request.
#[tokio::test]
async fn a_get_may_have_a_body() {
    let (edge, origin) = echo().await;
    let mut client = Raw::connect(edge.address("http")).await;
    let length = SMUGGLED.len();
    let close = "GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    client.send(format!("GET /first HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{SMUGGLED}{close}")).await;
    let (answers, _) = client.read_to_end(PROMPTLY).await;
    assert_eq!(String::from_utf8_lossy(&answers).matches("HTTP/1.1 200 ").count(), 2);
    assert_eq!(arrived(&origin), pairs(&[("/first", SMUGGLED), ("/next", "")]));
}

#[tokio::test]
async fn what_was_answered_before_a_refusal_stays_and_what_follows_is_never_read() {
    let (edge, origin) = echo().await;
    for refused in [
        "POST /bad HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello",
        "GET /bad HTTP/1.1\nHost: a\n\n",
        "GET /bad\r\n\r\n",
        "GET /bad HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    ] {
        let mut client = Raw::connect(edge.address("http")).await;
        client.send(format!("GET /good HTTP/1.1\r\nHost: a\r\n\r\n{refused}{SMUGGLED}")).await;
        let head = client.read_head().await;
        assert_eq!((head.status(), client.read_body(&head).await.content), (200, b"/good ".to_vec()), "{refused:?}");
        let head = client.read_head().await;
        assert_eq!((head.status(), head.field("connection")), (400, Some("close")), "{refused:?}");
        let _ = client.read_body(&head).await;
        let (behind, end) = client.read_to_end(PROMPTLY).await;
        assert!(behind.is_empty() && end != End::Open, "{refused:?}: {end:?} {}", String::from_utf8_lossy(&behind));
    }
    assert!(arrived(&origin).iter().all(|(target, _)| target == "/good"), "{:?}", arrived(&origin));
}

/// RFC 9112 section 9.6: after "close" no further request is read. HTTP/1.0 closes unless it asks otherwise.
#[tokio::test]
async fn nothing_is_read_after_the_last_request() {
    let (edge, origin) = echo().await;
    for last in [
        "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET /last HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n",
        "GET /last HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: close\r\n\r\n",
        "GET /last HTTP/1.0\r\nHost: a\r\n\r\n",
    ] {
        let mut client = Raw::connect(edge.address("http")).await;
        client.send(format!("{last}{SMUGGLED}")).await;
        let (bytes, end) = client.read_to_end(PROMPTLY).await;
        let text = String::from_utf8_lossy(&bytes);
        assert!(end != End::Open && text.matches("HTTP/1.").count() == 1, "{last:?}: {end:?} {text}");
    }
    assert!(arrived(&origin).iter().all(|(target, _)| target == "/last"), "{:?}", arrived(&origin));
}

/// RFC 9110 section 7.6.1: "Connection" names fields that end at this hop. What frames or routes the request never
/// does, whatever a client says.
#[tokio::test]
async fn connection_cannot_take_framing_away() {
    for (named, framing, body) in [
        ("Content-Length", "Content-Length: 5\r\n", "hello"),
        ("Transfer-Encoding", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
        ("Host", "Content-Length: 5\r\n", "hello"),
        ("close, Content-Length, Host", "Content-Length: 5\r\n", "hello"),
    ] {
        let (edge, origin) = echo().await;
        let mut client = Raw::connect(edge.address("http")).await;
        client.send(format!("POST /named HTTP/1.1\r\nHost: a\r\nConnection: {named}\r\n{framing}\r\n{body}")).await;
        let head = client.read_head().await;
        assert_eq!(head.status(), 200, "{named}");
        assert_eq!(arrived(&origin), pairs(&[("/named", "hello")]), "{named}");
        assert_eq!(origin.last().head.all("host").collect::<Vec<_>>(), ["a"], "{named}");
    }
}
