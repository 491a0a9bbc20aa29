//! One face for TCP, TLS and Unix sockets, so that clients, raw scripts and origins are written once.

use hyper_util::rt::TokioIo;
use serve::listener::Address;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// A connected byte stream.
pub trait Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Ends the connection at once; on TCP the peer sees a reset and not an orderly end.
    fn reset(self: Box<Self>);
}

impl Socket for TcpStream {
    fn reset(self: Box<Self>) {
        self.set_zero_linger().expect("a TCP socket takes SO_LINGER");
    }
}

impl Socket for TokioIo<hyper::upgrade::Upgraded> {
    fn reset(self: Box<Self>) {}
}

impl Socket for UnixStream {
    fn reset(self: Box<Self>) {}
}

impl Socket for tokio_rustls::client::TlsStream<TcpStream> {
    fn reset(self: Box<Self>) {
        Box::new(self.into_inner().0).reset();
    }
}

impl<S: Socket> Socket for tokio_rustls::server::TlsStream<S> {
    fn reset(self: Box<Self>) {
        Box::new(self.into_inner().0).reset();
    }
}

/// Connects without TLS.
///
/// # Errors
///
/// What the operating system says, for example that nobody listens.
pub async fn connect(address: &Address) -> io::Result<Box<dyn Socket>> {
    Ok(match address {
        Address::Tcp(address) => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Box::new(stream)
        }
        Address::Unix(path) => Box::new(UnixStream::connect(path).await?),
    })
}
