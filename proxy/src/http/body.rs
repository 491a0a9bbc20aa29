//! The body of an answer, whatever made it, and what happens at its end.

use super::access_log::Line;
use super::farewell::{Farewell, Word};
use crate::coalesce::Begun;
use crate::files::FileBody;
use crate::upstream::UpstreamBody;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use serve::contract::request_id::{RequestId, X_REQUEST_ID};
use serve::http1::field;
use serve::timer::Deadline;
use serve::{BodyError, Part};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A response's body. Not boxed: which kinds there are is known.
pub struct ProxyBody {
    kind: Kind,
    /// The rest of the route's total time.
    deadline: Option<Deadline>,
    /// Written when the body ends or is dropped.
    line: Option<Box<Line>>,
    /// What ends it in order when the process stops.
    farewell: Option<Box<Farewell>>,
    /// Fields of the response that are not in its map.
    prepared: Option<Prepared>,
}

/// Fields as text, and the one that no other response has.
struct Prepared {
    fields: Arc<[u8]>,
    request_id: RequestId,
}

enum Kind {
    Bytes(Option<Bytes>),
    File(FileBody),
    Upstream(UpstreamBody),
    /// Rare, and larger than the others.
    Begun(Box<Begun<UpstreamBody>>),
}

impl ProxyBody {
    /// Bytes at hand.
    #[must_use]
    pub fn bytes(bytes: Bytes) -> Self {
        Kind::Bytes((!bytes.is_empty()).then_some(bytes)).into()
    }

    /// Ends the body with an error when the deadline passes. A tunnel has a limit of its own.
    pub(super) fn set_deadline(&mut self, deadline: Deadline) {
        self.deadline = (!self.is_tunnel()).then_some(deadline);
    }

    /// Has this line written at the end.
    pub(super) fn set_line(&mut self, line: Box<Line>) {
        self.line = Some(line);
    }

    /// Has it ended in order when the process stops.
    pub(super) fn set_farewell(&mut self, farewell: Farewell) {
        self.farewell = Some(Box::new(farewell));
    }

    /// Has these fields written, as text, in front of those that the response has.
    pub(super) fn set_prepared(&mut self, fields: Arc<[u8]>, request_id: RequestId) {
        self.prepared = Some(Prepared { fields, request_id });
    }

    /// Appends the fields that were prepared.
    pub(super) fn write_fields(&self, out: &mut Vec<u8>) {
        if let Some(Prepared { fields, request_id }) = &self.prepared {
            out.extend_from_slice(fields);
            field(out, X_REQUEST_ID.as_str().as_bytes(), request_id.as_str().as_bytes());
        }
    }

    pub(super) fn is_tunnel(&self) -> bool {
        matches!(&self.kind, Kind::Upstream(body) if body.is_tunnel())
    }

    /// The next part, for a connection on which the kernel can send files.
    pub(super) fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Part, BodyError>>> {
        if !matches!(self.kind, Kind::File(_)) {
            return Pin::new(self).poll_frame(cx).map(|frame| frame.map(|frame| frame.map(Part::Frame)));
        }
        let late = self.is_late(cx);
        let polled = match &mut self.kind {
            Kind::File(body) if !late => body.poll_part(cx),
            _ => Poll::Ready(Some(Err(BodyError::TooSlow))),
        };
        self.account(&polled, Part::bytes, |_| false);
        polled
    }

    fn is_late(&self, cx: &mut Context<'_>) -> bool {
        self.deadline.as_ref().is_some_and(|deadline| deadline.poll(cx).is_ready())
    }

    /// Counts what goes out, and has the line written at the end.
    fn account<T>(
        &mut self,
        polled: &Poll<Option<Result<T, BodyError>>>,
        bytes: impl FnOnce(&T) -> usize,
        is_last: impl FnOnce(&T) -> bool,
    ) {
        match polled {
            Poll::Ready(Some(Ok(given))) => {
                if let Some(line) = &mut self.line {
                    line.sent(bytes(given));
                }
                // A server need not ask again once the announced length is reached, or behind trailers.
                if is_last(given) || self.is_end_stream() {
                    self.ended(None);
                }
            }
            Poll::Ready(Some(Err(error))) => self.ended(Some(*error)),
            Poll::Ready(None) => self.ended(None),
            Poll::Pending => {}
        }
    }

    fn ended(&mut self, error: Option<BodyError>) {
        if let Some(mut line) = self.line.take() {
            line.ended(error);
        }
    }
}

impl From<Kind> for ProxyBody {
    fn from(kind: Kind) -> Self {
        Self { kind, deadline: None, line: None, farewell: None, prepared: None }
    }
}

impl From<FileBody> for ProxyBody {
    fn from(body: FileBody) -> Self {
        Kind::File(body).into()
    }
}

impl From<UpstreamBody> for ProxyBody {
    fn from(body: UpstreamBody) -> Self {
        Kind::Upstream(body).into()
    }
}

impl From<Begun<UpstreamBody>> for ProxyBody {
    fn from(body: Begun<UpstreamBody>) -> Self {
        Kind::Begun(Box::new(body)).into()
    }
}

impl HttpBody for ProxyBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        // First: a body that is faster than its reader never has to wait itself.
        let late = this.is_late(cx);
        let word = this.farewell.as_mut().map_or(Word::None, |farewell| farewell.word());
        let drops = match word {
            Word::None => false,
            Word::Said => true,
            Word::End => {
                this.kind = Kind::Bytes(None);
                false
            }
            Word::Last(bytes) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
        };
        let polled = match &mut this.kind {
            _ if late => Poll::Ready(Some(Err(BodyError::TooSlow))),
            Kind::Bytes(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::File(body) => Pin::new(body).poll_frame(cx),
            Kind::Upstream(body) => Pin::new(body).poll_frame(cx),
            Kind::Begun(body) => Pin::new(&mut **body).poll_frame(cx),
        };
        if drops && matches!(polled, Poll::Ready(Some(Ok(_)))) {
            // The rest of what the endpoint sends. It is asked again at once, in its turn.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let (Some(farewell), Poll::Ready(Some(Ok(frame)))) = (&mut this.farewell, &polled)
            && let Some(data) = frame.data_ref()
        {
            farewell.sent(data);
        }
        this.account(&polled, |frame| frame.data_ref().map_or(0, Bytes::len), Frame::is_trailers);
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Bytes(bytes) => bytes.is_none(),
            Kind::File(body) => body.is_end_stream(),
            Kind::Upstream(body) => body.is_end_stream(),
            Kind::Begun(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Bytes(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Kind::File(body) => body.size_hint(),
            Kind::Upstream(body) => body.size_hint(),
            Kind::Begun(body) => body.size_hint(),
        }
    }
}

impl Drop for ProxyBody {
    fn drop(&mut self) {
        // Dropped before its end: either there was nothing to send, or the client has left.
        let error = (!self.is_end_stream()).then_some(BodyError::Disconnected);
        self.ended(error);
    }
}
