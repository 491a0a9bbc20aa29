//! The server against `h2`'s client and against raw frames, over a socket pair.

use super::meter::{CONTROL_FRAMES_MAX, EMPTY_FRAMES_MAX, RESETS_MAX};
use super::preface::PREFACE;
use super::serve;
use crate::body::{Body, BodyError};
use crate::counters::{ConnectionCounters, Protection};
use crate::drain::Drain;
use crate::handler::Handler;
use crate::http1::Malformed;
use crate::limits::ConnectionLimits;
use crate::transport::Transport;
use crate::worker::local_runtime;
use bytes::{Bytes, BytesMut};
use futures_util::future::LocalBoxFuture;
use h2::client::SendRequest;
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{Notify, mpsc};
use tower::Service;

/// What a test's service answers.
type Answer = LocalBoxFuture<'static, Response<TestBody>>;

/// Frames from a closure; `None` is the end.
struct TestBody {
    frames: mpsc::UnboundedReceiver<Result<Frame<Bytes>, BodyError>>,
    exact: Option<u64>,
    _dropped: Option<Dropped>,
}

/// Tells when it is dropped.
struct Dropped(Rc<Notify>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl TestBody {
    fn streamed() -> (mpsc::UnboundedSender<Result<Frame<Bytes>, BodyError>>, Self) {
        let (sender, frames) = mpsc::unbounded_channel();
        (sender, Self { frames, exact: None, _dropped: None })
    }

    fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let (sender, mut body) = Self::streamed();
        body.exact = Some(bytes.len() as u64);
        let _ = sender.send(Ok(Frame::data(bytes)));
        body
    }
}

impl HttpBody for TestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.frames.poll_recv(cx)
    }

    fn size_hint(&self) -> SizeHint {
        self.exact.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

#[derive(Clone)]
struct TestService(Rc<dyn Fn(Request<Body>) -> Answer>);

impl Service<Request<Body>> for TestService {
    type Response = Response<TestBody>;
    type Error = Infallible;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answer = (self.0)(request);
        Box::pin(async { Ok(answer.await) })
    }
}

impl Handler for TestService {
    type Body = TestBody;

    fn refuse(&mut self, malformed: Malformed) -> Self::Response {
        let mut response = Response::new(TestBody::full(malformed.reason));
        *response.status_mut() = malformed.status;
        response
    }
}

/// A running server and the client's end of its connection.
struct Peer {
    stream: UnixStream,
    counters: Arc<ConnectionCounters>,
    drain: Rc<Drain>,
    ended: tokio::task::JoinHandle<Result<(), String>>,
}

/// Runs a server with this service, and a client.
fn with<A: Future<Output = Response<TestBody>> + 'static>(
    limits: ConnectionLimits,
    service: impl Fn(Request<Body>) -> A + 'static,
    client: impl AsyncFnOnce(Peer),
) {
    let runtime = local_runtime().expect("a runtime");
    runtime.block_on(async {
        let (ours, stream) = UnixStream::pair().expect("a pair");
        let (counters, drain) = (Arc::new(ConnectionCounters::default()), Drain::new());
        let service = TestService(Rc::new(move |request| Box::pin(service(request))));
        let ended = tokio::task::spawn_local({
            let (counters, drain) = (Arc::clone(&counters), Rc::clone(&drain));
            async move {
                let transport = Transport::Unix(ours);
                let served = serve(transport, BytesMut::new(), service, &limits, &drain, &counters).await;
                served.map_err(|ended| ended.to_string())
            }
        });
        client(Peer { stream, counters, drain, ended }).await;
    });
}

/// A client's connection that takes care of itself.
async fn connect(stream: UnixStream) -> (SendRequest<Bytes>, tokio::task::JoinHandle<Result<(), h2::Error>>) {
    connect_with(stream, &h2::client::Builder::new()).await
}

async fn connect_with(
    stream: UnixStream,
    builder: &h2::client::Builder,
) -> (SendRequest<Bytes>, tokio::task::JoinHandle<Result<(), h2::Error>>) {
    let (sender, connection) = builder.handshake(stream).await.expect("a handshake");
    let task = tokio::task::spawn_local(connection);
    (sender.ready().await.expect("ready"), task)
}

