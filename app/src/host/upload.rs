//! A request's body on its way to the callable: each piece that arrives gives the request its time anew, so that a
//! large upload may take as long as it makes progress.

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use serve::timer::{Deadline, Elapsed};
use serve::{Body, BodyError};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

/// How many pieces of a body have arrived.
#[derive(Debug, Clone, Default)]
pub(super) struct Pieces(Arc<AtomicU64>);

impl Pieces {
    /// The body, counted. Bodies that are at their end already are passed on as they are.
    pub(super) fn count(&self, body: Body) -> Body {
        if body.is_end_stream() { body } else { Body::stream(Counted { body, pieces: self.clone() }) }
    }

    fn arrived(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    /// Grows with each piece.
    pub(super) fn so_far(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Runs a call for as long as no time of this length passes without a piece of its request arriving.
pub(super) async fn within<F: Future>(limit: Duration, pieces: &Pieces, call: F) -> Result<F::Output, Elapsed> {
    let deadline = Deadline::after(limit);
    let mut seen = pieces.so_far();
    let mut call = pin!(call);
    poll_fn(|cx| {
        if let Poll::Ready(output) = call.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        if std::mem::replace(&mut seen, pieces.so_far()) != pieces.so_far() {
            deadline.set(limit);
        }
        deadline.poll(cx).map(|()| Err(Elapsed))
    })
    .await
}

struct Counted {
    body: Body,
    pieces: Pieces,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if polled.is_ready() {
            self.pieces.arrived();
        }
        polled
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
    use tokio::time::sleep;

    #[test]
    fn a_call_has_time_as_long_as_pieces_arrive() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        tokio::task::LocalSet::new().block_on(&runtime.expect("a runtime"), async {
            let limit = Duration::from_secs(3);
            let pieces = Pieces::default();
            let upload = async {
                for _ in 0..5 {
                    sleep(Duration::from_secs(2)).await;
                    pieces.arrived();
                }
            };
            assert_eq!(within(limit, &pieces, upload).await, Ok(()), "ten seconds of progress");
            assert_eq!(within(limit, &pieces, sleep(Duration::from_secs(4))).await, Err(Elapsed));
        });
    }
}
