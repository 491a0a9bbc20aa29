//! A request's body on its way to an upstream: counted, limited, and, while it may be needed once more, held.

use super::trailer;
use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use http_body::Body as _;
use serve::http1::{Framing, Outgoing};
use serve::{Body, BodyError};
use smallvec::SmallVec;
use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// Pieces that may be needed once more are held up to this many bytes.
pub(super) const HELD_BYTES_MAX: u64 = 64 * 1024;

/// And up to this many pieces: each may keep a whole block that its connection was read into.
pub(super) const HELD_PIECES_MAX: usize = 16;

/// Pieces shorter than this are copied when they are held, because the block that they would keep is many times as
/// large. Longer ones are held as they are.
const COPIED_BYTES_MAX: usize = 4 * 1024;

/// What to hold of a piece, so that it keeps little more memory than it is long.
pub(super) fn to_hold(piece: &Bytes) -> Bytes {
    if piece.len() < COPIED_BYTES_MAX { Bytes::copy_from_slice(piece) } else { piece.clone() }
}

/// The body that is sent.
pub(super) struct Upload {
    body: Body,
    /// How the request says where it ends.
    pub(super) framing: Framing,
    limit_bytes: u64,
    identity_headers: Rc<[HeaderName]>,
    /// Bytes taken from the client.
    pub(super) taken_bytes: u64,
    /// The same for whoever wants to know it later.
    counter: Option<Rc<Cell<u64>>>,
    /// Pieces that were taken and are not gathered yet, or may be needed once more.
    held: SmallVec<[Bytes; 2]>,
    /// How many of the held pieces are gathered.
    gathered: usize,
    /// Whether gathered pieces are held.
    holds: bool,
    /// A piece was gathered and let go of.
    let_go: bool,
    /// Boxed: most requests have none.
    trailer: Option<Box<HeaderMap>>,
    /// The client's end was reached.
    ended: bool,
    /// All of it is gathered.
    done: bool,
    /// The last poll had to wait for the client.
    pub(super) waits_for_client: bool,
}

impl Upload {
    pub(super) fn new(body: Body, limit_bytes: u64, identity_headers: Rc<[HeaderName]>) -> Self {
        let framing = match body.size_hint().exact() {
            _ if body.is_end_stream() => Framing::Empty,
            Some(0) => Framing::Empty,
            // Trailers have no place behind it, unless they were announced: see `expect_trailer`. A body with trailers
            // that is held has no exact length.
            Some(length) => Framing::Length(length),
            None => Framing::Chunked,
        };
        Self {
            body,
            framing,
            limit_bytes,
            identity_headers,
            taken_bytes: 0,
            counter: None,
            held: SmallVec::new(),
            gathered: 0,
            holds: false,
            let_go: false,
            trailer: None,
            ended: framing == Framing::Empty,
            done: false,
            waits_for_client: false,
        }
    }

    /// The head has announced a trailer: HTTP/2 has room for one behind a length, HTTP/1.1 only behind chunks.
    pub(super) fn expect_trailer(&mut self) {
        if matches!(self.framing, Framing::Length(_)) {
            self.framing = Framing::Chunked;
        }
    }

    /// Counts the bytes taken from the client; a request without a body has nothing to count.
    pub(super) fn counter(&mut self) -> Option<Rc<Cell<u64>>> {
        (!self.ended).then(|| Rc::clone(self.counter.get_or_insert_default()))
    }

    /// Starts from its beginning. With `holds` it can be started once more, within bounds.
    pub(super) fn begin(&mut self, holds: bool) {
        self.gathered = 0;
        self.holds = holds;
        self.done = self.framing == Framing::Empty;
    }

    /// How long it is, where that was announced.
    pub(super) const fn length(&self) -> Option<u64> {
        match self.framing {
            Framing::Empty => Some(0),
            Framing::Length(length) => Some(length),
            Framing::Chunked | Framing::UntilClose => None,
        }
    }

    /// Whether it can still be sent from its beginning.
    pub(super) const fn is_whole(&self) -> bool {
        !self.let_go
    }

    /// Lets go of what was gathered.
    pub(super) fn let_go(&mut self) {
        self.holds = false;
        if self.gathered > 0 {
            self.held.drain(..self.gathered);
            self.gathered = 0;
            self.let_go = true;
        }
    }

    /// The body itself, when nothing of it has been taken yet.
    pub(super) fn into_body(self) -> Option<Body> {
        (self.taken_bytes == 0 && self.held.is_empty() && self.trailer.is_none()).then_some(self.body)
    }

    /// Whether anything was taken from the client, its end included.
    pub(super) const fn has_begun(&self) -> bool {
        self.taken_bytes > 0 || self.ended
    }

    /// Whether all of it is gathered.
    pub(super) const fn is_done(&self) -> bool {
        self.done
    }

