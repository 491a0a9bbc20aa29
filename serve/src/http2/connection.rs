//! The one task of an HTTP/2 connection: drives `h2`, calls the service for each request, polls all streams, and keeps
//! to the deadlines.
//!
//! It runs in turns. A turn reads what has come, polls the streams that were woken, has `h2` frame what they made, goes
//! round again while that wakes others, and at its end hands all that is to be written to the transport at once.

use super::head::{self, FIELD_OVERHEAD_BYTES, Fault};
use super::incoming::Incoming;
use super::stream::{self, Call, Shared, Stream};
use super::turns::Turns;
use super::wire::{Handle, Wire};
use crate::body::Body;
use crate::counters::{ConnectionCounters, Protection};
use crate::drain::Drain;
use crate::exchange::Exchange;
use crate::handler::Handler;
use crate::limits::ConnectionLimits;
use crate::timer::Deadline;
use crate::transport::Transport;
use bytes::{Bytes, BytesMut};
use futures_util::future::Either;
use futures_util::stream::{FuturesUnordered, StreamExt};
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::{Method, Request, header};
use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{Ready, poll_fn, ready};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::task::coop;

/// The receive window of one stream, in bytes: what an upload may send ahead of the service.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;

/// The receive window of a connection, in bytes.
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;

/// What `h2` may hold of one response, in bytes, until the socket takes it.
const SEND_BUFFER_BYTES_MAX: usize = 64 * 1024;

/// Streams that `h2` may reset for breaking its rules, over the life of a connection (CVE-2025-8671).
const LOCAL_RESETS_MAX: usize = 1024;

/// DATA frames of less than 256 bytes cost `h2` that much to hold; so many such bytes may wait for their reader.
const DATA_OVERHEAD_BYTES_MAX: usize = 512 * 1024;

/// Times that the streams of one turn may wake each other before the task lets others run.
const ROUNDS_MAX: usize = 8;

/// Bytes that are taken in, and thrown away, after the last frame was sent: a socket that is closed with unread bytes
/// sends a reset, and the client's kernel would throw our last frames away unread.
const DISCARDED_BYTES_MAX: usize = 1024 * 1024;

/// And for how long; also how long the last frames may take.
const DISCARDED_FOR: Duration = Duration::from_secs(2);

