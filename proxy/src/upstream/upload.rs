//! A request's body on its way to an upstream: counted, limited, and watched for progress.

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use serve::{Body, BodyError};
use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// What the sender wants to know of the body that hyper polls.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Bytes taken from the client.
    pub(super) bytes: Cell<u64>,
    /// The last poll had to wait for the client.
    pub(super) waits_for_client: Cell<bool>,
    /// The end was reached.
    pub(super) ended: Cell<bool>,
    /// Why it broke off.
    pub(super) failed: Cell<Option<BodyError>>,
}

/// The body that hyper sends.
#[derive(Debug)]
pub(super) struct Upload {
    body: Body,
    limit_bytes: u64,
    progress: Rc<Progress>,
}

impl Upload {
    pub(super) fn new(body: Body, limit_bytes: u64) -> (Self, Rc<Progress>) {
        let progress = Rc::new(Progress::default());
        progress.ended.set(body.is_end_stream());
        (Self { body, limit_bytes, progress: Rc::clone(&progress) }, progress)
    }

    /// The body, to be sent in another way.
    pub(super) fn into_body(self) -> Body {
        self.body
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.progress.waits_for_client.set(polled.is_pending());
        let Some(frame) = ready!(polled) else {
            self.progress.ended.set(true);
            return Poll::Ready(None);
        };
        let outcome = frame.and_then(|frame| {
            let bytes = self.progress.bytes.get() + frame.data_ref().map_or(0, |data| data.len() as u64);
            self.progress.bytes.set(bytes);
            if bytes > self.limit_bytes {
                Err(BodyError::TooLarge { limit_bytes: self.limit_bytes })
            } else {
                Ok(frame)
            }
        });
        if let Err(error) = outcome {
            self.progress.failed.set(Some(error));
        } else if self.body.is_end_stream() {
            self.progress.ended.set(true);
        }
        Poll::Ready(Some(outcome))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn one_byte_over_the_limit_is_too_large() {
        let (at_limit, progress) = Upload::new(Body::full("12345"), 5);
        at_limit.collect().await.expect("fits");
        assert!(progress.ended.get());
        let (over, progress) = Upload::new(Body::full("123456"), 5);
        let error = over.collect().await.expect_err("too large");
        assert_eq!(error, BodyError::TooLarge { limit_bytes: 5 });
        assert_eq!(progress.failed.get(), Some(error));
    }
}
