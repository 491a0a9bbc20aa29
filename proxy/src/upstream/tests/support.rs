//! An upstream with one endpoint, and the endpoint's end of its connections.

use crate::config::{self, Balance, Endpoint, EndpointAddress, RetryBudget, UpstreamProtocol};
use crate::upstream::{
    Affinity, Attempt, Call, Group, HostField, Pools, SendLimits, Shared, Transport, Upstream, UpstreamBody,
    UpstreamError,
};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::{Body as HttpBody, Frame};
use http_body_util::BodyExt;
use serve::{Body, BodyError};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

pub(super) const LIMITS: SendLimits = SendLimits {
    body_bytes_max: 1 << 30,
    progress_timeout: Duration::from_secs(5),
    response_timeout: Duration::from_secs(5),
    stream_idle_timeout: Duration::from_secs(5),
};

/// An upstream with one endpoint, and nothing about it that is not needed.
pub(super) fn configured(address: &SocketAddr) -> config::Upstream {
    config::Upstream {
        link: false,
        retry_budget: RetryBudget::DEFAULT,
        limits: None,
        breaker: None,
        park: None,
        name: "app".to_owned(),
        endpoints: vec![Endpoint {
            address: EndpointAddress::Tcp { host: address.ip().to_string(), port: address.port() },
            weight: 1,
            zone: None,
        }],
        balance: Balance::LeastRequests,
        hash_by: None,
        protocol: UpstreamProtocol::Http1,
        tls: None,
        assertion_key: None,
        connect_timeout: Duration::from_secs(5),
        connect_attempt_delay: Duration::from_millis(250),
        idle_timeout: Duration::from_secs(60),
        idle_max: 8,
        resolve_every: Duration::from_secs(60),
        proxy_protocol: None,
        sticky: None,
        health: None,
        eject: None,
        slow_start: None,
        zones: None,
    }
}

/// An upstream as a worker uses it. Must be called on its runtime.
pub(super) fn used(config: &config::Upstream) -> Upstream {
    used_by_another(config, &Shared::new(config, None))
}

/// The same beside other workers and revisions.
pub(super) fn used_by_another(config: &config::Upstream, shared: &Arc<Shared>) -> Upstream {
    let transport = Transport { protocol: UpstreamProtocol::Http1, tls: None };
    Pools::new().upstream(config, &transport, &Group::new(config, None, None, None), Arc::default(), None, shared)
}

/// Runs a test on a worker's runtime.
pub(super) fn run(test: impl AsyncFnOnce(Upstream, TcpListener)) {
    let runtime = serve::worker::local_runtime().expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let upstream = used(&configured(&address));
        tokio::time::timeout(Duration::from_secs(20), test(upstream, listener)).await.expect("in time");
    });
}

/// The endpoint's end of a connection.
pub(super) struct Peer(pub(super) TcpStream);

impl Peer {
    pub(super) async fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("a TCP socket");
        Self(stream)
    }

    /// Reads up to and with these bytes, and nothing behind them.
    pub(super) async fn read_until(&mut self, end: &[u8]) -> String {
        let mut bytes = Vec::new();
        while !bytes.ends_with(end) {
            bytes.push(self.0.read_u8().await.expect("more bytes"));
        }
        String::from_utf8(bytes).expect("text")
    }

    /// Reads a request's head.
    pub(super) async fn read_head(&mut self) -> String {
        self.read_until(b"\r\n\r\n").await
    }

    /// Reads to the end, however it comes.
    pub(super) async fn read_to_close(&mut self) -> String {
        let mut bytes = Vec::new();
        let _ = self.0.read_to_end(&mut bytes).await;
        String::from_utf8(bytes).expect("text")
    }

    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.expect("a reader");
    }

    /// Reads a request's head and answers it.
    pub(super) async fn answer(&mut self, bytes: impl AsRef<[u8]>) -> String {
        let head = self.read_head().await;
        self.send(bytes).await;
        head
    }

    /// Ends the connection with a reset.
    pub(super) fn reset(self) {
        socket2::SockRef::from(&self.0).set_linger(Some(Duration::ZERO)).expect("a TCP socket");
    }
}

/// What came of a request.
pub(super) type Outcome = Result<Response<UpstreamBody>, UpstreamError>;

pub(super) fn request(method: Method, target: &str) -> http::request::Parts {
    Request::builder().method(method).uri(target).body(()).expect("a request").into_parts().0
}

/// Sends a request; interim responses are noted.
pub(super) async fn send_noting(
    upstream: &Upstream,
    mut head: http::request::Parts,
    body: Body,
    noted: &mut Vec<(StatusCode, HeaderMap)>,
) -> Outcome {
    let interim = &mut |status, fields| noted.push((status, fields));
    let tunnel = None;
    let identity_headers = &Rc::from([]);
    let head = &mut head;
    let call = Call {
        head,
        own: None,
        body,
        again: None,
        tunnel,
        affinity: Affinity::default(),
        host: &HostField::Kept,
        limits: LIMITS,
        deadline: None,
        retry: None,
        identity_headers,
        prelude: &[],
        interim,
    };
    upstream.send(call, &mut Attempt::default()).await
}

/// Sends a request within limits, and maybe with the offer of a tunnel.
pub(super) async fn send_within(
    upstream: &Upstream,
    mut head: http::request::Parts,
    body: Body,
    tunnel: Option<Body>,
    limits: SendLimits,
) -> Outcome {
    let interim = &mut |_, _| ();
    let identity_headers = &Rc::from([]);
    let head = &mut head;
    let call = Call {
        head,
        own: None,
        body,
        again: None,
        tunnel: tunnel.map(Box::new),
        affinity: Affinity::default(),
        host: &HostField::Kept,
        limits,
        deadline: None,
        retry: None,
        identity_headers,
        prelude: &[],
        interim,
    };
    upstream.send(call, &mut Attempt::default()).await
}

pub(super) async fn send(upstream: &Upstream, head: http::request::Parts, body: Body) -> Outcome {
    send_within(upstream, head, body, None, LIMITS).await
}

pub(super) async fn get(upstream: &Upstream) -> Outcome {
    send(upstream, request(Method::GET, "/"), Body::empty()).await
}

/// The status and the body of a response.
pub(super) async fn read(outcome: Outcome) -> (u16, Result<String, BodyError>) {
    let response = outcome.expect("a response");
    let status = response.status().as_u16();
    let body = response.into_body().collect().await;
    (status, body.map(|body| String::from_utf8(body.to_bytes().to_vec()).expect("text")))
}

/// A body whose pieces the test supplies.
pub(super) fn supplied() -> (UnboundedSender<Result<Frame<Bytes>, BodyError>>, Body) {
    let (sender, pieces) = unbounded_channel();
    (sender, Body::stream(Supplied(pieces)))
}

struct Supplied(UnboundedReceiver<Result<Frame<Bytes>, BodyError>>);

impl HttpBody for Supplied {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.0.poll_recv(cx)
    }
}

/// A piece of a supplied body.
pub(super) fn piece(bytes: &'static [u8]) -> Result<Frame<Bytes>, BodyError> {
    Ok(Frame::data(Bytes::from_static(bytes)))
}
