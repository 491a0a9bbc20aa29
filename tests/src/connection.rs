//! One client connection, HTTP/1.1 or HTTP/2.

use crate::call::RequestBody;
use crate::client::Version;
use crate::socket::Socket;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::io;

/// An open connection. It lives until it is dropped and its last response is read.
pub struct Connection(Sender);

enum Sender {
    Http1(http1::SendRequest<RequestBody>),
    Http2(http2::SendRequest<RequestBody>),
}

impl Connection {
    pub(crate) async fn start(socket: Box<dyn Socket>, version: Version) -> io::Result<Self> {
        let stream = TokioIo::new(socket);
        Ok(Self(match version {
            Version::Http1 => {
                let builder = http1::Builder::new();
                let (sender, connection) = builder.handshake(stream).await.map_err(io::Error::other)?;
                // Its error also fails the request in flight, which is where tests look.
                tokio::spawn(connection.with_upgrades());
                Sender::Http1(sender)
            }
            Version::Http2 => {
                let builder = http2::Builder::new(TokioExecutor::new());
                let (sender, connection) = builder.handshake(stream).await.map_err(io::Error::other)?;
                tokio::spawn(connection);
                Sender::Http2(sender)
            }
        }))
    }

    pub(crate) async fn send(&mut self, request: Request<RequestBody>) -> hyper::Result<Response<Incoming>> {
        match &mut self.0 {
            Sender::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Sender::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
        }
    }

    /// A second handle of the same HTTP/2 connection, for requests at the same time.
    ///
    /// # Panics
    ///
    /// With HTTP/1.1, which has one request at a time.
    #[must_use]
    pub fn shared(&self) -> Self {
        match &self.0 {
            Sender::Http1(_) => unreachable!("an HTTP/1.1 connection has one request at a time"),
            Sender::Http2(sender) => Self(Sender::Http2(sender.clone())),
        }
    }

    /// Whether the server has ended this connection.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        match &self.0 {
            Sender::Http1(sender) => sender.is_closed(),
            Sender::Http2(sender) => sender.is_closed(),
        }
    }
}
