//! HTTP/2 to upstreams in the clear: shared connections, what endpoints refuse or leave out, bodies and trailers.

mod between;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use portcullis_tests::answer::Streaming;
use portcullis_tests::certs::Authority;
use portcullis_tests::client::Client;
use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::exchange::ok;
use portcullis_tests::frames::{END_STREAM, FrameServer, kind};
use portcullis_tests::origin::Origin;
use portcullis_tests::raw::Raw;
use portcullis_tests::service::{AnswerBody, Service, Speaks, answer, stream};
use std::convert::Infallible;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::Semaphore;

/// The edge before one endpoint that speaks HTTP/2 in the clear.
async fn before(endpoint: &str) -> Edge {
    with_keys(endpoint, "").await
}

async fn with_keys(endpoint: &str, keys: &str) -> Edge {
    let keys = format!("protocol = \"h2\"\n{keys}\n[[route]]");
    Edge::start(&forwarding_to(endpoint).replace("[[route]]", &keys)).await
}

/// The same with TLS at the edge, and a client that speaks HTTP/2 too.
async fn secure_before(endpoint: &str) -> (Edge, Client) {
    let authority = Authority::new();
    let folder = TempDir::new().expect("a folder");
    let _ = authority.leaf(folder.path(), &["localhost"]);
    let config = forwarding_to(endpoint).replace(
        "[[route]]",
        r#"protocol = "h2"
        [site.main]
        tls = { certificate = "{folder}/localhost.pem", key = "{folder}/localhost.key" }
        [[route]]"#,
    );
    let edge = Edge::start_in(folder, &config).await;
    let client = Client::https(edge.address("http"), authority.trusted());
    (edge, client.http2())
}

/// Answers with the body of the request.
async fn echo(request: Request<Incoming>) -> Response<AnswerBody> {
    stream(request.into_body())
}

/// Answers only when the test says so.
fn gated(gate: &Arc<Semaphore>) -> impl Fn(Request<Incoming>) -> Waiting + Clone + Send + 'static {
    let gate = Arc::clone(gate);
    move |_| {
        let gate = Arc::clone(&gate);
        Box::pin(async move {
            gate.acquire().await.expect("open").forget();
            answer("through")
        })
    }
}

type Waiting = std::pin::Pin<Box<dyn Future<Output = Response<AnswerBody>> + Send>>;

#[tokio::test]
async fn requests_at_once_share_one_connection() {
    let gate = Arc::new(Semaphore::new(0));
    let origin = Service::start(Speaks::default(), gated(&gate)).await;
    let edge = before(&origin.endpoint()).await;
    let client = edge.http();
    let all = futures_util::future::join_all((0..20).map(|_| client.get("/").send()));
    gate.add_permits(20);
    for answer in all.await {
        assert_eq!(answer.expect_status(200).text(), "through");
    }
    assert_eq!(origin.connections(), 1);
}

#[tokio::test]
async fn more_connections_are_opened_when_the_endpoint_limits_its_streams() {
    let gate = Arc::new(Semaphore::new(0));
    let origin = Service::start(Speaks::streams(2), gated(&gate)).await;
    let edge = before(&origin.endpoint()).await;
    let client = edge.http();
    let all = futures_util::future::join_all((0..20).map(|_| client.post("/").body("x").send()));
    gate.add_permits(20);
    for answer in all.await {
        assert_eq!(answer.expect_status(200).text(), "through");
    }
    assert!((1..=10).contains(&origin.connections()), "{}", origin.connections());
}

#[tokio::test]
async fn when_every_place_is_taken_requests_wait_and_then_are_told() {
    // The head comes at once, the body never.
    let origin = Service::start(Speaks::streams(1), async |_| {
        stream(StreamBody::new(futures_util::stream::pending::<Result<Frame<Bytes>, Infallible>>()))
    })
    .await;
    let edge = with_keys(&origin.endpoint(), "connect_timeout = \"1s\"").await;
    let mut open: Vec<Streaming> = Vec::new();
    for _ in 0..64 {
        open.push(edge.http().get("/").open().await);
    }
    let busy = edge.http().get("/").send().await.expect_status(503);
    assert_eq!(busy.header("retry-after"), Some("1"));
    assert_eq!(busy.edge_code(), "upstream_busy");
    assert_eq!(origin.connections(), 64);
    // Who leaves makes room for who waits.
    let waits = tokio::spawn(edge.http().get("/").open());
    drop(open.pop());
    assert_eq!(waits.await.expect("an answer").status(), 200);
}

