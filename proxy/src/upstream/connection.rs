//! One connection to an endpoint: hyper's HTTP/1.1 client, polled by whoever uses it.

use super::upload::Upload;
use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// Reads are at most this large: more does not fit a core's cache well.
const READ_BYTES_MAX: usize = 64 * 1024;

/// The head of a response may have this many fields.
const RESPONSE_FIELDS_MAX: usize = 128;

/// The socket under a connection, with a count of what came in.
pub(super) struct Socket {
    kind: Kind,
    received: Rc<Cell<bool>>,
}

enum Kind {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A connection, idle or in use. hyper's part is large and is passed around with every request, so it is boxed: one
/// allocation a connection.
pub(super) struct Connection {
    sender: SendRequest<Upload>,
    driver: Box<http1::Connection<TokioIo<Socket>, Upload>>,
    /// Whether any byte came in since it was last cleared.
    received: Rc<Cell<bool>>,
    /// Requests sent before.
    pub(super) used: u32,
}

/// Why a request got no response.
pub(super) struct NoResponse {
    /// What hyper says.
    pub(super) error: hyper::Error,
    /// The request, when not a byte of it was written.
    pub(super) unsent: Option<Box<Request<Upload>>>,
    /// Whether the upstream answered anything at all.
    pub(super) received: bool,
}

impl Connection {
    pub(super) async fn connect_tcp(address: SocketAddr, prelude: &[u8]) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        socket2::SockRef::from(&stream).set_tcp_keepalive(&serve::listener::keepalive())?;
        stream.write_all(prelude).await?;
        Self::handshake(Kind::Tcp(stream)).await
    }

    pub(super) async fn connect_unix(path: &Path, prelude: &[u8]) -> io::Result<Self> {
        let mut stream = UnixStream::connect(path).await?;
        stream.write_all(prelude).await?;
        Self::handshake(Kind::Unix(stream)).await
    }

    async fn handshake(kind: Kind) -> io::Result<Self> {
        let received = Rc::new(Cell::new(false));
        let io = TokioIo::new(Socket { kind, received: Rc::clone(&received) });
        let (sender, driver) = http1::Builder::new()
            .max_buf_size(READ_BYTES_MAX)
            .max_headers(RESPONSE_FIELDS_MAX)
            .handshake(io)
            .await
            .map_err(io::Error::other)?;
        Ok(Self { sender, driver: Box::new(driver), received, used: 0 })
    }

    /// Polls the connection; true while it lives.
    pub(super) fn poll_alive(&mut self, cx: &mut Context<'_>) -> bool {
        self.driver.poll_without_shutdown(cx).is_pending()
    }

    /// Whether an idle connection can take a request: it lives and the endpoint has sent nothing unasked.
    pub(super) async fn is_usable(&mut self) -> bool {
        poll_fn(|cx| Poll::Ready(self.poll_alive(cx) && self.sender.is_ready())).await
    }

    /// Sends a request and waits for the head of its response; `check` is polled along and may end the wait.
    pub(super) async fn send<E>(
        &mut self,
        request: Request<Upload>,
        mut check: impl FnMut(&mut Context<'_>) -> Poll<E>,
    ) -> Result<Result<Response<Incoming>, NoResponse>, E> {
        self.received.set(false);
        self.used += 1;
        let mut sending = pin!(self.sender.try_send_request(request));
        let driver = &mut self.driver;
        let received = &self.received;
        poll_fn(|cx| {
            // The connection first: it writes the request and reads what the waiting half then finds.
            let _ = driver.poll_without_shutdown(cx);
            if let Poll::Ready(outcome) = sending.as_mut().poll(cx) {
                return Poll::Ready(Ok(outcome.map_err(|mut failed| NoResponse {
                    unsent: failed.take_message().map(Box::new),
                    error: failed.into_error(),
                    received: received.get(),
                })));
            }
            check(cx).map(Err)
        })
        .await
    }

    /// After a 101 response: the stream itself, and what the endpoint sent right behind its 101.
    pub(super) async fn into_stream(mut self) -> (Socket, Bytes) {
        // hyper hands the stream over at its next turn, after the response head.
        let _ = poll_fn(|cx| self.driver.poll_without_shutdown(cx)).await;
        let parts = self.driver.into_parts();
        (parts.io.into_inner(), parts.read_buf)
    }
}

macro_rules! each {
    ($self:expr, $stream:ident => $call:expr) => {
        match &mut $self.get_mut().kind {
            Kind::Tcp($stream) => $call,
            Kind::Unix($stream) => $call,
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let socket = self.get_mut();
        let before = buf.filled().len();
        let polled = match &mut socket.kind {
            Kind::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Kind::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        if buf.filled().len() > before {
            socket.received.set(true);
        }
        polled
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
