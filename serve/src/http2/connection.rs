//! The one task of an HTTP/2 connection: drives `h2`, calls the service for each request, polls all streams, and keeps
//! to the deadlines.
//!
//! It runs in turns. A turn reads what has come, polls the streams that were woken, has `h2` frame what they made, goes
//! round again while that wakes others, and at its end hands all that is to be written to the transport at once.

use super::call::{self, Call, Shared};
use super::ending::{DISCARDED_FOR, Ended, linger, protection};
use super::head::{self, Fault};
use super::incoming::Incoming;
use super::opening::begin;
use super::stream::Stream;
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
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::{Method, Request, header};
use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{Ready, poll_fn, ready};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use tokio::task::coop;

/// Times that the streams of one turn may wake each other before the task lets others run.
const ROUNDS_MAX: usize = 8;

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
        if let Some(protection) = self.cut_for {
            return Err(Ended::Excess(protection));
        }
        // `h2` has limits of its own, and may have come first.
        if let Some(protection) = self.shared.wire.borrow().meter.tripped() {
            self.shared.note(protection);
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
            if ended == call::Ended::Answered {
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
        if !self.handler.admits() {
            // Counted before the client hears it.
            self.shared.counters.refused_streams.increment();
            respond.send_reset(Reason::REFUSED_STREAM);
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
            doing: self.drain.work(),
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

    /// Ends the connection at once, with a word. Counted before the client hears it, so that whoever has seen the end
    /// finds it in the metrics.
    fn cut(&mut self, protection: Protection) {
        self.shared.note(protection);
        self.cut_for = Some(protection);
        self.streams.clear();
        self.connection.abrupt_shutdown(match protection {
            Protection::Malformed => Reason::PROTOCOL_ERROR,
            _ => Reason::ENHANCE_YOUR_CALM,
        });
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