fn request(method: Method) -> Request<()> {
    Request::builder().method(method).uri("http://a/x").body(()).expect("a request")
}

async fn bytes(mut body: RecvStream) -> Result<(Vec<u8>, Option<HeaderMap>), h2::Error> {
    let mut all = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        let _ = body.flow_control().release_capacity(data.len());
        all.extend_from_slice(&data);
    }
    Ok((all, body.trailers().await?))
}

async fn echo(request: Request<Body>) -> Response<TestBody> {
    let (sender, body) = TestBody::streamed();
    let mut incoming = request.into_body();
    tokio::task::spawn_local(async move {
        while let Some(frame) = incoming.frame().await {
            if sender.send(frame).is_err() {
                return;
            }
        }
    });
    Response::new(body)
}

#[test]
fn many_streams_at_once() {
    with(ConnectionLimits::default(), echo, async |peer| {
        let (mut sender, _connection) = connect(peer.stream).await;
        let mut answers = Vec::new();
        for number in 0..100 {
            let (answer, mut body) = sender.send_request(request(Method::POST), false).expect("sent");
            body.send_data(Bytes::from(number.to_string()), false).expect("sent");
            let mut trailer = HeaderMap::new();
            trailer.insert("x-number", HeaderValue::from(number));
            body.send_trailers(trailer).expect("sent");
            answers.push((number, answer));
        }
        for (number, answer) in answers {
            let answer = answer.await.expect("an answer");
            assert!(answer.headers().contains_key("date"));
            let (data, trailer) = bytes(answer.into_body()).await.expect("a body");
            assert_eq!(data, number.to_string().into_bytes());
            assert_eq!(trailer.expect("a trailer")["x-number"], HeaderValue::from(number));
        }
    });
}

/// The frames that come in, as kind, flags, stream and payload.
struct Frames {
    stream: UnixStream,
}

