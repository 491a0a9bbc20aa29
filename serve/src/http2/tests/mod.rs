//! The server against `h2`'s client and against raw frames, over a socket pair.

mod life;
mod requests;
mod responses;

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
    is_at_end: bool,
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
        (sender, Self { frames, exact: None, is_at_end: false, _dropped: None })
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

    fn is_end_stream(&self) -> bool {
        self.is_at_end
    }

    fn size_hint(&self) -> SizeHint {
        self.exact.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

#[derive(Clone)]
struct TestService {
    answer: Rc<dyn Fn(Request<Body>) -> Answer>,
    admits: Rc<Cell<bool>>,
}

impl Service<Request<Body>> for TestService {
    type Response = Response<TestBody>;
    type Error = Infallible;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answer = (self.answer)(request);
        Box::pin(async { Ok(answer.await) })
    }
}

impl Handler for TestService {
    type Body = TestBody;

    fn admits(&self) -> bool {
        self.admits.get()
    }

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
    /// Whether the server takes requests.
    admits: Rc<Cell<bool>>,
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
        let admits = Rc::new(Cell::new(true));
        let answer = Rc::new(move |request| -> Answer { Box::pin(service(request)) });
        let service = TestService { answer, admits: Rc::clone(&admits) };
        let ended = tokio::task::spawn_local({
            let (counters, drain) = (Arc::clone(&counters), Rc::clone(&drain));
            async move {
                let transport = Transport::Unix(ours);
                let served = serve(transport, BytesMut::new(), service, &limits, &drain, &counters).await;
                served.map_err(|ended| ended.to_string())
            }
        });
        client(Peer { stream, counters, drain, admits, ended }).await;
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
