//! A request's body on its way to an upstream: counted, limited, and, while it may be needed once more, held.

use bytes::Bytes;
use http::HeaderMap;
use http_body::Body as _;
use serve::http1::{Framing, Outgoing};
use serve::{Body, BodyError};
use smallvec::SmallVec;
use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// Pieces that may be needed once more are held up to this many bytes. They are not copied.
const HELD_BYTES_MAX: u64 = 64 * 1024;

/// The body that is sent.
pub(super) struct Upload {
    body: Body,
    /// How the request says where it ends.
    pub(super) framing: Framing,
    limit_bytes: u64,
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
    pub(super) fn new(body: Body, limit_bytes: u64) -> Self {
        let framing = match body.size_hint().exact() {
            _ if body.is_end_stream() => Framing::Empty,
            Some(0) => Framing::Empty,
            Some(length) => Framing::Length(length),
            None => Framing::Chunked,
        };
        Self {
            body,
            framing,
            limit_bytes,
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
                self.trailer = frame.into_trailers().ok().map(Box::new);
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
            if let Some(piece) = self.held.get(self.gathered) {
                out.body(self.framing, piece.clone());
                self.gathered += 1;
                if !self.holds || self.taken_bytes > HELD_BYTES_MAX {
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
    use std::task::Waker;

    fn gather(upload: &mut Upload) -> Poll<Result<usize, BodyError>> {
        let mut out = Outgoing::default();
        let polled = upload.poll_gather(&mut Context::from_waker(Waker::noop()), &mut out);
        polled.map_ok(|()| out.bytes())
    }

    #[test]
    fn one_byte_over_the_limit_is_too_large() {
        let mut upload = Upload::new(Body::full("12345"), 5);
        upload.begin(false);
        assert_eq!(gather(&mut upload), Poll::Ready(Ok(5)));
        assert!(upload.is_done());
        let mut upload = Upload::new(Body::full("123456"), 5);
        upload.begin(false);
        assert_eq!(gather(&mut upload), Poll::Ready(Err(BodyError::TooLarge { limit_bytes: 5 })));
    }

    #[test]
    fn a_small_body_that_is_held_can_be_sent_again() {
        for (bytes, holds, whole) in
            [(5, true, true), (5, false, false), (64 * 1024, true, true), (64 * 1024 + 1, true, false)]
        {
            let mut upload = Upload::new(Body::full(vec![b'x'; bytes]), u64::MAX);
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
    fn what_was_not_gathered_is_not_lost() {
        let mut upload = Upload::new(Body::full("12345"), 5);
        assert!(upload.poll_take(&mut Context::from_waker(Waker::noop())).is_ready());
        assert!(upload.is_whole());
        upload.begin(false);
        upload.let_go();
        assert!(upload.is_whole());
        assert_eq!(gather(&mut upload), Poll::Ready(Ok(5)));
    }
}
