//! The byte stream under one connection.

use crate::file_sink::FileSink;
use rustix::fs::sendfile;
use rustix::net::{SendAncillaryBuffer, SendFlags, send, sendmsg, sockopt};
use std::fs::File;
use std::io::{self, IoSlice, Write as _};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// Plaintext that fits one record (RFC 8446 section 5.1).
const RECORD_BYTES_MAX: usize = 16 * 1024;

/// A socket, or a TLS session on one.
pub enum Transport {
    /// TCP in the clear.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
    /// TLS. Boxed: a session is a kilobyte, and most of the others are in the clear or idle.
    Tls(Box<tokio_rustls::server::TlsStream<Transport>>),
}

impl Transport {
    /// The connection's own local address, for TCP.
    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.local_addr().ok(),
            Self::Unix(_) | Self::Tls(_) => None,
        }
    }

    pub(crate) const fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Whether the kernel can send a file on it: [`FileSink::poll_send_file`].
    pub(crate) const fn sends_files(&self) -> bool {
        matches!(self, Self::Tcp(_))
    }
}

macro_rules! each {
    ($self:expr, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Transport::Tcp($stream) => $call,
            Transport::Unix($stream) => $call,
            Transport::Tls($stream) => $call,
        }
    };
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        // rustls copies every slice into records anyway, but takes them in one call.
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}

impl FileSink for Transport {
    fn poll_send_file(&mut self, cx: &mut Context<'_>, file: &File, at: u64, count: usize) -> Poll<io::Result<usize>> {
        let Self::Tcp(stream) = self else { return Poll::Ready(Err(io::ErrorKind::Unsupported.into())) };
        poll_tcp(stream, cx, |stream| Ok(sendfile(stream, file, Some(&mut { at }), count)?))
    }

    /// The kernel keeps them (`MSG_MORE`, `TCP_CORK`) until it has the end of the stream, or for 200 ms (tcp(7)). Of a TLS
    /// session, its own end is among them.
    fn poll_write_last(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => poll_tcp(stream, cx, |stream| {
                let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
                Ok(match bufs {
                    [buf] => send(stream, buf, flags)?,
                    _ => sendmsg(stream, bufs, &mut SendAncillaryBuffer::default(), flags)?,
                })
            }),
            Self::Tls(stream) => {
                let (socket, session) = stream.get_mut();
                let count = bufs.iter().map(|buf| buf.len()).sum::<usize>();
                if session.wants_write() || count > RECORD_BYTES_MAX {
                    return Pin::new(self).poll_write_vectored(cx, bufs);
                }
                for buf in bufs {
                    session.writer().write_all(buf)?;
                }
                session.send_close_notify();
                if let Self::Tcp(socket) = socket {
                    // Without it one packet more leaves.
                    let _ = sockopt::set_tcp_cork(socket, true);
                }
                Poll::Ready(Ok(count))
            }
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }
}

/// Repeats a call of the system until the socket takes something.
fn poll_tcp(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    mut call: impl FnMut(&TcpStream) -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(stream.poll_write_ready(cx))?;
        match stream.try_io(Interest::WRITABLE, || call(stream)) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            outcome => return Poll::Ready(outcome),
        }
    }
}
