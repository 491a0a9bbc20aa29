//! A body whose beginning was taken already.

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use serve::BodyError;
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The pieces that were taken, then the rest.
#[derive(Debug)]
pub struct Begun<B> {
    /// None is empty.
    pieces: VecDeque<Bytes>,
    trailers: Option<HeaderMap>,
    rest: B,
}

impl<B> Begun<B> {
    pub(super) fn new(pieces: impl IntoIterator<Item = Bytes>, trailers: Option<HeaderMap>, rest: B) -> Self {
        Self { pieces: pieces.into_iter().filter(|piece| !piece.is_empty()).collect(), trailers, rest }
    }

    /// Another rest in the place of this one.
    pub fn map_rest<C>(self, map: impl FnOnce(B) -> C) -> Begun<C> {
        Begun { pieces: self.pieces, trailers: self.trailers, rest: map(self.rest) }
    }
}

impl<B: HttpBody<Data = Bytes, Error = BodyError> + Unpin> HttpBody for Begun<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(piece) = self.pieces.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if let Some(trailers) = self.trailers.take() {
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        Pin::new(&mut self.rest).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty() && self.trailers.is_none() && self.rest.is_end_stream()
    }

    /// Not exact while trailers are to follow: a body that is sent with its length has no place for them.
    fn size_hint(&self) -> SizeHint {
        let taken: u64 = self.pieces.iter().map(|piece| piece.len() as u64).sum();
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(taken.saturating_add(rest.lower()));
        if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(taken)).filter(|_| self.trailers.is_none())
        {
            hint.set_upper(upper);
        }
        hint
    }
}