impl Frames {
    /// Begins HTTP/2 with these settings, as identifier and value.
    async fn begin(mut stream: UnixStream, settings: &[(u16, u32)]) -> Self {
        let mut bytes = PREFACE.to_vec();
        let payload: Vec<u8> =
            settings.iter().flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()).collect();
        bytes.extend(frame(4, 0, 0, &payload));
        stream.write_all(&bytes).await.expect("written");
        Self { stream }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("written");
    }

    /// The next frame; `None` at the end of the stream.
    async fn next(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).await.ok()?;
        let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some((head[3], head[4], id, payload))
    }

    /// The next frame of a kind.
    async fn of(&mut self, kind: u8) -> (u8, u32, Vec<u8>) {
        loop {
            let (found, flags, id, payload) = self.next().await.expect("a frame");
            if found == kind {
                return (flags, id, payload);
            }
        }
    }

    /// The reason of the GOAWAY that the connection ends with.
    async fn last_words(&mut self) -> u32 {
        let mut reason = None;
        while let Some((kind, _, _, payload)) = self.next().await {
            if kind == 7 {
                reason = Some(u32::from_be_bytes([payload[4], payload[5], payload[6], payload[7]]));
            }
        }
        reason.expect("a GOAWAY")
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// `GET http://a/` in HPACK: three fields of the static table and a literal.
const GET: &[u8] = b"\x82\x86\x84\x01\x01a";
const POST: &[u8] = b"\x83\x86\x84\x01\x01a";
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const CALM: u32 = 11;

#[test]
fn a_small_response_ends_in_its_last_frame() {
    let answer = async |_| Response::new(TestBody::full("hello"));
    with(ConnectionLimits::default(), answer, async |peer| {
        let mut frames = Frames::begin(peer.stream, &[]).await;
        frames.send(&frame(1, END_STREAM | END_HEADERS, 1, GET)).await;
        let (flags, ..) = frames.of(1).await;
        assert_eq!(flags, END_HEADERS);
        let (kind, flags, id, payload) = frames.next().await.expect("a frame");
        assert_eq!((kind, flags, id, payload.as_slice()), (0, END_STREAM, 1, &b"hello"[..]));
    });
}

#[test]
fn a_body_whose_end_shows_late_ends_in_its_last_frame_too() {
    let answer = async |_| {
        let (sender, body) = TestBody::streamed();
        sender.send(Ok(Frame::data(Bytes::from_static(b"one")))).expect("open");
        sender.send(Ok(Frame::data(Bytes::from_static(b"two")))).expect("open");
        Response::new(body)
    };
    with(ConnectionLimits::default(), answer, async |peer| {
        let mut frames = Frames::begin(peer.stream, &[]).await;
        frames.send(&frame(1, END_STREAM | END_HEADERS, 1, GET)).await;
        assert_eq!(frames.of(0).await, (0, 1, b"one".to_vec()));
        assert_eq!(frames.of(0).await, (END_STREAM, 1, b"two".to_vec()));
    });
}

#[test]
fn responses_without_a_body() {
    let answer = async |request: Request<Body>| {
        let status = if request.method() == Method::HEAD { StatusCode::OK } else { StatusCode::NO_CONTENT };
        let mut response = Response::new(TestBody::full("hello"));
        *response.status_mut() = status;
        response
    };
    with(ConnectionLimits::default(), answer, async |peer| {
        let (mut sender, _connection) = connect(peer.stream).await;
        for (method, length) in [(Method::HEAD, Some("5")), (Method::GET, None)] {
            let answer = sender.send_request(request(method), true).expect("sent").0.await.expect("an answer");
            let found = answer.headers().get("content-length").map(|value| value.to_str().expect("text"));
            assert_eq!(found, length);
            assert!(answer.body().is_end_stream());
        }
    });
}

#[test]
fn a_wrong_length_and_a_broken_body_reset_the_stream() {
    let answer = async |request: Request<Body>| {
        let (sender, body) = TestBody::streamed();
        sender.send(Ok(Frame::data(Bytes::from_static(b"12345")))).expect("open");
        let mut response = Response::new(body);
        if request.method() == Method::GET {
            response.headers_mut().insert("content-length", HeaderValue::from(6));
        } else if request.method() == Method::PUT {
            response.headers_mut().insert("content-length", HeaderValue::from(4));
        } else {
            sender.send(Err(BodyError::Upstream)).expect("open");
        }
        response
    };
    with(ConnectionLimits::default(), answer, async |peer| {
        let (mut sender, _connection) = connect(peer.stream).await;
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let answer = sender.send_request(request(method), true).expect("sent").0.await;
            let error = match answer {
                Ok(answer) => bytes(answer.into_body()).await.expect_err("a reset"),
                Err(error) => error,
            };
            assert_eq!(error.reason(), Some(Reason::INTERNAL_ERROR));
        }
    });
}

#[test]
fn a_slow_reader_holds_little_of_a_large_body() {
    const PIECES: usize = 400;
    let taken = Rc::new(Cell::new(0_usize));
    /// Pieces of 16 KiB without end, counted.
    struct Endless(Rc<Cell<usize>>);
    impl HttpBody for Endless {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.0.set(self.0.get() + 1);
            Poll::Ready((self.0.get() <= PIECES).then(|| Ok(Frame::data(Bytes::from(vec![7; 16 * 1024])))))
        }
    }
    #[derive(Clone)]
    struct Large(Rc<Cell<usize>>);
    impl Service<Request<Body>> for Large {
        type Response = Response<Endless>;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Self::Response, Infallible>>;
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }
        fn call(&mut self, _: Request<Body>) -> Self::Future {
            std::future::ready(Ok(Response::new(Endless(Rc::clone(&self.0)))))
        }
    }
    impl Handler for Large {
        type Body = Endless;
        fn refuse(&mut self, _: Malformed) -> Self::Response {
            Response::new(Endless(Rc::clone(&self.0)))
        }
    }
    local_runtime().expect("a runtime").block_on(async {
        let (ours, stream) = UnixStream::pair().expect("a pair");
        let (counters, drain, limits) = (Arc::default(), Drain::new(), ConnectionLimits::default());
        let service = Large(Rc::clone(&taken));
        let served = serve(Transport::Unix(ours), BytesMut::new(), service, &limits, &drain, &counters);
        let client = async {
            let (mut sender, connection) = connect(stream).await;
            let answer = sender.send_request(request(Method::GET), true).expect("sent").0.await.expect("an answer");
            let mut body = answer.into_body();
            let mut all = 0;
            while let Some(data) = body.data().await {
                let data = data.expect("data");
                all += data.len();
                // The window that the client leaves open, what h2 may hold, and two pieces in hand.
                let ahead = (taken.get() * 16 * 1024).saturating_sub(all);
                assert!(ahead <= (64 + 64 + 32 + 16) * 1024, "{ahead} bytes ahead of the reader");
                body.flow_control().release_capacity(data.len()).expect("released");
            }
            assert_eq!(all, PIECES * 16 * 1024);
            drop((sender, body));
            connection.await.expect("a task").expect("an orderly end");
        };
        let (served, ()) = tokio::join!(served, client);
        served.expect("an orderly end");
    });
}

