//! The body of a response that comes in a stream.

use super::connection::Slot;
use super::head::cleanse_trailers;
use super::pump::{Pump, Stopped};
use bytes::Bytes;
use h2::RecvStream;
use http_body::{Body as HttpBody, Frame, SizeHint};
use serve::BodyError;
use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::task::JoinHandle;

/// The body of a response. Dropped before its end it resets the stream, which tells the endpoint that nobody waits.
///
/// The endpoint may send further bytes only when those before have been taken from here: that is the back-pressure.
pub(in crate::upstream) struct Http2Body {
    stream: RecvStream,
    size: SizeHint,
    held: Option<Held>,
}

/// What a response holds on to until its end.
struct Held {
    upload: Option<Upload>,
    _slot: Slot,
}

impl Http2Body {
    /// `pump`: the rest of the request's body, if the response came before its end.
    pub(super) fn new(stream: RecvStream, length: Option<u64>, slot: Slot, pump: Option<Pump>) -> Self {
        let ended = stream.is_end_stream();
        let size =
            if ended { SizeHint::with_exact(0) } else { length.map_or_else(SizeHint::default, SizeHint::with_exact) };
        // A response that is complete has no use for the rest of the request (RFC 9113 section 8.1).
        let held = (!ended).then(|| Held { upload: pump.map(Upload::start), _slot: slot });
        Self { stream, size, held }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        while let Some(data) = ready!(self.stream.poll_data(cx)) {
            let data = data?;
            if data.is_empty() {
                // Only carries the end.
                continue;
            }
            self.stream.flow_control().release_capacity(data.len())?;
            let left = self.size.exact().map(|size| size.saturating_sub(data.len() as u64));
            self.size = left.map_or_else(SizeHint::default, SizeHint::with_exact);
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        let trailers = ready!(self.stream.poll_trailers(cx))?;
        Poll::Ready(trailers.map(|mut trailers| {
            cleanse_trailers(&mut trailers);
            Ok(Frame::trailers(trailers))
        }))
    }
}

impl HttpBody for Http2Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let Some(held) = &this.held else { return Poll::Ready(None) };
        let client = held.upload.as_ref().and_then(Upload::failed);
        let polled = ready!(this.poll(cx));
        let ends = match &polled {
            Some(Ok(frame)) => frame.is_trailers() || this.stream.is_end_stream(),
            Some(Err(_)) | None => true,
        };
        if ends {
            this.held = None;
        }
        // The endpoint's stream is gone because the client's body broke off, or by itself.
        Poll::Ready(polled.map(|frame| frame.map_err(|_| client.unwrap_or(BodyError::Upstream))))
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.size
    }
}

/// The rest of a request's body, sent while the response streams. A task of its own, because the two directions do not
/// wait for each other: the client may send for long before it reads (gRPC).
struct Upload {
    task: JoinHandle<()>,
    failed: Rc<Cell<Option<BodyError>>>,
}

impl Upload {
    fn start(mut pump: Pump) -> Self {
        let failed = Rc::new(Cell::new(None));
        let told = Rc::clone(&failed);
        let task = tokio::task::spawn_local(async move {
            if let Err(Stopped::Client(error)) = poll_fn(|cx| pump.poll(cx)).await {
                told.set(Some(error));
            }
        });
        Self { task, failed }
    }

    /// Why the client's body broke off.
    fn failed(&self) -> Option<BodyError> {
        self.failed.get()
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.task.abort();
    }
}
