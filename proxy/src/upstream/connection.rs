//! One HTTP/1.1 connection to an endpoint: its stream, what waits to be written, and what was read ahead. It has no
//! task; whoever uses it polls it.

use super::error::UpstreamError;
use super::stream::Stream;
use bytes::BytesMut;
use http::Method;
use serve::http1::{HeadLimits, HeadReader, Outgoing, ResponseHead, poll_read_body, poll_read_small};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// The head of a response, and the trailer of one.
pub(super) const RESPONSE_LIMITS: HeadLimits = HeadLimits { bytes_max: 64 * 1024, fields_max: 128 };

/// What is announced to be smaller is read to where heads are.
const SMALL_BODY_BYTES: u64 = 4 * 1024;

/// A connection, idle or in use. It is passed around with every request, so it is boxed: one allocation a connection.
pub(super) struct Connection {
    stream: Stream,
    /// What came behind what has been taken; without memory while the connection is idle.
    pub(super) buffer: BytesMut,
    /// What waits to be written.
    pub(super) out: Outgoing,
    reader: HeadReader,
    unflushed: bool,
    /// The endpoint takes nothing any more.
    deaf: bool,
    /// Requests sent before the current one.
    pub(super) used: u32,
    /// Whether a byte of the current request was written.
    pub(super) wrote: bool,
    /// Whether a byte came since the current request began.
    pub(super) received: bool,
}

impl Connection {
    /// Over a stream on which HTTP/1.1 is spoken.
    pub(super) fn new(stream: Stream) -> Box<Self> {
        Box::new(Self {
            stream,
            buffer: BytesMut::new(),
            out: Outgoing::default(),
            reader: HeadReader::default(),
            unflushed: false,
            deaf: false,
            used: 0,
            wrote: false,
            received: false,
        })
    }

    pub(super) async fn connect_tcp(address: SocketAddr, prelude: &[u8]) -> io::Result<Box<Self>> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        socket2::SockRef::from(&stream).set_tcp_keepalive(&serve::listener::keepalive())?;
        stream.write_all(prelude).await?;
        Ok(Self::new(Stream::Tcp(stream)))
    }

    pub(super) async fn connect_unix(path: &Path, prelude: &[u8]) -> io::Result<Box<Self>> {
        let mut stream = UnixStream::connect(path).await?;
        stream.write_all(prelude).await?;
        Ok(Self::new(Stream::Unix(stream)))
    }

    /// Whether an idle connection can take a request: the endpoint has neither closed it nor sent anything unasked.
    /// The runtime is asked first, which is free and nearly always right; with `surely` the kernel is asked too, for
    /// a request that could not be sent twice.
    pub(super) fn is_usable(&mut self, surely: bool) -> bool {
        let mut byte = [0];
        let cx = &mut Context::from_waker(Waker::noop());
        let silent = Pin::new(&mut self.stream).poll_read(cx, &mut ReadBuf::new(&mut byte)).is_pending();
        silent && !(surely && self.stream.has_news())
    }

    /// Begins another request.
    pub(super) fn begin(&mut self) {
        self.used += 1;
        self.wrote = false;
        self.received = false;
    }

    /// Whether nothing is in flight in either direction, so that another request may follow.
    pub(super) fn is_quiet(&self) -> bool {
        self.out.is_empty() && self.buffer.is_empty() && !self.unflushed && !self.deaf
    }

    /// Writes what was gathered. Ready when nothing waits any more.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.out.is_empty() && !self.unflushed {
            return Poll::Ready(Ok(()));
        }
        let before = self.out.bytes();
        let written = self.out.poll_write(cx, &mut self.stream);
        self.wrote |= self.out.bytes() < before;
        ready!(written)?;
        // A TLS session may hold what it took.
        self.unflushed = true;
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.unflushed = false;
        Poll::Ready(Ok(()))
    }

    /// The endpoint takes nothing any more: what waits is forgotten, and this request is the last.
    pub(super) fn stop_sending(&mut self) {
        self.out = Outgoing::default();
        self.unflushed = false;
        self.deaf = true;
    }

    /// Ends our direction of the stream.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    /// Waits for the head of a response, an interim one too. `asked` is the request's method.
    pub(super) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        asked: &Method,
    ) -> Poll<Result<ResponseHead, UpstreamError>> {
        loop {
            if !self.buffer.is_empty() {
                match self.reader.response(&mut self.buffer, RESPONSE_LIMITS, asked) {
                    Ok(Some(head)) => return Poll::Ready(Ok(head)),
                    Ok(None) => {}
                    Err(malformed) => return Poll::Ready(Err(UpstreamError::Malformed(malformed.reason))),
                }
            }
            match ready!(poll_read_small(&mut self.stream, cx, &mut self.buffer)) {
                Ok(0) => return Poll::Ready(Err(UpstreamError::Reset(io::ErrorKind::UnexpectedEof.into()))),
                Ok(_) => self.received = true,
                Err(error) => return Poll::Ready(Err(UpstreamError::Reset(error))),
            }
        }
    }

    /// Reads more of a body of which `left` bytes are still to come, if that is known. 0 is the end of the stream.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>, left: Option<u64>) -> Poll<io::Result<usize>> {
        if left.is_some_and(|left| left < SMALL_BODY_BYTES) {
            poll_read_small(&mut self.stream, cx, &mut self.buffer)
        } else {
            poll_read_body(&mut self.stream, cx, &mut self.buffer)
        }
    }

    /// Reads whatever comes, without holding memory for it. 0 is the end of the stream.
    pub(super) fn poll_fill_any(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        poll_read_small(&mut self.stream, cx, &mut self.buffer)
    }
}