    /// Takes a piece from the client.
    ///
    /// # Errors
    /// What is wrong with the client's body, its size too.
    pub(super) fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.waits_for_client = polled.is_pending();
        let Some(frame) = ready!(polled).transpose()? else { return Poll::Ready(self.end()) };
        match frame.into_data() {
            Ok(data) => {
                self.taken_bytes += data.len() as u64;
                self.counter.as_ref().inspect(|counter| counter.set(self.taken_bytes));
                if self.taken_bytes > self.limit_bytes {
                    return Poll::Ready(Err(BodyError::TooLarge { limit_bytes: self.limit_bytes }));
                }
                if let Framing::Length(length) = self.framing
                    && self.taken_bytes > length
                {
                    return Poll::Ready(Err(BodyError::Malformed("it is longer than was announced")));
                }
                self.held.push(data);
                Poll::Ready(if self.body.is_end_stream() { self.end() } else { Ok(()) })
            }
            Err(frame) => {
                self.trailer = frame.into_trailers().ok().map(|mut fields| {
                    trailer::cleanse(&mut fields, &self.identity_headers);
                    Box::new(fields)
                });
                Poll::Ready(self.end())
            }
        }
    }

    /// A body that ends before its announced length would leave the upstream waiting, or reading the next request.
    fn end(&mut self) -> Result<(), BodyError> {
        self.ended = true;
        match self.framing {
            Framing::Length(length) if self.taken_bytes < length => Err(BodyError::Disconnected),
            _ => Ok(()),
        }
    }

    /// Gathers what there is. Ready when `out` is full or all is gathered, pending when the client has to send more.
    ///
    /// # Errors
    /// What is wrong with the client's body.
    pub(super) fn poll_gather(&mut self, cx: &mut Context<'_>, out: &mut Outgoing) -> Poll<Result<(), BodyError>> {
        while !self.done && !out.is_full() {
            if let Some(piece) = self.held.get_mut(self.gathered) {
                let holds = self.holds && self.taken_bytes <= HELD_BYTES_MAX && self.gathered < HELD_PIECES_MAX;
                if holds {
                    *piece = to_hold(piece);
                }
                out.body(self.framing, piece.clone());
                self.gathered += 1;
                if !holds {
                    self.let_go();
                }
            } else if self.ended {
                out.end(self.framing, self.trailer.as_deref());
                self.done = true;
            } else {
                ready!(self.poll_take(cx))?;
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body::Frame;
    use http_body_util::StreamBody;
    use std::task::Waker;

    fn sending(body: Body, limit_bytes: u64) -> Upload {
        Upload::new(body, limit_bytes, Rc::new([HeaderName::from_static("x-user")]))
    }

    fn gather(upload: &mut Upload) -> Poll<Result<usize, BodyError>> {
        let mut out = Outgoing::default();
        let polled = upload.poll_gather(&mut Context::from_waker(Waker::noop()), &mut out);
        polled.map_ok(|()| out.bytes())
    }

    #[test]
    fn one_byte_over_the_limit_is_too_large() {
        let mut upload = sending(Body::full("12345"), 5);
        upload.begin(false);
        assert_eq!(gather(&mut upload), Poll::Ready(Ok(5)));
        assert!(upload.is_done());
        let mut upload = sending(Body::full("123456"), 5);
        upload.begin(false);
        assert_eq!(gather(&mut upload), Poll::Ready(Err(BodyError::TooLarge { limit_bytes: 5 })));
    }

    #[test]
    fn a_small_body_that_is_held_can_be_sent_again() {
        for (bytes, holds, whole) in
            [(5, true, true), (5, false, false), (64 * 1024, true, true), (64 * 1024 + 1, true, false)]
        {
            let mut upload = sending(Body::full(vec![b'x'; bytes]), u64::MAX);
            upload.begin(holds);
            assert_eq!(gather(&mut upload), Poll::Ready(Ok(bytes)));
            assert_eq!(upload.is_whole(), whole, "{bytes} {holds}");
            if whole {
                upload.begin(false);
                assert_eq!(gather(&mut upload), Poll::Ready(Ok(bytes)));
            }
        }
    }

    #[test]
    fn a_trickled_body_is_held_up_to_a_number_of_pieces() {
        for (pieces, whole) in [(HELD_PIECES_MAX, true), (HELD_PIECES_MAX + 1, false)] {
            let frames: Vec<_> = (0..pieces).map(|_| Ok(Frame::data(Bytes::from_static(b"x")))).collect();
            let body = Body::stream(StreamBody::new(futures_util::stream::iter(frames)));
            let mut upload = sending(body, u64::MAX);
            upload.begin(true);
            while !upload.is_done() {
                assert!(gather(&mut upload).is_ready());
            }
            assert_eq!(upload.is_whole(), whole, "{pieces}");
            assert_eq!(upload.held.is_empty(), !whole, "{pieces}");
        }
    }

    #[test]
    fn a_short_piece_that_is_held_does_not_keep_the_block_that_it_came_in() {
        for (bytes, copied) in [(1, true), (COPIED_BYTES_MAX - 1, true), (COPIED_BYTES_MAX, false)] {
            let mut block = Bytes::from(vec![b'x'; 64 * 1024]);
            let mut upload = sending(Body::full(block.split_to(bytes)), u64::MAX);
            upload.begin(true);
            assert_eq!(gather(&mut upload), Poll::Ready(Ok(bytes)));
            assert!(upload.is_whole());
            assert_eq!(block.is_unique(), copied, "{bytes}");
            upload.let_go();
            assert!(block.is_unique(), "{bytes}");
        }
    }

    #[test]
    fn what_was_not_gathered_is_not_lost() {
        let mut upload = sending(Body::full("12345"), 5);
        assert!(upload.poll_take(&mut Context::from_waker(Waker::noop())).is_ready());
        assert!(upload.is_whole());
        upload.begin(false);
        upload.let_go();
        assert!(upload.is_whole());
        assert_eq!(gather(&mut upload), Poll::Ready(Ok(5)));
    }
}
