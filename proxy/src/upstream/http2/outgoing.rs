//! The body of a request: counted, limited, and, as long as little of it has gone out, able to begin anew.

use crate::upstream::upload::{HELD_BYTES_MAX, HELD_PIECES_MAX, to_hold};
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use serve::{Body, BodyError};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A request's body on its way to an endpoint.
#[derive(Debug)]
pub(super) struct Outgoing {
    body: Body,
    limit_bytes: u64,
    /// Taken from the client.
    bytes: u64,
    /// The body has nothing more.
    ended: bool,
    /// All that was taken until the response begins, so that a request that the endpoint says it has not processed can
    /// be sent again. `None` once it was too much, or is not needed any more.
    kept: Option<Vec<Piece>>,
    /// How many of `kept` have been given out since the beginning.
    given: usize,
}

#[derive(Debug, Clone)]
enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
}

impl From<Piece> for Frame<Bytes> {
    fn from(piece: Piece) -> Self {
        match piece {
            Piece::Data(data) => Self::data(data),
            Piece::Trailers(trailers) => Self::trailers(trailers),
        }
    }
}

impl Outgoing {
    pub(super) fn new(body: Body, limit_bytes: u64) -> Self {
        let ended = body.is_end_stream();
        Self { body, limit_bytes, bytes: 0, ended, kept: Some(Vec::new()), given: 0 }
    }

    /// Bytes taken from the client.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The whole of it once more. `None`: too much of it is gone.
    pub(super) fn again(self) -> Option<Body> {
        if self.kept.as_ref()?.is_empty() {
            return Some(self.body);
        }
        Some(Body::stream(Self { given: 0, ..self }))
    }

    /// Stops to keep what goes out: the response has begun.
    pub(super) fn forget(&mut self) {
        self.kept = None;
    }

    fn keep(&mut self, piece: Piece) {
        if self.bytes > HELD_BYTES_MAX || self.given >= HELD_PIECES_MAX {
            self.forget();
        }
        if let Some(kept) = &mut self.kept {
            kept.push(piece);
            self.given = kept.len();
        }
    }
}

impl HttpBody for Outgoing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if let Some(piece) = this.kept.as_ref().and_then(|kept| kept.get(this.given)) {
            this.given += 1;
            return Poll::Ready(Some(Ok(piece.clone().into())));
        }
        if this.ended {
            return Poll::Ready(None);
        }
        let Some(frame) = ready!(Pin::new(&mut this.body).poll_frame(cx)).transpose()? else {
            this.ended = true;
            return Poll::Ready(None);
        };
        this.ended = this.body.is_end_stream();
        if let Some(data) = frame.data_ref() {
            this.bytes += data.len() as u64;
            if this.bytes > this.limit_bytes {
                return Poll::Ready(Some(Err(BodyError::TooLarge { limit_bytes: this.limit_bytes })));
            }
            if this.kept.is_some() {
                this.keep(Piece::Data(to_hold(data)));
            }
        } else if let Some(trailers) = frame.trailers_ref() {
            this.ended = true;
            this.keep(Piece::Trailers(trailers.clone()));
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.ended && self.kept.as_ref().is_none_or(|kept| self.given == kept.len())
    }

    fn size_hint(&self) -> SizeHint {
        if self.bytes == 0 { self.body.size_hint() } else { SizeHint::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, StreamBody};

    fn pieces(sizes: &[usize]) -> Body {
        let frames: Vec<_> = sizes.iter().map(|&size| Ok(Frame::data(Bytes::from(vec![b'x'; size])))).collect();
        Body::stream(StreamBody::new(futures_util::stream::iter(frames)))
    }

    async fn next(outgoing: &mut Outgoing) -> Option<Result<usize, BodyError>> {
        let frame = outgoing.frame().await?;
        Some(frame.map(|frame| frame.data_ref().map_or(0, Bytes::len)))
    }

    #[tokio::test]
    async fn what_has_gone_out_is_kept_while_it_is_short() {
        let mut outgoing = Outgoing::new(pieces(&[10, 20, 30]), 1000);
        assert_eq!(next(&mut outgoing).await, Some(Ok(10)));
        assert_eq!(next(&mut outgoing).await, Some(Ok(20)));
        let again = outgoing.again().expect("short");
        assert_eq!(again.collect().await.expect("whole").to_bytes().len(), 60);

        let mut outgoing = Outgoing::new(pieces(&[64 * 1024, 1, 1]), 1_000_000);
        assert_eq!(next(&mut outgoing).await, Some(Ok(64 * 1024)));
        assert_eq!(next(&mut outgoing).await, Some(Ok(1)));
        assert!(outgoing.again().is_none(), "one byte too much is gone");

        for (count, kept) in [(HELD_PIECES_MAX, true), (HELD_PIECES_MAX + 1, false)] {
            let mut outgoing = Outgoing::new(pieces(&vec![1; count]), 1000);
            while next(&mut outgoing).await.is_some() {}
            assert_eq!(outgoing.again().is_some(), kept, "{count} pieces");
        }
    }

    #[tokio::test]
    async fn a_short_piece_that_is_kept_does_not_keep_the_block_that_it_came_in() {
        let mut block = Bytes::from(vec![b'x'; 64 * 1024]);
        let mut outgoing = Outgoing::new(Body::full(block.split_to(1)), 1000);
        assert_eq!(next(&mut outgoing).await, Some(Ok(1)));
        assert!(outgoing.kept.is_some() && block.is_unique());
    }

    #[tokio::test]
    async fn nothing_is_kept_once_the_response_has_begun() {
        let mut outgoing = Outgoing::new(pieces(&[10, 20]), 1000);
        assert_eq!(next(&mut outgoing).await, Some(Ok(10)));
        outgoing.forget();
        assert_eq!(next(&mut outgoing).await, Some(Ok(20)));
        assert_eq!(next(&mut outgoing).await, None);
        assert!(outgoing.is_end_stream());
        assert!(outgoing.again().is_none());
    }

    #[tokio::test]
    async fn trailers_come_again_too_and_the_limit_holds() {
        let trailers = HeaderMap::from_iter([(http::header::ETAG, http::HeaderValue::from_static("\"1\""))]);
        let frames = [Ok(Frame::data(Bytes::from_static(b"abc"))), Ok(Frame::trailers(trailers.clone()))];
        let body = || {
            let frames = frames.iter().map(|frame: &Result<Frame<Bytes>, BodyError>| match frame {
                Ok(frame) if frame.is_trailers() => Ok(Frame::trailers(trailers.clone())),
                _ => Ok(Frame::data(Bytes::from_static(b"abc"))),
            });
            Body::stream(StreamBody::new(futures_util::stream::iter(frames.collect::<Vec<_>>())))
        };
        let mut outgoing = Outgoing::new(body(), 3);
        while next(&mut outgoing).await.is_some() {}
        assert!(outgoing.is_end_stream());
        let again = outgoing.again().expect("short").collect().await.expect("whole");
        assert_eq!(again.trailers(), Some(&trailers));
        assert_eq!(next(&mut Outgoing::new(body(), 2)).await, Some(Err(BodyError::TooLarge { limit_bytes: 2 })));
    }
}
