//! One request at an origin and the answer that the test writes to it.

use crate::head::Head;
use crate::raw::{Raw, RawBody};
use tokio::sync::mpsc::UnboundedSender;

/// What arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Request line and fields as they stood on the wire.
    pub head: Head,
    /// The body, once it was read.
    pub body: RawBody,
    /// Which connection it came on, from 1.
    pub connection: usize,
}

/// A request that waits for its answer. Dropped, it closes the connection without one.
pub struct Exchange {
    /// The request; its body is empty until [`Exchange::read_body`].
    pub received: Received,
    raw: Raw,
    next: UnboundedSender<Exchange>,
    body_read: bool,
}

impl Exchange {
    /// The request's head.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.received.head
    }

    /// Reads the request's body to its end.
    pub async fn read_body(&mut self) -> &RawBody {
        if !self.body_read {
            self.received.body = self.raw.read_body(&self.received.head).await;
            self.body_read = true;
        }
        &self.received.body
    }

    /// Writes a whole answer and waits for the next request on the same connection.
    pub async fn reply(mut self, bytes: impl AsRef<[u8]>) {
        self.read_body().await;
        self.send(bytes).await;
        self.keep();
    }

    /// Writes a 200 with this text and its length.
    pub async fn reply_text(self, text: &str) {
        self.reply(ok(text)).await;
    }

    /// Writes a part of the answer.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.raw.send(bytes).await;
    }

    /// Waits for the next request on the same connection: the answer is complete.
    pub fn keep(self) {
        tokio::spawn(read_requests(self.raw, self.received.connection, self.next));
    }

    /// Ends the connection in order.
    pub async fn close(mut self) {
        self.raw.finish().await;
    }

    /// Ends the connection with a reset.
    pub fn reset(self) {
        self.raw.reset();
    }

    /// The bytes from here on, for a protocol after an upgrade and to watch how the peer closes.
    #[must_use]
    pub fn into_raw(self) -> Raw {
        self.raw
    }
}

/// A 200 with this text and its length, as bytes.
#[must_use]
pub fn ok(text: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{text}", text.len()).into_bytes()
}

/// Hands on the next request of a connection, if one comes.
pub(crate) async fn read_requests(mut raw: Raw, connection: usize, next: UnboundedSender<Exchange>) {
    // Not `read_head`: an idle connection may be kept for longer than a test's patience, or be closed at any time.
    let Some(head) = raw.next_head().await else { return };
    let received = Received { head, body: RawBody::default(), connection };
    let exchange = Exchange { received, raw, next: next.clone(), body_read: false };
    // The test may have ended.
    let _ = next.send(exchange);
}