#[test]
fn an_upload_waits_for_the_service() {
    let (begun, go_on) = (Rc::new(Notify::new()), Rc::new(Notify::new()));
    let (service_begun, service_go_on) = (Rc::clone(&begun), Rc::clone(&go_on));
    let answer = move |request: Request<Body>| {
        let (begun, go_on) = (Rc::clone(&service_begun), Rc::clone(&service_go_on));
        async move {
            let body = request.into_body();
            begun.notify_one();
            go_on.notified().await;
            let all = body.collect().await.expect("a body").to_bytes();
            Response::new(TestBody::full(all.len().to_string()))
        }
    };
    with(ConnectionLimits::default(), answer, async |peer| {
        let (mut sender, _connection) = connect(peer.stream).await;
        let (answer, mut body) = sender.send_request(request(Method::POST), false).expect("sent");
        begun.notified().await;
        let mut sent = 0;
        let mut send = async |until: usize| {
            while sent < until {
                body.reserve_capacity(until - sent);
                let room = poll_fn(|cx| body.poll_capacity(cx)).await.expect("open").expect("room");
                let count = room.min(until - sent);
                sent += count;
                body.send_data(Bytes::from(vec![1; count]), sent == 1024 * 1024).expect("sent");
            }
        };
        // A stream's window, and no more.
        send(256 * 1024).await;
        assert!(futures_util::poll!(std::pin::pin!(send(256 * 1024 + 1))).is_pending(), "the window is shut");
        go_on.notify_one();
        send(1024 * 1024).await;
        let answer = answer.await.expect("an answer");
        assert_eq!(bytes(answer.into_body()).await.expect("a body").0, b"1048576");
    });
}

#[test]
fn a_reset_cancels_the_service() {
    let (begun, dropped) = (Rc::new(Notify::new()), Rc::new(Notify::new()));
    let (service_begun, service_dropped) = (Rc::clone(&begun), Rc::clone(&dropped));
    let answer = move |request: Request<Body>| {
        let (begun, guard) = (Rc::clone(&service_begun), Dropped(Rc::clone(&service_dropped)));
        async move {
            if request.method() == Method::GET {
                let _guard = guard;
                begun.notify_one();
                std::future::pending::<()>().await;
            }
            let (sender, mut body) = TestBody::streamed();
            sender.send(Ok(Frame::data(Bytes::from_static(b"a")))).expect("open");
            std::mem::forget(sender);
            body._dropped = Some(Dropped(Rc::new(Notify::new())));
            Response::new(body)
        }
    };
    with(ConnectionLimits::default(), answer, async |peer| {
        let (mut sender, _connection) = connect(peer.stream).await;
        let (_answer, mut body) = sender.send_request(request(Method::GET), true).expect("sent");
        begun.notified().await;
        body.send_reset(Reason::CANCEL);
        dropped.notified().await;
    });
}

