//! The server's side of an HTTP/1 connection: requests one after the other, each answered before the next is read.
//!
//! One task does everything, and nothing is shared or woken on the usual way: it reads a head, polls the service,
//! reads pieces of the request's body while the service waits for them, and writes what the response gives. An idle
//! connection holds no buffer.

mod ending;

use super::encode::{self, ConnectionField};
use super::fields::lists;
use super::head::{Framing, HeadLimits, HeadReader, RequestHead};
use super::incoming::{Incoming, Piece};
use super::malformed::Malformed;
use super::outgoing::Outgoing;
use super::reading::{poll_read_body, poll_read_small};
use super::reply::{BrokenOff, Reply};
use super::turn::Turn;
use crate::body_error::BodyError;
use crate::counters::{ConnectionCounters, Protection};
use crate::drain::{Drain, LAST_REQUEST_WITHIN, Work};
use crate::exchange::Demand;
use crate::handler::Handler;
use crate::limits::ConnectionLimits;
use crate::part::Part;
use crate::timer::Deadline;
use crate::transport::Transport;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response, StatusCode, Version, header, response};
use http_body::{Body as HttpBody, Frame};
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::AsyncWrite;

/// A client that has closed its side of a plain connection waits this long for its response.
const HALF_CLOSED_FOR: Duration = Duration::from_secs(2);

/// And this long between two pieces of it.
const HALF_CLOSED_PAUSE: Duration = Duration::from_millis(500);

/// Bytes behind a request that are read before it is answered.
const PIPELINED_BYTES_MAX: usize = 4 * 1024;

/// A reader has to take this much of a response within `send_timeout`, or all that waits.
const SEND_PROGRESS_BYTES: u64 = 4 * 1024;

/// Why a connection ended other than by its normal close.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    #[error("{0}")]
    Broken(#[from] io::Error),
    #[error("the client left before its response")]
    ClientLeft,
    #[error("the client did not take the response in time")]
    ReaderStalled,
    #[error("the response broke off")]
    ResponseBroken,
}

impl From<BrokenOff> for Ended {
    fn from(BrokenOff: BrokenOff) -> Self {
        Self::ResponseBroken
    }
}

/// Serves requests until the client or the drain ends the connection. `early` are bytes that were read already.
///
/// # Errors
/// When it ended in the middle of something.
pub(crate) async fn serve<H>(
    transport: Transport,
    early: BytesMut,
    mut handler: H,
    limits: &ConnectionLimits,
    drain: &Drain,
    counters: &ConnectionCounters,
) -> Result<(), Ended>
where
    H: Handler,
{
    let mut wire = Wire::new(transport, early, limits, counters);
    let mut requests_left = limits.requests_per_connection_max;
    loop {
        match poll_fn(|cx| wire.poll_head(cx, drain)).await? {
            Arrival::Nothing => return wire.close(false).await,
            Arrival::Malformed(malformed) => {
                if let Some(reason) = malformed.protection() {
                    counters.note(reason);
                }
                let mut turn = Turn::refused();
                let (reply, body) = wire.begin::<H>(handler.refuse(malformed), &mut turn, drain);
                wire.send::<H>(reply, pin!(body), &mut turn).await?;
                return wire.close(true).await;
            }
            Arrival::Request(head) => {
                let (mut turn, request) = Turn::begin(*head);
                requests_left = requests_left.saturating_sub(1);
                turn.keep_alive &= requests_left > 0;
                wire.hand_over(&mut turn);
                let doing = drain.work();
                // Nobody here has anything to wait for before a call.
                let answer = handler.call(request);
                // In a block of its own: what is alive while a body is sent, an idle connection has room for too.
                let (reply, body) = {
                    let response = wire.answer(pin!(answer), &mut turn).await?;
                    let switches = turn.offers_tunnel && response.status() == StatusCode::SWITCHING_PROTOCOLS;
                    doing.is(Work::of(&response, switches));
                    wire.begin::<H>(response, &mut turn, drain)
                };
                wire.send::<H>(reply, pin!(body), &mut turn).await?;
                if !wire.is_ready_for_next(&mut turn).await {
                    return wire.close(turn.incoming_is_left()).await;
                }
            }
        }
    }
}

