//! Between the two versions of HTTP: what one has a place for and the other says otherwise.

use super::before;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::origin::Origin;
use portcullis_tests::raw::Raw;
use portcullis_tests::service::{Service, Speaks, answer, stream};
use std::convert::Infallible;

/// An endpoint that does not want a body says so before the client has sent it, as over HTTP/1.1.
#[tokio::test]
async fn an_endpoint_may_decline_a_body_unseen() {
    let origin = Service::start(Speaks::default(), async |_| {
        let mut declined = answer("no");
        *declined.status_mut() = StatusCode::UNAUTHORIZED;
        declined
    })
    .await;
    let edge = before(&origin.endpoint()).await;
    let mut client = Raw::connect(edge.address("http")).await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n").await;
    let head = client.read_head().await;
    assert_eq!(head.status(), 401, "no 100 came before");
    assert_eq!(client.read_body(&head).await.content, b"no");
    assert_eq!(client.read_to_close().await, "", "whether a body follows nobody knows");
}

/// HTTP/2 has room for trailers behind a length, HTTP/1.1 only behind chunks: what is announced is not lost on the way
/// from one to the other.
#[tokio::test]
async fn announced_trailers_behind_a_length_pass_to_the_other_version() {
    let trailers = || HeaderMap::from_iter([(HeaderName::from_static("x-sum"), HeaderValue::from_static("5"))]);
    let origin = Service::start(Speaks::default(), move |request: Request<Incoming>| async move {
        let body = request.into_body().collect().await.expect("a request").to_bytes();
        let length = body.len();
        let frames = [Ok::<_, Infallible>(Frame::data(body)), Ok(Frame::trailers(trailers()))];
        let mut answered = stream(StreamBody::new(futures_util::stream::iter(frames)));
        answered.headers_mut().insert("trailer", HeaderValue::from_static("x-sum"));
        answered.headers_mut().insert("content-length", HeaderValue::from(length));
        answered
    })
    .await;
    let edge = before(&origin.endpoint()).await;
    let mut client = Raw::connect(edge.address("http")).await;
    for (method, body) in [("POST", "hello"), ("HEAD", "")] {
        client.send(format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len())).await;
        let head = client.read_head().await;
        assert_eq!((head.status(), head.field("trailer"), head.is_chunked()), (200, Some("x-sum"), method == "POST"));
        if method == "POST" {
            let answered = client.read_body(&head).await;
            assert_eq!((answered.content, answered.trailers), (b"hello".to_vec(), vec!["x-sum: 5".to_owned()]));
        }
    }

    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint()).replace("[upstream", "h2c = true\n[upstream")).await;
    let call = edge.http().http2().post("/").header("trailer", "x-sum").header("content-length", "5");
    let (answer, ()) = tokio::join!(call.body_with_trailers("hello", trailers()).send(), async {
        let mut exchange = origin.exchange().await;
        assert!(exchange.head().is_chunked(), "{}", exchange.head().raw);
        let body = exchange.read_body().await;
        assert_eq!((body.content.as_slice(), body.trailers.as_slice()), (&b"hello"[..], &["x-sum: 5".to_owned()][..]));
        exchange.reply_text("ok").await;
    });
    assert_eq!(answer.expect_status(200).text(), "ok");
}

/// RFC 9113 section 8.3.1: the server as a whole has no path in either version.
#[tokio::test]
async fn an_asterisk_stays_one() {
    let origin = Service::start(Speaks::default(), async |request: Request<Incoming>| {
        answer(format!("{} {}", request.method(), request.uri().path()))
    })
    .await;
    let edge = before(&origin.endpoint()).await;
    for target in ["*", "http://a"] {
        let mut client = Raw::connect(edge.address("http")).await;
        client.send(format!("OPTIONS {target} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        let head = client.read_head().await;
        assert_eq!(client.read_body(&head).await.content, b"OPTIONS *", "{target}");
    }
}