#[test]
fn a_reset_drops_the_body_of_a_response() {
    let dropped = Rc::new(Notify::new());
    let service_dropped = Rc::clone(&dropped);
    let kept = Rc::new(RefCell::new(Vec::new()));
    let answer = move |_| {
        let (sender, mut body) = TestBody::streamed();
        sender.send(Ok(Frame::data(Bytes::from_static(b"a")))).expect("open");
        kept.borrow_mut().push(sender);
        body._dropped = Some(Dropped(Rc::clone(&service_dropped)));
        async { Response::new(body) }
    };
    with(ConnectionLimits::default(), answer, async |peer| {
        let (mut sender, _connection) = connect(peer.stream).await;
        let (answer, mut request_body) = sender.send_request(request(Method::GET), true).expect("sent");
        let mut body = answer.await.expect("an answer").into_body();
        assert_eq!(body.data().await.expect("data").expect("data"), "a");
        request_body.send_reset(Reason::CANCEL);
        dropped.notified().await;
    });
}

#[test]
fn an_early_response_ends_an_upload_without_an_error() {
    let answer = async |_| Response::new(TestBody::full("enough"));
    with(ConnectionLimits::default(), answer, async |peer| {
        let mut frames = Frames::begin(peer.stream, &[]).await;
        frames.send(&frame(1, END_HEADERS, 1, POST)).await;
        assert_eq!(frames.of(0).await, (END_STREAM, 1, b"enough".to_vec()));
        assert_eq!(frames.of(3).await, (0, 1, vec![0; 4]), "RST_STREAM with NO_ERROR");
    });
}

#[test]
fn interim_responses_come_first() {
    let answer = async |request: Request<Body>| {
        let interim = request.body().interim().expect("from a connection");
        let mut fields = HeaderMap::new();
        fields.insert("link", HeaderValue::from_static("</a>"));
        fields.insert("connection", HeaderValue::from_static("close"));
        assert!(interim.send(StatusCode::EARLY_HINTS, fields));
        let all = request.into_body().collect().await.expect("a body").to_bytes();
        Response::new(TestBody::full(all))
    };
    with(ConnectionLimits::default(), answer, async |peer| {
        let (mut sender, _connection) = connect(peer.stream).await;
        let mut head = request(Method::POST);
        head.headers_mut().insert("expect", HeaderValue::from_static("100-continue"));
        let (mut answer, mut body) = sender.send_request(head, false).expect("sent");
        let mut statuses = Vec::new();
        while statuses.len() < 2 {
            let interim = poll_fn(|cx| answer.poll_informational(cx)).await.expect("interim").expect("interim");
            statuses.push(interim.status());
        }
        assert_eq!(statuses, [StatusCode::EARLY_HINTS, StatusCode::CONTINUE]);
        body.send_data(Bytes::from_static(b"now"), true).expect("sent");
        assert_eq!(bytes(answer.await.expect("an answer").into_body()).await.expect("a body").0, b"now");
    });
}

#[test]
fn nobody_who_did_not_wait_is_told_to_continue() {
    with(ConnectionLimits::default(), echo, async |peer| {
        let mut frames = Frames::begin(peer.stream, &[]).await;
        frames.send(&frame(1, END_HEADERS, 1, POST)).await;
        frames.send(&frame(0, END_STREAM, 1, b"x")).await;
        let (_, _, head) = frames.of(1).await;
        assert_eq!(head[0], 0x88, ":status 200 of the static table");
    });
}

fn connect_request() -> Request<()> {
    let mut head = request(Method::CONNECT);
    head.extensions_mut().insert(h2::ext::Protocol::from_static("websocket"));
    head
}

async fn tunnel(request: Request<Body>) -> Response<TestBody> {
    let is_websocket = request.extensions().get::<h2::ext::Protocol>().is_some_and(|name| name.as_str() == "websocket");
    let mut body = request.into_body();
    let Some(mut incoming) = body.take_tunnel().filter(|_| is_websocket) else {
        let mut response = Response::new(TestBody::full(""));
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        return response;
    };
    let (sender, outgoing) = TestBody::streamed();
    tokio::task::spawn_local(async move {
        while let Some(frame) = incoming.frame().await {
            let _ = sender.send(frame);
        }
        let _ = sender.send(Ok(Frame::data(Bytes::from_static(b"bye"))));
    });
    Response::new(outgoing)
}