#[tokio::test]
async fn trailers_reach_the_upstream_and_the_client() {
    let origin = Service::start(Speaks::default(), async |request: Request<Incoming>| {
        let body = request.into_body().collect().await.expect("a whole request");
        let mut trailers = body.trailers().cloned().unwrap_or_default();
        trailers.insert("x-answered", HeaderValue::from_static("yes"));
        let frames = [Frame::data(body.to_bytes()), Frame::trailers(trailers)];
        stream(StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, Infallible>))))
    })
    .await;
    let (_edge, client) = secure_before(&origin.endpoint()).await;
    let mut connection = client.connect().await;
    let sent = HeaderMap::from_iter([(http::HeaderName::from_static("x-sum"), HeaderValue::from_static("5"))]);
    let answer = client.post("/").body_with_trailers("hello", sent).open_on(&mut connection).await.expect("an answer");
    let (body, trailers) = answer.collect_with_trailers().await.expect("whole");
    assert_eq!(body, "hello");
    let value = HeaderValue::from_static;
    assert_eq!((&trailers["x-sum"], &trailers["x-answered"]), (&value("5"), &value("yes")));
}

#[tokio::test]
async fn a_mebibyte_goes_both_ways_whoever_is_slow() {
    let origin = Service::start(Speaks::default(), echo).await;
    let plain = before(&origin.endpoint()).await;
    let (_secure, http2) = secure_before(&origin.endpoint()).await;
    let body: Vec<u8> = (0..1usize << 20).map(|n| u8::try_from(n % 251).expect("small")).collect();
    for client in [plain.http(), http2] {
        let answer = client.post("/").body(body.clone()).send().await.expect_status(200);
        assert!(answer.body == body, "the same bytes in the same order");
        let (call, upload) = client.post("/").upload();
        let mut answer = call.open().await;
        for piece in body.chunks(10_000) {
            upload.send(piece.to_vec());
            let mut left = piece.len();
            while left > 0 {
                left -= answer.piece().await.expect("whole").expect("more").len();
            }
        }
        drop(upload);
        assert!(answer.collect().await.expect("an end").body.is_empty());
    }
}

/// RFC 9113 section 6.8: the endpoint goes away in the middle of its work. What it has begun it finishes; what it has
/// left out is sent to another connection, and no client notices.
#[tokio::test]
async fn goaway_loses_no_request() {
    let server = FrameServer::start().await;
    let edge = before(&server.address().to_string()).await;
    let client = edge.http();
    let (first, second, ()) = tokio::join!(client.get("/1").send(), client.post("/2").body("pay").send(), async {
        let mut old = server.accept(&[]).await;
        let one = old.next_of(kind::HEADERS).await;
        let two = loop {
            let frame = old.next().await;
            if frame.kind == kind::HEADERS {
                break frame;
            }
        };
        assert_eq!((one.stream, two.stream), (1, 3));
        old.go_away(1).await;
        let mut new = server.accept(&[]).await;
        let again = new.next_of(kind::HEADERS).await;
        if again.flags & END_STREAM == 0 {
            assert_eq!(new.next_of(kind::DATA).await.payload, b"pay");
        }
        new.answer(again.stream, "from the new").await;
        old.answer(1, "from the old").await;
        // Nothing further comes to the old one, which is closed once its work is done.
        let third = async {
            let request = new.next_of(kind::HEADERS).await;
            new.answer(request.stream, "the third").await;
        };
        let (third, ()) = tokio::join!(client.get("/3").send(), third);
        assert_eq!(third.expect_status(200).text(), "the third");
        assert_eq!(old.next_of(kind::GOAWAY).await.stream, 0);
    });
    let mut texts = [first.expect_status(200).text().to_owned(), second.expect_status(200).text().to_owned()];
    texts.sort_unstable();
    assert_eq!(texts, ["from the new", "from the old"]);
}

/// RFC 9113 section 8.7: a refused stream has had no effect, so even a POST is sent once more.
#[tokio::test]
async fn a_refused_request_is_sent_again() {
    let server = FrameServer::start().await;
    let edge = before(&server.address().to_string()).await;
    let (answer, ()) = tokio::join!(edge.http().post("/pay").body("once").send(), async {
        let mut frames = server.accept(&[]).await;
        let first = frames.next_of(kind::HEADERS).await;
        frames.refuse(first.stream).await;
        let second = frames.next_of(kind::HEADERS).await;
        assert_eq!((first.stream, second.stream), (1, 3));
        let mut body = Vec::new();
        while body != b"once" {
            let data = frames.next_of(kind::DATA).await;
            if data.stream == second.stream {
                body.extend(data.payload);
            }
        }
        frames.answer(second.stream, "paid").await;
    });
    assert_eq!(answer.expect_status(200).text(), "paid");
}

#[tokio::test]
async fn an_endpoint_that_refuses_everything_is_busy() {
    let server = FrameServer::start().await;
    let edge = before(&server.address().to_string()).await;
    let refusing = async {
        let mut frames = server.accept(&[]).await;
        loop {
            let request = frames.next_of(kind::HEADERS).await;
            frames.refuse(request.stream).await;
        }
    };
    let call = edge.http().get("/").send();
    let answer = tokio::select! {
        answer = call => answer,
        () = refusing => unreachable!("it never ends"),
    };
    let answer = answer.expect_status(503);
    assert_eq!((answer.edge_code().as_str(), answer.header("retry-after")), ("upstream_busy", Some("1")));
    let line = edge.log().line_with(answer.header("x-request-id").expect("an id")).await;
    assert_eq!(line["attempts"], 4, "{line}");
}

