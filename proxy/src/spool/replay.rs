//! A body that is held as a whole and can be sent from its beginning as often as need be.

use super::disk::Scratch;
use crate::budget::Share;
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use serve::{Body, BodyError};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// A whole body. Its room counts until the last of its copies is gone.
#[derive(Clone)]
pub struct Replay(Arc<Kept>);

/// What is held, in this order.
pub(super) struct Kept {
    pub(super) pieces: Vec<Bytes>,
    pub(super) disk: Option<Scratch>,
    /// What could not be written to the disk.
    pub(super) behind: Bytes,
    pub(super) trailers: Option<HeaderMap>,
    pub(super) _room: Share,
}

impl Replay {
    pub(super) fn new(kept: Kept) -> Self {
        Self(Arc::new(kept))
    }

    /// The body from its beginning.
    #[must_use]
    pub fn body(&self) -> Body {
        Body::stream(self.reading())
    }

    pub(super) fn reading(&self) -> Replaying {
        let behind = Some(self.0.behind.clone()).filter(|behind| !behind.is_empty());
        let trailers = self.0.trailers.clone();
        Replaying { kept: Arc::clone(&self.0), given: 0, read: 0, reading: None, behind, trailers }
    }
}

/// The body once.
pub(super) struct Replaying {
    kept: Arc<Kept>,
    /// Pieces that were given out.
    given: usize,
    /// Bytes read from the disk.
    read: u64,
    reading: Option<Pin<Box<dyn Future<Output = io::Result<Bytes>> + Send>>>,
    behind: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl HttpBody for Replaying {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if let Some(piece) = this.kept.pieces.get(this.given) {
            this.given += 1;
            return Poll::Ready(Some(Ok(Frame::data(piece.clone()))));
        }
        if let Some(disk) = this.kept.disk.as_ref().filter(|disk| disk.bytes() > this.read) {
            let reading = this.reading.get_or_insert_with(|| Box::pin(disk.clone().read(this.read)));
            let outcome = ready!(reading.as_mut().poll(cx));
            this.reading = None;
            return Poll::Ready(Some(match outcome {
                Ok(data) => {
                    this.read += data.len() as u64;
                    Ok(Frame::data(data))
                }
                Err(error) => {
                    tracing::error!(%error, "a held body can't be read from disk");
                    Err(BodyError::File)
                }
            }));
        }
        let behind = this.behind.take().map(Frame::data);
        Poll::Ready(behind.or_else(|| this.trailers.take().map(Frame::trailers)).map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.size_hint().exact() == Some(0)
    }

    /// Not exact while trailers are to follow: a body that is sent with its length has no place for them.
    fn size_hint(&self) -> SizeHint {
        let pieces: u64 = self.kept.pieces.iter().skip(self.given).map(|piece| piece.len() as u64).sum();
        let disk = self.kept.disk.as_ref().map_or(0, |disk| disk.bytes() - self.read);
        let left = pieces + disk + self.behind.as_ref().map_or(0, |behind| behind.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(left);
        if self.trailers.is_none() {
            hint.set_upper(left);
        }
        hint
    }
}