#[test]
fn an_extended_connect_becomes_a_tunnel() {
    with(ConnectionLimits::default(), tunnel, async |peer| {
        let (mut sender, _connection) = connect(peer.stream).await;
        // The server's settings have come with its first answer.
        let plain = sender.send_request(request(Method::GET), true).expect("sent").0.await.expect("an answer");
        assert_eq!(plain.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert!(sender.is_extended_connect_protocol_enabled());
        let (answer, mut to_server) = sender.send_request(connect_request(), false).expect("sent");
        let answer = answer.await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(!answer.headers().contains_key("content-length"));
        let mut from_server = answer.into_body();
        for text in ["one", "two"] {
            to_server.send_data(Bytes::from(text), false).expect("sent");
            assert_eq!(from_server.data().await.expect("data").expect("data"), text);
        }
        to_server.send_data(Bytes::new(), true).expect("sent");
        assert_eq!(bytes(from_server).await.expect("an end").0, b"bye", "one direction outlives the other");
    });
}

#[test]
fn a_refused_tunnel_ends() {
    let ended = Rc::new(Notify::new());
    let service_ended = Rc::clone(&ended);
    let answer = move |request: Request<Body>| {
        let ended = Rc::clone(&service_ended);
        async move {
            let mut incoming = request.into_body().take_tunnel().expect("offered");
            tokio::task::spawn_local(async move {
                assert!(incoming.frame().await.is_none());
                ended.notify_one();
            });
            let mut response = Response::new(TestBody::full("no"));
            *response.status_mut() = StatusCode::FORBIDDEN;
            response
        }
    };
    with(ConnectionLimits::default(), answer, async |peer| {
        let (mut sender, _connection) = connect(peer.stream).await;
        let (answer, _to_server) = sender.send_request(connect_request(), false).expect("sent");
        assert_eq!(answer.await.expect("an answer").status(), StatusCode::FORBIDDEN);
        ended.notified().await;
    });
}

#[test]
fn a_drain_says_so_and_lets_streams_finish() {
    let go_on = Rc::new(Notify::new());
    let service_go_on = Rc::clone(&go_on);
    let answer = move |_| {
        let go_on = Rc::clone(&service_go_on);
        async move {
            go_on.notified().await;
            Response::new(TestBody::full("done"))
        }
    };
    with(ConnectionLimits::default(), answer, async |peer| {
        let (mut sender, connection) = connect(peer.stream).await;
        let (answer, _) = sender.send_request(request(Method::GET), true).expect("sent");
        tokio::task::yield_now().await;
        peer.drain.begin();
        // The client knows once it can't send any more.
        while poll_fn(|cx| sender.poll_ready(cx)).await.is_ok() {
            tokio::task::yield_now().await;
        }
        go_on.notify_one();
        assert_eq!(bytes(answer.await.expect("an answer").into_body()).await.expect("a body").0, b"done");
        connection.await.expect("a task").expect("an orderly end");
        peer.ended.await.expect("a task").expect("an orderly end");
    });
}

#[test]
fn an_idle_connection_is_told_and_closed() {
    let limits = ConnectionLimits { idle_timeout: Duration::from_millis(1), ..ConnectionLimits::default() };
    with(limits, echo, async |peer| {
        let (sender, connection) = connect(peer.stream).await;
        connection.await.expect("a task").expect("GOAWAY without an error");
        drop(sender);
        peer.ended.await.expect("a task").expect("an orderly end");
    });
}

#[test]
fn a_stream_whose_window_stays_shut_is_reset_on_its_own() {
    let limits = ConnectionLimits { send_timeout: Duration::from_millis(1), ..ConnectionLimits::default() };
    let answer = async |request: Request<Body>| {
        if request.method() == Method::POST {
            // Waits for its own client, and is not to be cut for the other's sake.
            let all = request.into_body().collect().await.expect("a body").to_bytes();
            return Response::new(TestBody::full(all));
        }
        Response::new(TestBody::full(vec![7; 100]))
    };
    with(limits, answer, async |peer| {
        // SETTINGS_INITIAL_WINDOW_SIZE of 10 bytes.
        let mut frames = Frames::begin(peer.stream, &[(4, 10)]).await;
        frames.send(&frame(1, END_HEADERS, 1, POST)).await;
        frames.send(&frame(1, END_STREAM | END_HEADERS, 3, GET)).await;
        assert_eq!(frames.of(0).await, (0, 3, vec![7; 10]), "what the window takes");
        assert_eq!(frames.of(3).await, (0, 3, vec![0, 0, 0, 8]), "CANCEL");
        assert_eq!(peer.counters.noted(Protection::WindowStall), 1);
        frames.send(&frame(0, END_STREAM, 1, b"still")).await;
        assert_eq!(frames.of(0).await, (END_STREAM, 1, b"still".to_vec()));
    });
}

#[test]
fn a_client_that_takes_no_bytes_is_cut() {
    let limits = ConnectionLimits { send_timeout: Duration::from_millis(1), ..ConnectionLimits::default() };
    let answer = async |_| Response::new(TestBody::full(vec![7; 8 * 1024 * 1024]));
    with(limits, answer, async |peer| {
        let mut frames = Frames::begin(peer.stream, &[(4, 1 << 30)]).await;
        frames.send(&frame(8, 0, 0, &(1_u32 << 30).to_be_bytes())).await;
        frames.send(&frame(1, END_STREAM | END_HEADERS, 1, GET)).await;
        assert!(peer.ended.await.expect("a task").is_err());
        assert_eq!(peer.counters.noted(Protection::SlowReader), 1);
    });
}

#[test]
fn half_a_field_block_is_not_waited_for() {
    let limits = ConnectionLimits { header_timeout: Duration::from_millis(1), ..ConnectionLimits::default() };
    with(limits, echo, async |peer| {
        let mut frames = Frames::begin(peer.stream, &[]).await;
        frames.send(&frame(1, END_STREAM, 1, GET)).await;
        assert_eq!(frames.last_words().await, CALM);
        assert_eq!(peer.counters.noted(Protection::SlowHead), 1);
    });
}

#[test]
fn half_a_preface_is_not_waited_for() {
    let limits = ConnectionLimits { header_timeout: Duration::from_millis(1), ..ConnectionLimits::default() };
    with(limits, echo, async |mut peer| {
        peer.stream.write_all(&PREFACE[..9]).await.expect("written");
        assert!(peer.ended.await.expect("a task").is_err());
        assert_eq!(peer.counters.noted(Protection::SlowHead), 1);
    });
}

#[test]
fn floods_are_cut_and_counted() {
    let never = async |_| std::future::pending::<Response<TestBody>>().await;
    let repeated = |bytes: &[u8], count: u64| bytes.repeat(usize::try_from(count).expect("few"));
    let resets: Vec<u8> = (0..=u32::try_from(RESETS_MAX).expect("few"))
        .flat_map(|number| {
            let id = 2 * number + 1;
            [frame(1, END_STREAM | END_HEADERS, id, GET), frame(3, 0, id, &[0, 0, 0, 8])].concat()
        })
        .collect();
    let open = frame(1, END_HEADERS, 1, POST);
    let empty = [open, repeated(&frame(0, 0, 1, b""), u64::from(EMPTY_FRAMES_MAX) + 1)].concat();
    let block = frame(1, 0, 1, GET);
    for (flood, reason) in [
        (resets, Protection::RapidReset),
        (repeated(&frame(6, 0, 0, &[0; 8]), CONTROL_FRAMES_MAX + 1), Protection::ControlFrames),
        (repeated(&frame(4, 0, 0, &[]), CONTROL_FRAMES_MAX + 1), Protection::ControlFrames),
        (repeated(&frame(2, 0, 1, &[0, 0, 0, 0, 1]), CONTROL_FRAMES_MAX + 1), Protection::ControlFrames),
        (empty, Protection::EmptyFrames),
        ([block, repeated(&frame(9, 0, 1, b""), 10)].concat(), Protection::Continuation),
    ] {
        with(ConnectionLimits::default(), never, async |peer| {
            let (read, mut write) = peer.stream.into_split();
            let writing = tokio::task::spawn_local(async move {
                let begun = [PREFACE, &frame(4, 0, 0, &[])].concat();
                let _ = write.write_all(&[begun, flood].concat()).await;
                write
            });
            let mut all = Vec::new();
            let mut read = read;
            let _ = read.read_to_end(&mut all).await;
            drop(writing.await);
            let ended = peer.ended.await.expect("a task");
            assert!(ended.as_ref().is_err_and(|error| error.contains(reason.label())), "{reason:?}: {ended:?}");
            assert_eq!(peer.counters.noted(reason), 1, "{reason:?}");
            // GOAWAY is the last frame, and its reason the last but its debug data.
            assert!(all.windows(4).any(|window| window == CALM.to_be_bytes()), "{reason:?}: no GOAWAY");
        });
    }
}

#[test]
fn heads_that_are_too_large_are_answered() {
    let limits = ConnectionLimits { header_count_max: 10, header_bytes_max: 8192, ..ConnectionLimits::default() };
    let answer = async |_| Response::new(TestBody::full("ok"));
    with(limits, answer, async |peer| {
        let (mut sender, _connection) = connect(peer.stream).await;
        let mut many = request(Method::GET);
        for _ in 0..11 {
            many.headers_mut().append("x", HeaderValue::from_static("y"));
        }
        let mut large = request(Method::GET);
        large.headers_mut().insert("x", HeaderValue::try_from("y".repeat(8192)).expect("a value"));
        let mut huge = request(Method::GET);
        huge.headers_mut().insert("x", HeaderValue::try_from("y".repeat(16_000)).expect("a value"));
        for head in [many, large, huge] {
            let answer = sender.send_request(head, true).expect("sent").0.await.expect("an answer");
            assert_eq!(answer.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        }
        assert_eq!(peer.counters.noted(Protection::HeaderList), 2, "the third is refused by h2 itself");
        let answer = sender.send_request(request(Method::GET), true).expect("sent").0.await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK, "the connection goes on");
    });
}

#[test]
fn malformed_requests_are_stream_errors_or_answered() {
    let answer = async |_| Response::new(TestBody::full("ok"));
    with(ConnectionLimits::default(), answer, async |peer| {
        let mut frames = Frames::begin(peer.stream, &[]).await;
        // No path and no authority, which `h2` lets pass.
        frames.send(&frame(1, END_STREAM | END_HEADERS, 1, b"\x82\x86")).await;
        assert_eq!(frames.of(3).await, (0, 1, vec![0, 0, 0, 1]), "PROTOCOL_ERROR");
        // A path that is none, which it does not.
        frames.send(&frame(1, END_STREAM | END_HEADERS, 3, b"\x82\x86\x04\x01x\x01\x01a")).await;
        assert_eq!(frames.of(3).await, (0, 3, vec![0, 0, 0, 1]), "PROTOCOL_ERROR");
        // A value that ends in a space.
        frames.send(&frame(1, END_STREAM | END_HEADERS, 5, b"\x82\x86\x84\x01\x01a\x00\x01x\x02y ")).await;
        let (_, id, head) = frames.of(1).await;
        assert_eq!((id, head[0]), (5, 0x8c), ":status 400 of the static table");
        assert_eq!(peer.counters.noted(Protection::Malformed), 2);
        // A body that is shorter than announced.
        frames.send(&frame(1, END_HEADERS, 7, b"\x83\x86\x84\x01\x01a\x0f\x0d\x015")).await;
        frames.send(&frame(0, END_STREAM, 7, b"1234")).await;
        assert_eq!(frames.of(3).await.1, 7);
    });
}
