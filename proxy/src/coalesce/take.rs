//! Taking a short body as a whole, or finding out that it is none.

use super::begun::Begun;
use crate::budget::{Budget, Share};
use bytes::{Bytes, BytesMut};
use http_body::Body as HttpBody;
use serve::timer::Deadline;
use serve::{Body, BodyError};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// How long the end of a body may take to come. What takes longer is slow or streams, and nobody waits for it.
const PATIENCE: Duration = Duration::from_secs(2);

/// The bytes of a whole body, counted until the last copy is gone.
#[derive(Debug, Clone)]
pub struct Held {
    bytes: Bytes,
    _share: Arc<Share>,
}

impl Held {
    /// The bytes.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// A body of these bytes alone.
    #[must_use]
    pub fn into_body(self) -> Begun<Body> {
        Begun::new([self.bytes], None, Body::empty())
    }
}

/// What became of a body.
#[derive(Debug)]
pub enum Taken<B> {
    /// All of it.
    Whole(Held),
    /// It is too long or too slow, has trailers, or finds no room: it goes on as it came.
    Begun(Begun<B>),
}

/// Takes a body of at most `bytes_max`. Must be called within a worker's runtime.
///
/// # Errors
/// When the body breaks off.
pub(crate) async fn take<B>(mut body: B, bytes_max: usize, room: &Arc<Budget>) -> Result<Taken<B>, BodyError>
where
    B: HttpBody<Data = Bytes, Error = BodyError> + Unpin,
{
    let mut share = Share::none(room);
    let mut whole = BytesMut::new();
    if body.size_hint().lower() > bytes_max as u64 {
        return Ok(Taken::Begun(Begun::new([], None, body)));
    }
    let deadline = Deadline::after(PATIENCE);
    loop {
        let frame = poll_fn(|cx| match Pin::new(&mut body).poll_frame(cx) {
            Poll::Pending => deadline.poll(cx).map(Err),
            Poll::Ready(frame) => Poll::Ready(Ok(frame)),
        });
        let Ok(frame) = frame.await else { return Ok(Taken::Begun(Begun::new([whole.freeze()], None, body))) };
        let Some(frame) = frame.transpose()? else {
            return Ok(Taken::Whole(Held { bytes: whole.freeze(), _share: Arc::new(share) }));
        };
        match frame.into_data() {
            // A copy: the piece may be a small part of a large block.
            Ok(data) if whole.len() + data.len() <= bytes_max && share.grow(data.len() as u64) => {
                whole.extend_from_slice(&data);
            }
            Ok(data) => return Ok(Taken::Begun(Begun::new([whole.freeze(), data], None, body))),
            Err(frame) => {
                return Ok(Taken::Begun(Begun::new([whole.freeze()], frame.into_trailers().ok(), body)));
            }
        }
    }
}
