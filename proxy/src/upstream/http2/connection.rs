//! One HTTP/2 connection: its settings, its task, and the places on it.

use crate::upstream::stream::{Received, Stream};
use bytes::Bytes;
use h2::client::{self, SendRequest};
use http::uri::Scheme;
use serve::timer::Deadline;
use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Requests at once on one connection, whatever more the endpoint allows.
const STREAMS_MAX: usize = 256;

/// What an endpoint may send on one stream before the client has taken it: the bound of memory for one response.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;

/// What it may send on all streams together. With less than this, a few clients that do not read would use it up, and
/// every other response on the connection would wait for them.
const CONNECTION_WINDOW_BYTES: u32 = STREAM_WINDOW_BYTES * 256;

/// What one request may have waiting for the socket.
const SEND_BUFFER_BYTES_MAX: usize = 64 * 1024;

/// The head of a response, as RFC 9113 section 6.5.2 counts it.
const RESPONSE_HEAD_BYTES_MAX: u32 = 64 * 1024;

/// A connection that nobody needs any more has this long to say so and to close.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// A connection. It closes by itself when its last owner drops it.
pub(in crate::upstream) struct Connection {
    sender: SendRequest<Bytes>,
    pub(super) received: Received,
    pub(super) scheme: Scheme,
    /// Notified when a place may have become free.
    changed: Rc<Notify>,
    streams: Cell<usize>,
    /// What the endpoint has shown to take, after it has refused a stream.
    streams_taken: Cell<usize>,
    idle_since: Cell<Instant>,
    /// It has brought a response.
    answered: Cell<bool>,
    retired: Cell<bool>,
}

impl Connection {
    /// Speaks the preface and waits for the endpoint's settings: without them it is not known how many requests may
    /// be sent, nor whether the peer speaks HTTP/2 at all. Until then nothing of a request has been sent.
    pub(in crate::upstream) async fn open(
        stream: Stream,
        scheme: Scheme,
        changed: Rc<Notify>,
    ) -> Result<Rc<Self>, h2::Error> {
        let received = stream.received().clone();
        let (sender, mut connection) = client::Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_header_list_size(RESPONSE_HEAD_BYTES_MAX)
            .max_send_buffer_size(SEND_BUFFER_BYTES_MAX)
            // Tells when the settings have come: they say a larger number or, by saying nothing, the largest.
            .initial_max_send_streams(0)
            .handshake::<_, Bytes>(stream)
            .await?;
        poll_fn(|cx| match Pin::new(&mut connection).poll(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(Err(h2::Reason::NO_ERROR.into())),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending if sender.current_max_send_streams() > 0 => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        })
        .await?;
        let opened = Rc::new(Self {
            sender,
            received,
            scheme,
            changed,
            streams: Cell::new(0),
            streams_taken: Cell::new(STREAMS_MAX),
            idle_since: Cell::new(Instant::now()),
            answered: Cell::new(false),
            retired: Cell::new(false),
        });
        tokio::task::spawn_local(drive(connection, Rc::downgrade(&opened)));
        Ok(opened)
    }

    /// Whether new requests may go here: the endpoint has not said goodbye, and stream numbers are left.
    pub(super) fn is_open(&self) -> bool {
        let mut sender = self.sender.clone();
        let ready = sender.poll_ready(&mut Context::from_waker(Waker::noop()));
        !self.retired.get() && matches!(ready, Poll::Ready(Ok(())))
    }

    pub(super) fn has_room(&self) -> bool {
        self.streams.get() < self.sender.current_max_send_streams().min(self.streams_taken.get())
    }

    pub(super) fn is_idle_since(&self, idle_timeout: Duration) -> bool {
        self.streams.get() == 0 && self.idle_since.get().elapsed() >= idle_timeout
    }

    pub(super) fn sender(&self) -> SendRequest<Bytes> {
        self.sender.clone()
    }

    /// Whether it has brought a response before.
    pub(super) fn has_answered(&self) -> bool {
        self.answered.get()
    }

    /// Sends nothing new here: the endpoint seems to be gone without a word.
    pub(super) fn retire(&self) {
        self.retired.set(true);
    }

    /// The endpoint has refused a stream: the others that are open are what it takes.
    pub(super) fn was_refused(&self) {
        self.streams_taken.set(self.streams.get().saturating_sub(1).max(1));
    }

    /// The endpoint has answered. After refusals it may take more again, one at a time.
    pub(super) fn answers(&self) {
        self.answered.set(true);
        self.streams_taken.set((self.streams_taken.get() + 1).min(STREAMS_MAX));
    }
}

/// A place for one request on a connection; free again when dropped.
pub(in crate::upstream) struct Slot(Rc<Connection>);

impl Slot {
    pub(super) fn take(connection: &Rc<Connection>) -> Self {
        connection.streams.set(connection.streams.get() + 1);
        Self(Rc::clone(connection))
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.0
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let connection = &self.0;
        connection.streams.set(connection.streams.get().saturating_sub(1));
        connection.idle_since.set(Instant::now());
        connection.changed.notify_one();
    }
}

/// Reads and writes for all requests of a connection, until it is closed.
async fn drive(mut connection: client::Connection<Stream, Bytes>, owner: Weak<Connection>) {
    let mut closing: Option<Deadline> = None;
    let ended = poll_fn(|cx| {
        if let Poll::Ready(outcome) = Pin::new(&mut connection).poll(cx) {
            return Poll::Ready(outcome);
        }
        if owner.strong_count() > 0 {
            return Poll::Pending;
        }
        closing.get_or_insert_with(|| Deadline::after(CLOSE_WITHIN)).poll(cx).map(Ok)
    })
    .await;
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP/2 connection to an endpoint ended");
    }
    if let Some(owner) = owner.upgrade() {
        owner.retire();
        // Who waits for a place here must look elsewhere.
        owner.changed.notify_waiters();
    }
}
