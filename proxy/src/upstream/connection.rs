//! One connection to an endpoint: hyper's HTTP/1.1 client, polled by whoever uses it.

use super::stream::{Received, Stream};
use super::upload::Upload;
use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};

/// Reads are at most this large: more does not fit a core's cache well.
const READ_BYTES_MAX: usize = 64 * 1024;

/// The head of a response may have this many fields.
const RESPONSE_FIELDS_MAX: usize = 128;

/// A connection, idle or in use. hyper's part is large and is passed around with every request, so it is boxed: one
/// allocation a connection.
pub(super) struct Connection {
    sender: SendRequest<Upload>,
    driver: Box<http1::Connection<TokioIo<Stream>, Upload>>,
    received: Received,
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
    /// Over a stream on which HTTP/1.1 is spoken.
    pub(super) async fn new(stream: Stream) -> io::Result<Self> {
        let received = stream.received().clone();
        let (sender, driver) = http1::Builder::new()
            .max_buf_size(READ_BYTES_MAX)
            .max_headers(RESPONSE_FIELDS_MAX)
            .handshake(TokioIo::new(stream))
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
        let before = self.received.bytes();
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
                    received: received.bytes() > before,
                })));
            }
            check(cx).map(Err)
        })
        .await
    }

    /// After a 101 response: the stream itself, and what the endpoint sent right behind its 101.
    pub(super) async fn into_stream(mut self) -> (Stream, Bytes) {
        // hyper hands the stream over at its next turn, after the response head.
        let _ = poll_fn(|cx| self.driver.poll_without_shutdown(cx)).await;
        let parts = self.driver.into_parts();
        (parts.io.into_inner(), parts.read_buf)
    }
}
