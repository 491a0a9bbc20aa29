//! The byte stream to an endpoint, whatever is under it, with a count of what came in.

use rustls::ClientConnection;
use socket2::{SockRef, Socket};
use std::cell::Cell;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;

/// A connected socket.
#[derive(Debug)]
pub(super) enum Plain {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A connected socket, with TLS over it or without.
#[derive(Debug)]
pub(super) struct Stream {
    kind: Kind,
    received: Received,
}

#[derive(Debug)]
enum Kind {
    Plain(Plain),
    /// Boxed: its buffers and keys are some kilobytes, and most streams have none.
    Tls(Box<TlsStream<Plain>>),
}

/// How many bytes a stream has brought, readable by who does not hold it.
#[derive(Debug, Clone, Default)]
pub(super) struct Received(Rc<Cell<u64>>);

impl Received {
    /// Bytes since the stream was opened, after decryption.
    pub(super) fn bytes(&self) -> u64 {
        self.0.get()
    }
}

impl Plain {
    fn socket(&self) -> SockRef<'_> {
        match self {
            Self::Tcp(stream) => SockRef::from(stream),
            Self::Unix(stream) => SockRef::from(stream),
        }
    }
}

impl Stream {
    /// Whether the kernel holds bytes, the end of the stream or an error that the runtime may not have told of yet.
    /// Costs a system call.
    pub(super) fn has_news(&self) -> bool {
        let plain = match &self.kind {
            Kind::Plain(plain) => plain,
            Kind::Tls(tls) => tls.get_ref().0,
        };
        let peeked = plain.socket().peek(&mut [MaybeUninit::uninit()]);
        !matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// The count of what came in.
    pub(super) fn received(&self) -> &Received {
        &self.received
    }
}

impl From<Plain> for Stream {
    fn from(plain: Plain) -> Self {
        Self { kind: Kind::Plain(plain), received: Received::default() }
    }
}

impl From<TlsStream<Plain>> for Stream {
    fn from(tls: TlsStream<Plain>) -> Self {
        Self { kind: Kind::Tls(Box::new(tls)), received: Received::default() }
    }
}

/// The same call on whatever is inside.
macro_rules! each {
    ($plain:expr, $stream:ident => $call:expr) => {
        match $plain {
            Plain::Tcp($stream) => $call,
            Plain::Unix($stream) => $call,
        }
    };
}

/// The same write on whatever is inside; over TLS a failure is explained.
macro_rules! each_kind {
    ($self:expr, $stream:ident => $call:expr) => {
        match &mut $self.get_mut().kind {
            Kind::Plain($stream) => $call,
            Kind::Tls($stream) => {
                let written = $call;
                if let Poll::Ready(Err(error)) = written {
                    let (plain, session) = $stream.get_mut();
                    return Poll::Ready(Err(refusal(plain, session).unwrap_or(error)));
                }
                written
            }
        }
    };
}

/// Why the peer has closed, when it said so: under TLS 1.3 a server refuses a client's certificate only after the
/// client's side of the handshake has ended (RFC 8446 section 4.4.2.4), and a write meets the closed socket first.
/// What else has come stays readable.
fn refusal(plain: &Plain, session: &mut ClientConnection) -> Option<io::Error> {
    let socket = plain.socket();
    // Straight from the socket, which never waits: the runtime has not yet seen that there is something to read.
    let mut socket: &Socket = &socket;
    while session.wants_read() && session.read_tls(&mut socket).ok()? > 0 {
        if let Err(error) = session.process_new_packets() {
            return Some(io::Error::new(io::ErrorKind::InvalidData, error));
        }
    }
    None
}

impl AsyncRead for Plain {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Plain {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(cx))
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        let before = buf.filled().len();
        let polled = match &mut stream.kind {
            Kind::Plain(plain) => Pin::new(plain).poll_read(cx, buf),
            Kind::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        };
        let came = buf.filled().len() - before;
        stream.received.0.set(stream.received.0.get() + came as u64);
        polled
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        each_kind!(self, stream => Pin::new(&mut *stream).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each_kind!(self, stream => Pin::new(&mut *stream).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each_kind!(self, stream => Pin::new(&mut *stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each_kind!(self, stream => Pin::new(&mut *stream).poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn what_comes_in_is_counted() {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        let mut stream = Stream::from(Plain::Unix(ours));
        let received = stream.received().clone();
        stream.write_all(b"out").await.expect("written");
        assert_eq!(received.bytes(), 0);
        theirs.write_all(b"hello").await.expect("written");
        let mut read = [0; 5];
        stream.read_exact(&mut read).await.expect("read");
        assert_eq!((received.bytes(), &read), (5, b"hello"));
    }
}