/// What came instead of, or as, the next request.
enum Arrival {
    Request(Box<RequestHead>),
    Malformed(Malformed),
    Nothing,
}

/// The byte stream of a connection with what is in flight on it.
struct Wire<'a> {
    io: Transport,
    limits: &'a ConnectionLimits,
    counters: &'a ConnectionCounters,
    head_limits: HeadLimits,
    reader: HeadReader,
    buffer: BytesMut,
    out: Outgoing,
    /// Something was written that the TLS session may still hold.
    unflushed: bool,
    deadline: Deadline,
    /// The deadline is about the client's reading.
    waits_for_reader: bool,
    /// Bytes that the client took since the deadline was set.
    taken: u64,
    /// The drain has begun: another request is waited for a moment only.
    told: bool,
    /// The client has said all; until when it gets something to read, or is taken to have left.
    half_closed: Option<Deadline>,
}

impl<'a> Wire<'a> {
    fn new(io: Transport, early: BytesMut, limits: &'a ConnectionLimits, counters: &'a ConnectionCounters) -> Self {
        Self {
            io,
            limits,
            counters,
            head_limits: HeadLimits { bytes_max: limits.header_bytes_max, fields_max: limits.header_count_max },
            reader: HeadReader::default(),
            out: Outgoing::default(),
            unflushed: false,
            deadline: Deadline::after(if early.is_empty() { limits.idle_timeout } else { limits.header_timeout }),
            buffer: early,
            waits_for_reader: false,
            taken: 0,
            told: false,
            half_closed: None,
        }
    }