/// Why a connection ended other than by its normal close.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    #[error("{0}")]
    Broken(#[from] h2::Error),
    #[error("{0}")]
    Lost(#[from] io::Error),
    #[error("no request in time")]
    Idle,
    #[error("the client did not begin HTTP/2 in time")]
    NotBegun,
    #[error("the client did not take the responses in time")]
    ReaderStalled,
    #[error("the client did too much of what only costs: {}", .0.label())]
    Excess(Protection),
}

/// Serves streams until the client or the drain ends the connection. `early` are bytes that were read already.
///
/// # Errors
/// When it ended in the middle of something.
pub(crate) async fn serve<H>(
    transport: Transport,
    early: BytesMut,
    handler: H,
    limits: &ConnectionLimits,
    drain: &Drain,
    counters: &Arc<ConnectionCounters>,
) -> Result<(), Ended>
where
    H: Handler,
{
    let wire = Rc::new(RefCell::new(Wire::new(transport, early, limits.header_bytes_max, Arc::clone(counters))));
    let shared = Shared { limits, counters, wire: Rc::clone(&wire) };
    let ended = match begin(&shared, drain).await {
        Ok(Some(connection)) => run(connection, handler, &shared, drain).await,
        Ok(None) => return Ok(()),
        Err(ended) => Err(ended),
    };
    if let Some(protection) = ended.as_ref().err().and_then(|ended| protection(ended, &wire.borrow())) {
        counters.note(protection);
    }
    if !matches!(ended, Err(Ended::Lost(_) | Ended::ReaderStalled)) {
        linger(&wire).await;
    }
    ended
}

/// Takes turns until the connection has ended.
async fn run<H: Handler>(
    connection: Connection<Handle, Bytes>,
    handler: H,
    shared: &Shared<'_>,
    drain: &Drain,
) -> Result<(), Ended> {
    let turns = Arc::new(Turns::default());
    let waker = Waker::from(Arc::clone(&turns));
    let mut driver = Driver {
        streams: FuturesUnordered::new(),
        connection,
        handler,
        shared,
        drain,
        turns: &turns,
        deadline: Deadline::after(shared.limits.idle_timeout),
        waiting: Waiting::Request,
        block_deadline: None,
        told: false,
        cut_for: None,
    };
    poll_fn(|cx| {
        turns.begin(cx);
        let ended = driver.poll_turn(&mut Context::from_waker(&waker));
        if turns.end() {
            cx.waker().wake_by_ref();
        }
        ended
    })
    .await
}

/// What a client was cut for.
fn protection(ended: &Ended, wire: &Wire) -> Option<Protection> {
    match ended {
        Ended::Excess(protection) => Some(*protection),
        Ended::ReaderStalled => Some(Protection::SlowReader),
        Ended::NotBegun => Some(Protection::SlowHead),
        Ended::Broken(error) if error.is_library() && error.reason() == Some(Reason::ENHANCE_YOUR_CALM) => {
            Some(wire.meter.likely())
        }
        Ended::Broken(error) if error.is_library() => Some(Protection::Malformed),
        Ended::Broken(_) | Ended::Lost(_) | Ended::Idle => None,
    }
}

/// Exchanges prefaces and settings. `None` when the client has left, or the drain came first.
async fn begin(shared: &Shared<'_>, drain: &Drain) -> Result<Option<Connection<Handle, Bytes>>, Ended> {
    let limits = shared.limits;
    let list_bytes = limits.header_bytes_max.saturating_add(limits.header_count_max * FIELD_OVERHEAD_BYTES);
    let mut builder = Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(u32::try_from(list_bytes).unwrap_or(u32::MAX))
        .max_send_buffer_size(SEND_BUFFER_BYTES_MAX)
        // Streams are accepted as they come, so these are the ones of one read; the meter counts the others.
        .max_pending_accept_reset_streams(limits.streams_max as usize)
        .max_local_error_reset_streams(Some(LOCAL_RESETS_MAX))
        .data_frame_budget(DATA_OVERHEAD_BYTES_MAX)
        .enable_connect_protocol();
    let mut handshake = pin!(builder.handshake(Handle(Rc::clone(&shared.wire))));
    let deadline = Deadline::after(limits.idle_timeout);
    let mut has_begun = false;
    poll_fn(|cx| {
        shared.wire.borrow_mut().begin_turn();
        if let Poll::Ready(outcome) = handshake.as_mut().poll(cx) {
            let left = shared.wire.borrow().has_ended();
            return Poll::Ready(match outcome {
                Ok(connection) => Ok(Some(connection)),
                Err(_) if left => Ok(None),
                Err(error) => Err(error.into()),
            });
        }
        let mut wire = shared.wire.borrow_mut();
        if let Poll::Ready(Err(error)) = wire.poll_flush(cx) {
            return Poll::Ready(Err(error.into()));
        }
        if !has_begun && wire.received() > 0 {
            has_begun = true;
            deadline.set(limits.header_timeout);
        }
        if !has_begun && drain.has_begun() {
            return Poll::Ready(Ok(None));
        }
        ready!(deadline.poll(cx));
        Poll::Ready(Err(if has_begun { Ended::NotBegun } else { Ended::Idle }))
    })
    .await
}

/// Takes in what the client is still sending, for a while, until it has seen the end.
async fn linger(wire: &Rc<RefCell<Wire>>) {
    let deadline = Deadline::after(DISCARDED_FOR);
    let mut handle = Handle(Rc::clone(wire));
    let mut left = DISCARDED_BYTES_MAX;
    let mut is_shut = false;
    poll_fn(|cx| {
        if !is_shut {
            match Pin::new(&mut handle).poll_shutdown(cx) {
                Poll::Ready(Ok(())) => is_shut = true,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return deadline.poll(cx),
            }
        }
        while !wire.borrow().has_ended() {
            wire.borrow_mut().begin_turn();
            let mut space = [0; 4096];
            let mut read = ReadBuf::new(&mut space);
            match Pin::new(&mut handle).poll_read(cx, &mut read) {
                Poll::Ready(Ok(())) if read.filled().len() < left => left -= read.filled().len(),
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return deadline.poll(cx),
            }
        }
        Poll::Ready(())
    })
    .await;
}

type Answer<H> = Either<
    <H as tower::Service<Request<Body>>>::Future,
    Ready<Result<<H as tower::Service<Request<Body>>>::Response, Infallible>>,
>;

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    /// A request.
    Request,
    /// Ourselves, or one stream's client: each stream has a deadline of its own.
    Response,
    /// The client, to take bytes; it has taken so many.
    Reader(u64),
    /// The client, to take the last frames.
    End,
}