#[tokio::test]
async fn an_endpoint_that_speaks_another_protocol_is_told_apart() {
    let origin = Origin::start().await.always(ok("HTTP/1.1"));
    let edge = before(&origin.endpoint()).await;
    let answer = edge.http().get("/").send().await.expect_status(502);
    assert_eq!(answer.edge_code(), "upstream_malformed");
}

#[tokio::test]
async fn a_connection_that_breaks_is_an_error_and_the_next_request_opens_another() {
    let server = FrameServer::start().await;
    let edge = before(&server.address().to_string()).await;
    let (answer, ()) = tokio::join!(edge.http().get("/").send(), async {
        let mut frames = server.accept(&[]).await;
        let _ = frames.next_of(kind::HEADERS).await;
        frames.into_raw().reset();
    });
    assert_eq!(answer.expect_status(502).edge_code(), "upstream_reset");
    let (answer, ()) = tokio::join!(edge.http().get("/").send(), async {
        let mut frames = server.accept(&[]).await;
        let request = frames.next_of(kind::HEADERS).await;
        frames.answer(request.stream, "again").await;
    });
    assert_eq!(answer.expect_status(200).text(), "again");
}

/// The random 502 of other proxies: the application closes a kept connection at the moment of its next use.
#[tokio::test]
async fn a_stale_connection_is_replaced_without_the_client_noticing() {
    let server = FrameServer::start().await;
    let edge = before(&server.address().to_string()).await;
    let (first, mut frames) = tokio::join!(edge.http().get("/1").send(), async {
        let mut frames = server.accept(&[]).await;
        let request = frames.next_of(kind::HEADERS).await;
        frames.answer(request.stream, "first").await;
        frames
    });
    assert_eq!(first.expect_status(200).text(), "first");
    let (second, ()) = tokio::join!(edge.http().get("/2").send(), async {
        assert_eq!(frames.next_of(kind::HEADERS).await.stream, 3);
        frames.into_raw().reset();
        let mut fresh = server.accept(&[]).await;
        let request = fresh.next_of(kind::HEADERS).await;
        fresh.answer(request.stream, "second").await;
    });
    assert_eq!(second.expect_status(200).text(), "second");
}

#[tokio::test]
async fn a_response_that_breaks_off_is_not_taken_for_whole() {
    let server = FrameServer::start().await;
    let edge = before(&server.address().to_string()).await;
    let (mut answer, mut frames) = tokio::join!(edge.http().get("/").open(), async {
        let mut frames = server.accept(&[]).await;
        let request = frames.next_of(kind::HEADERS).await;
        frames.send(kind::HEADERS, 4, request.stream, &[0x88]).await;
        frames.send(kind::DATA, 0, request.stream, b"half").await;
        frames
    });
    assert_eq!(answer.read_until("half").await, "half");
    // NO_ERROR: even then, half a response is half a response.
    frames.send(kind::RST_STREAM, 0, 1, &[0; 4]).await;
    assert!(answer.collect().await.is_err());
}

#[tokio::test]
async fn a_client_that_leaves_cancels_its_stream_at_once() {
    let server = FrameServer::start().await;
    let edge = before(&server.address().to_string()).await;
    let mut client = Raw::connect(edge.address("http")).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut frames = server.accept(&[]).await;
    let request = frames.next_of(kind::HEADERS).await;
    client.reset();
    let reset = frames.next_of(kind::RST_STREAM).await;
    assert_eq!((reset.stream, reset.payload.as_slice()), (request.stream, &[0, 0, 0, 8][..]), "CANCEL");
}

/// What concerns the client's connection stays there; what only gRPC needs goes on.
#[tokio::test]
async fn te_trailers_and_nothing_else_of_the_connection_goes_on() {
    let origin = Service::start(Speaks::default(), async |request: Request<Incoming>| {
        let text = |name: &str| request.headers().get(name).map_or("-", |value| value.to_str().expect("a text"));
        answer(format!("{} {} {}", text("te"), text("connection"), text("upgrade")))
    })
    .await;
    let edge = before(&origin.endpoint()).await;
    for (te, wanted) in
        [("trailers", "trailers - -"), ("gzip, trailers;q=1", "- - -"), ("gzip, trailers", "trailers - -")]
    {
        let call = edge.http().get("/").header("te", te).header("connection", "te");
        assert_eq!(call.send().await.expect_status(200).text(), wanted, "{te}");
    }
    let websocket = edge.http().get("/").header("connection", "upgrade").header("upgrade", "websocket");
    assert_eq!(websocket.send().await.expect_status(200).text(), "- - -");
}
