//! An upstream that is a function from requests to responses: HTTP/2 in the clear, or TLS with either version of HTTP.

use crate::socket::Socket;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{HandshakeKind, ServerConfig};
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// The body of an answer.
pub type AnswerBody = UnsyncBoxBody<Bytes, io::Error>;

/// A listening upstream. Dropped, it stops to listen.
pub struct Service {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    resumed: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

/// What a service speaks.
#[derive(Clone, Default)]
pub struct Speaks {
    /// With TLS the version of HTTP is agreed by ALPN; without, it is HTTP/2.
    pub tls: Option<Arc<ServerConfig>>,
    /// Streams at once on one HTTP/2 connection; `None`: hyper's default.
    pub streams_max: Option<u32>,
    resumed: Arc<AtomicUsize>,
}

impl Speaks {
    /// TLS with these settings.
    #[must_use]
    pub fn tls(config: ServerConfig) -> Self {
        Self { tls: Some(Arc::new(config)), ..Self::default() }
    }

    /// HTTP/2 in the clear, with at most this many streams a connection.
    #[must_use]
    pub fn streams(streams_max: u32) -> Self {
        Self { streams_max: Some(streams_max), ..Self::default() }
    }

    async fn serve<F, R>(self, stream: Box<dyn Socket>, is_http2: bool, answer: F)
    where
        F: Fn(Request<Incoming>) -> R + Clone + Send + 'static,
        R: Future<Output = Response<AnswerBody>> + Send + 'static,
    {
        let service = service_fn(move |request| {
            let answering = answer(request);
            async move { Ok::<_, Infallible>(answering.await) }
        });
        let io = TokioIo::new(stream);
        // What goes wrong here shows at the client, where tests look.
        if is_http2 {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            if let Some(streams_max) = self.streams_max {
                builder.max_concurrent_streams(streams_max);
            }
            let _ = builder.serve_connection(io, service).await;
        } else {
            let _ = http1::Builder::new().serve_connection(io, service).await;
        }
    }

    async fn accept<F, R>(self, stream: impl Socket, answer: F)
    where
        F: Fn(Request<Incoming>) -> R + Clone + Send + 'static,
        R: Future<Output = Response<AnswerBody>> + Send + 'static,
    {
        let Some(config) = self.tls.clone() else { return self.serve(Box::new(stream), true, answer).await };
        if let Ok(stream) = TlsAcceptor::from(config).accept(stream).await {
            let session = stream.get_ref().1;
            if session.handshake_kind() == Some(HandshakeKind::Resumed) {
                self.resumed.fetch_add(1, Ordering::SeqCst);
            }
            let is_http2 = session.alpn_protocol() == Some(b"h2");
            self.serve(Box::new(stream), is_http2, answer).await;
        }
    }
}

impl Service {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Panics
    ///
    /// When the machine has none.
    pub async fn start<F, R>(speaks: Speaks, answer: F) -> Self
    where
        F: Fn(Request<Incoming>) -> R + Clone + Send + 'static,
        R: Future<Output = Response<AnswerBody>> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let connections = Arc::new(AtomicUsize::new(0));
        let (counter, resumed) = (Arc::clone(&connections), Arc::clone(&speaks.resumed));
        let accepting = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                stream.set_nodelay(true).expect("a TCP socket takes TCP_NODELAY");
                counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(speaks.clone().accept(stream, answer.clone()));
            }
        });
        Self { address, connections, resumed, accepting }
    }

    /// Serves on a Unix socket until the test ends.
    ///
    /// # Panics
    ///
    /// When the path is taken.
    pub fn start_unix<F, R>(path: &Path, speaks: Speaks, answer: F)
    where
        F: Fn(Request<Incoming>) -> R + Clone + Send + 'static,
        R: Future<Output = Response<AnswerBody>> + Send + 'static,
    {
        let listener = UnixListener::bind(path).expect("a free path");
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                tokio::spawn(speaks.clone().accept(stream, answer.clone()));
            }
        });
    }

    /// Where it listens, as an upstream's endpoint is written in the configuration.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.address.to_string()
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Connections accepted since the start.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// How many of them resumed an earlier TLS session.
    #[must_use]
    pub fn resumed(&self) -> usize {
        self.resumed.load(Ordering::SeqCst)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A 200 with these bytes.
pub fn answer(bytes: impl Into<Bytes>) -> Response<AnswerBody> {
    stream(Full::new(bytes.into()))
}

/// A 200 with this body.
pub fn stream<B>(body: B) -> Response<AnswerBody>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    Response::new(boxed(body))
}

/// Any body as that of an answer.
pub fn boxed<B>(body: B) -> AnswerBody
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    body.map_err(io::Error::other).boxed_unsync()
}