struct Driver<'a, H: Handler> {
    // The streams go before the connection that they belong to.
    streams: FuturesUnordered<Stream<'a, Answer<H>, H::Body>>,
    connection: Connection<Handle, Bytes>,
    handler: H,
    shared: &'a Shared<'a>,
    drain: &'a Drain,
    turns: &'a Turns,
    deadline: Deadline,
    waiting: Waiting,
    /// For the end of a field block that has begun.
    block_deadline: Option<Deadline>,
    /// The client was told that the connection ends.
    told: bool,
    cut_for: Option<Protection>,
}

impl<H: Handler> Driver<'_, H> {
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Ended>> {
        self.shared.wire.borrow_mut().begin_turn();
        if self.drain.has_begun() && !self.told {
            self.tell();
        }
        for round in 1.. {
            if let Poll::Ready(ended) = self.poll_round(cx) {
                return Poll::Ready(self.judge(ended));
            }
            if !self.turns.take_woken() {
                break;
            }
            if round == ROUNDS_MAX || !coop::has_budget_remaining() {
                self.turns.mark();
                break;
            }
        }
        let flushed = self.shared.wire.borrow_mut().poll_flush(cx);
        if let Poll::Ready(Err(error)) = flushed {
            return Poll::Ready(self.judge(Err(error.into())));
        }
        if self.shared.wire.borrow().has_unread() {
            self.turns.mark();
        }
        self.poll_deadlines(cx)
    }

    /// Why the connection has ended, all things considered.
    fn judge(&self, ended: Result<(), Ended>) -> Result<(), Ended> {
        // `h2` has limits of its own, and may have come first.
        if let Some(protection) = self.cut_for.or_else(|| self.shared.wire.borrow().meter.tripped()) {
            return Err(Ended::Excess(protection));
        }
        match ended {
            // Told to leave, and gone before it heard everything.
            Err(Ended::Lost(_)) if self.told && self.streams.is_empty() => Ok(()),
            Err(Ended::Broken(error)) if error.is_io() && self.told && self.streams.is_empty() => Ok(()),
            ended => ended,
        }
    }

    /// Ready when the connection has ended.
    fn poll_round(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Ended>> {
        loop {
            match self.connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => self.take(request, respond),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error.into())),
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending => break,
            }
        }
        if self.cut_for.is_none() {
            let tripped = self.shared.wire.borrow().meter.tripped();
            tripped.into_iter().for_each(|protection| self.cut(protection));
        }
        while let Poll::Ready(Some(ended)) = self.streams.poll_next_unpin(cx) {
            if ended == stream::Ended::Answered {
                self.shared.wire.borrow_mut().meter.answered();
            }
        }
        Poll::Pending
    }

    /// A request has come.
    fn take(&mut self, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        if self.cut_for.is_some() {
            return;
        }
        let (head, stream) = request.into_parts();
        let refused = match head::check(&head, self.shared.limits) {
            Ok(()) => None,
            Err(Fault::Refused(malformed)) => Some(malformed),
            Err(Fault::Protocol) => {
                self.shared.note(Protection::Malformed);
                respond.send_reset(Reason::PROTOCOL_ERROR);
                return;
            }
        };
        let fields = &head.headers;
        let exchange = Exchange::new(None);
        let call = Call {
            respond,
            exchange: Arc::clone(&exchange),
            shared: self.shared,
            is_head: head.method == Method::HEAD,
            offers_tunnel: head.method == Method::CONNECT && head.extensions.get::<h2::ext::Protocol>().is_some(),
            expects_continue: fields
                .get(header::EXPECT)
                .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue")),
        };
        let answer = if let Some(malformed) = refused {
            if let Some(protection) = malformed.protection() {
                self.shared.note(protection);
            }
            Either::Right(ready(Ok(self.handler.refuse(malformed))))
        } else {
            let length = fields.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
            let incoming = Incoming::new(stream, length);
            let body = if call.offers_tunnel {
                exchange.await_switch();
                Body::http2_offering_tunnel(&exchange, incoming.after_switch(&exchange))
            } else if incoming.is_at_end() {
                Body::http2(&exchange, None)
            } else if call.expects_continue {
                Body::http2(&exchange, Some(incoming.after_continue(&exchange)))
            } else {
                Body::http2(&exchange, Some(incoming))
            };
            // Nobody here has anything to wait for before a call.
            Either::Left(self.handler.call(Request::from_parts(head, body)))
        };
        self.streams.push(Stream::new(call, answer));
    }

    /// Tells the client by GOAWAY that the connection ends, so that a request on its way is not lost (RFC 9113 section
    /// 6.8). What is under way finishes.
    fn tell(&mut self) {
        self.told = true;
        self.connection.graceful_shutdown();
        if self.waiting == Waiting::Request {
            // A sleeping client that never answers must not hold up the end for a whole idle time.
            self.deadline.set(self.shared.limits.header_timeout);
        }
    }

    /// Ends the connection at once, with a word.
    fn cut(&mut self, protection: Protection) {
        self.cut_for = Some(protection);
        self.streams.clear();
        self.connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
        self.turns.mark();
    }

    fn poll_deadlines(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Ended>> {
        let limits = self.shared.limits;
        self.poll_block(cx);
        let waiting = self.waiting_for();
        if waiting != self.waiting {
            self.waiting = waiting;
            match waiting {
                Waiting::Response => self.deadline.clear(),
                Waiting::Reader(_) => self.deadline.set(limits.send_timeout),
                Waiting::Request if self.told => self.deadline.set(limits.header_timeout),
                Waiting::Request => self.deadline.set(limits.idle_timeout),
                Waiting::End => self.deadline.set(DISCARDED_FOR),
            }
        }
        ready!(self.deadline.poll(cx));
        match (waiting, self.cut_for) {
            (_, Some(protection)) => Poll::Ready(Err(Ended::Excess(protection))),
            (Waiting::Reader(_), None) => Poll::Ready(Err(Ended::ReaderStalled)),
            (_, None) if self.told => Poll::Ready(Err(Ended::Idle)),
            (_, None) => {
                self.tell();
                self.turns.mark();
                Poll::Pending
            }
        }
    }

    fn waiting_for(&self) -> Waiting {
        let wire = self.shared.wire.borrow();
        if self.cut_for.is_some() {
            Waiting::End
        } else if wire.is_blocked() {
            Waiting::Reader(wire.sent())
        } else if self.streams.is_empty() && !self.connection.has_streams() {
            Waiting::Request
        } else {
            Waiting::Response
        }
    }

    /// A field block that has begun must end in time: nothing else can come until then.
    fn poll_block(&mut self, cx: &mut Context<'_>) {
        if !self.shared.wire.borrow().meter.is_in_block() {
            self.block_deadline = None;
            return;
        }
        let limit = self.shared.limits.header_timeout;
        let deadline = self.block_deadline.get_or_insert_with(|| Deadline::after(limit));
        if deadline.poll(cx).is_ready() && self.cut_for.is_none() {
            self.cut(Protection::SlowHead);
        }
    }
}