    /// Waits for a request's head.
    fn poll_head(&mut self, cx: &mut Context<'_>, drain: &Drain) -> Poll<Result<Arrival, Ended>> {
        loop {
            match self.reader.request(&mut self.buffer, self.head_limits) {
                Ok(Some(head)) => {
                    if let Some(deadline) = &self.half_closed {
                        deadline.set(HALF_CLOSED_FOR);
                    }
                    return Poll::Ready(Ok(Arrival::Request(Box::new(head))));
                }
                Err(malformed) => return Poll::Ready(Ok(Arrival::Malformed(malformed))),
                Ok(None) => {}
            }
            let begun = self.reader.has_begun();
            if !begun && drain.has_begun() && !std::mem::replace(&mut self.told, true) {
                self.deadline.set(self.limits.idle_timeout.min(LAST_REQUEST_WITHIN));
            }
            match self.poll_fill(cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(Arrival::Nothing)),
                Poll::Ready(Ok(_)) if begun => {}
                Poll::Ready(Ok(_)) => self.deadline.set(self.limits.header_timeout),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                Poll::Pending => {
                    ready!(self.deadline.poll(cx));
                    return Poll::Ready(Ok(if begun {
                        Arrival::Malformed(Malformed::TOO_SLOW)
                    } else {
                        Arrival::Nothing
                    }));
                }
            }
        }
    }

    /// Reads more into the buffer; 0 is the end of the stream.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let polled = poll_read_small(&mut self.io, cx, &mut self.buffer);
        self.counted(polled)
    }

    /// Reads more of a body into the buffer, which is empty but for the start of a chunk's line.
    fn poll_fill_body(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let polled = poll_read_body(&mut self.io, cx, &mut self.buffer);
        self.counted(polled)
    }

    fn counted(&self, read: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &read {
            self.counters.received_bytes.add(*bytes as u64);
        }
        read
    }

    /// Polls the service until it has a response, and reads and writes for it meanwhile.
    async fn answer<F, B>(&mut self, mut service: Pin<&mut F>, turn: &mut Turn) -> Result<Response<B>, Ended>
    where
        F: Future<Output = Result<Response<B>, std::convert::Infallible>>,
    {
        poll_fn(|cx| {
            loop {
                let polled = service.as_mut().poll(cx);
                // Before the response, in case both came at once: behind its head there is no place for them.
                self.gather_interim(turn);
                if let Poll::Ready(Ok(response)) = polled {
                    return Poll::Ready(Ok(response));
                }
                ready!(self.poll_attend(cx, turn))?;
            }
        })
        .await
    }

    /// Gathers the interim responses that wait. None may follow the head of the response (RFC 9110 section 15.2).
    fn gather_interim(&mut self, turn: &mut Turn) {
        let Some(exchange) = &turn.exchange else { return };
        for interim in exchange.take_interim() {
            let wanted = turn.version == Version::HTTP_11 && !turn.answered;
            let repeated = interim.status == StatusCode::CONTINUE && !turn.expects_continue;
            if wanted && !repeated {
                turn.expects_continue &= interim.status != StatusCode::CONTINUE;
                self.out.text(|out| {
                    encode::response_head(out, interim.status, &interim.fields, None, ConnectionField::None);
                });
            }
        }
    }

    /// Does what the service waits for; ready when something was done that it should see.
    fn poll_attend(&mut self, cx: &mut Context<'_>, turn: &mut Turn) -> Poll<Result<(), Ended>> {
        let Some(exchange) = &turn.exchange else { return Poll::Pending };
        let demand = exchange.demand(cx);
        self.gather_interim(turn);
        if let Poll::Ready(Err(error)) = self.poll_send(cx) {
            return Poll::Ready(Err(error));
        }
        match demand {
            Demand::Piece => self.poll_piece(cx, turn),
            Demand::None if !turn.incoming.has_ended() => Poll::Pending,
            // Looks for the end of the stream: a client that leaves cancels its request.
            Demand::None | Demand::Abandoned => self.poll_client_left(cx, turn),
        }
    }

    /// Notices that a client has left, while it is being answered.
    ///
    /// Under TLS the end of its stream says so. In the clear it may also mean that it has said all and still listens;
    /// nobody can tell the two apart without sending something. So such a client gets some time for its answer, and less
    /// between two pieces of it.
    fn poll_client_left(&mut self, cx: &mut Context<'_>, turn: &mut Turn) -> Poll<Result<(), Ended>> {
        if let Some(deadline) = &self.half_closed {
            return deadline.poll(cx).map(|()| Err(Ended::ClientLeft));
        }
        // What comes is the next request, or a body that nobody wants: it waits for its turn, and somewhat more is read
        // to see the end behind it.
        while self.buffer.len() < PIPELINED_BYTES_MAX {
            match ready!(self.poll_fill(cx)) {
                Ok(0) if self.io.is_tls() => return Poll::Ready(Err(Ended::ClientLeft)),
                Ok(0) => {
                    // What has come before is still to be answered.
                    turn.keep_alive &= !self.buffer.is_empty();
                    let grace = if turn.answered { HALF_CLOSED_PAUSE } else { HALF_CLOSED_FOR };
                    let deadline = Deadline::after(grace);
                    let polled = deadline.poll(cx);
                    self.half_closed = Some(deadline);
                    return polled.map(|()| Err(Ended::ClientLeft));
                }
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
        Poll::Pending
    }

    /// Hands over what came of the request's body together with its head: a service that wants it finds it at once, and
    /// need not be polled twice.
    fn hand_over(&mut self, turn: &mut Turn) {
        if self.buffer.is_empty() || turn.incoming.has_ended() {
            return;
        }
        if let (Some(piece), Some(exchange)) = (self.piece_at_hand(turn), &turn.exchange) {
            exchange.supply(piece);
        }
    }

    /// The next piece of the request's body, or its end, if it is in the buffer.
    fn piece_at_hand(&mut self, turn: &mut Turn) -> Option<Option<Result<Frame<Bytes>, BodyError>>> {
        Some(match turn.incoming.next(&mut self.buffer, self.head_limits) {
            Ok(Piece::Starved) => return None,
            Ok(Piece::Data(data)) => {
                turn.expects_continue = false;
                Some(Ok(Frame::data(data)))
            }
            Ok(Piece::End(trailer)) => trailer.map(|fields| Ok(Frame::trailers(fields))),
            Err(malformed) => {
                turn.broken = true;
                Some(Err(BodyError::Malformed(malformed.reason)))
            }
        })
    }

    /// Hands the next piece of the request's body to the service.
    fn poll_piece(&mut self, cx: &mut Context<'_>, turn: &mut Turn) -> Poll<Result<(), Ended>> {
        loop {
            let piece = match self.piece_at_hand(turn) {
                Some(piece) => piece,
                None => {
                    if std::mem::take(&mut turn.expects_continue) {
                        let none = HeaderMap::new();
                        self.out.text(|out| {
                            encode::response_head(out, StatusCode::CONTINUE, &none, None, ConnectionField::None);
                        });
                        if let Poll::Ready(Err(error)) = self.poll_send(cx) {
                            return Poll::Ready(Err(error));
                        }
                    }
                    match ready!(self.poll_fill_body(cx)) {
                        Ok(0) if turn.incoming.may_end_here() => None,
                        Ok(0) | Err(_) => {
                            turn.broken = true;
                            Some(Err(BodyError::Disconnected))
                        }
                        Ok(_) => continue,
                    }
                }
            };
            if let Some(exchange) = &turn.exchange {
                exchange.supply(piece);
            }
            return Poll::Ready(Ok(()));
        }
    }

    /// Gathers the head of a response, and lets go of it: its values are parts of what was read from an endpoint, and
    /// would keep that for as long as the body lasts.
    fn begin<H: Handler>(&mut self, response: Response<H::Body>, turn: &mut Turn, drain: &Drain) -> (Reply, H::Body) {
        let (parts, body) = response.into_parts();
        (self.begin_reply::<H>(&parts, &body, turn, drain), body)
    }

    /// Writes a response, and goes on reading the request's body for as long as the response depends on it.
    async fn send<H: Handler>(
        &mut self,
        mut reply: Reply,
        mut body: Pin<&mut H::Body>,
        turn: &mut Turn,
    ) -> Result<(), Ended> {
        let sends_files = self.io.sends_files();
        poll_fn(|cx| {
            loop {
                let mut waits_for_body = false;
                while !reply.ended && !self.out.is_full() {
                    let polled = if sends_files {
                        H::poll_part(body.as_mut(), cx)
                    } else {
                        body.as_mut().poll_frame(cx).map(|frame| frame.map(|frame| frame.map(Part::Frame)))
                    };
                    match polled {
                        Poll::Ready(Some(Ok(part))) => {
                            reply.part(part, &mut self.out)?;
                            if !reply.ended && body.is_end_stream() {
                                reply.end(None, &mut self.out)?;
                            }
                        }
                        Poll::Ready(None) => reply.end(None, &mut self.out)?,
                        Poll::Ready(Some(Err(_))) => {
                            // What came before the error may help to find it.
                            let _ = self.poll_send(cx)?;
                            return Poll::Ready(Err(Ended::ResponseBroken));
                        }
                        Poll::Pending => {
                            waits_for_body = true;
                            break;
                        }
                    }
                }
                if reply.ended && turn.ends_connection() && self.buffer.is_empty() {
                    self.out.mark_last();
                }
                let sent = self.poll_send(cx)?;
                if reply.ended {
                    return sent.map(Ok);
                }
                if !waits_for_body && sent.is_ready() {
                    continue;
                }
                if sent.is_pending() && !waits_for_body {
                    return Poll::Pending;
                }
                ready!(self.poll_attend(cx, turn))?;
            }
        })
        .await
    }

    /// Decides how the response is framed (RFC 9112 section 6) and whether the connection lives on, and gathers its
    /// head.
    fn begin_reply<H: Handler>(
        &mut self,
        parts: &response::Parts,
        body: &H::Body,
        turn: &mut Turn,
        drain: &Drain,
    ) -> Reply {
        let status = parts.status;
        let fields = &parts.headers;
        turn.answered = true;
        // Who waits for leave to send has just been told otherwise.
        let unread = std::mem::take(&mut turn.expects_continue) && !turn.incoming.has_ended();
        if status == StatusCode::SWITCHING_PROTOCOLS && turn.offers_tunnel {
            turn.incoming = Incoming::new(Framing::UntilClose);
            turn.keep_alive = false;
            if let Some(exchange) = &turn.exchange {
                exchange.switched();
            }
            self.out.text(|out| encode::response_head(out, status, fields, None, ConnectionField::Upgrade));
            return Reply { framing: Framing::UntilClose, left: None, ended: false };
        }
        if let Some(exchange) = turn.exchange.as_ref().filter(|_| turn.offers_tunnel) {
            exchange.supply(None);
        }
        let bodiless = turn.is_head || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
        let given = fields.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        let exact = body.size_hint().exact();
        let framing = match given.or(exact) {
            Some(0) => Framing::Empty,
            Some(length) => Framing::Length(length),
            None if encode::has_chunks(turn.version) => Framing::Chunked,
            None => Framing::UntilClose,
        };
        let named = match (given, framing) {
            // What the service said stays; a 204 has no length (RFC 9110 section 8.6), a HEAD or 304 none that is
            // made up.
            // Written anew, so that it stands there once.
            (Some(_), framing) if status != StatusCode::NO_CONTENT => Some(framing),
            _ if bodiless && (status == StatusCode::NO_CONTENT || exact == Some(0)) => Some(Framing::UntilClose),
            (_, framing) => Some(framing),
        };
        turn.keep_alive &= !(turn.broken
            || unread
            || drain.has_begun()
            || (framing == Framing::UntilClose && !bodiless)
            || lists(fields, &header::CONNECTION, "close"));
        let connection = match (turn.keep_alive, turn.version) {
            (true, Version::HTTP_10) => ConnectionField::KeepAlive,
            (true, _) => ConnectionField::None,
            (false, _) => ConnectionField::Close,
        };
        self.out.text(|out| {
            encode::status_line(out, status);
            H::write_fields(body, out);
            encode::response_fields(out, status, fields, named, connection);
        });
        if bodiless || framing == Framing::Empty {
            return Reply { framing: Framing::Empty, left: Some(0), ended: true };
        }
        let left = if let Framing::Length(length) = framing { Some(length) } else { None };
        Reply { framing, left, ended: false }
    }

    /// Writes what was gathered. Ready when nothing waits any more.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Ended>> {
        if self.out.is_empty() && !self.unflushed {
            return Poll::Ready(Ok(()));
        }
        let before = self.out.bytes();
        let mut sent = self.out.poll_send(cx, &mut self.io);
        let taken = (before - self.out.bytes()) as u64;
        self.counters.sent_bytes.add(taken);
        self.taken += taken;
        if let Some(deadline) = self.half_closed.as_ref().filter(|_| self.out.bytes() < before) {
            // Whoever has left answers bytes with a reset.
            deadline.set(HALF_CLOSED_PAUSE);
        }
        if sent.is_ready() && self.io.is_tls() {
            self.unflushed = true;
            sent = Pin::new(&mut self.io).poll_flush(cx);
        }
        match sent {
            Poll::Ready(Ok(())) => {
                self.unflushed = false;
                self.waits_for_reader = false;
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
            Poll::Pending => {
                // A byte now and then is no progress: it would hold a response, and all that it holds, without end.
                if !self.waits_for_reader || self.taken >= SEND_PROGRESS_BYTES {
                    self.waits_for_reader = true;
                    self.taken = 0;
                    self.deadline.set(self.limits.send_timeout);
                }
                ready!(self.deadline.poll(cx));
                // Before the client sees the end, so that whoever has seen it finds it in the metrics.
                self.counters.note(Protection::SlowReader);
                Poll::Ready(Err(Ended::ReaderStalled))
            }
        }
    }
}
