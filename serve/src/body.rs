//! The body of a request as both servers see it, and the one error type of all bodies.
//!
//! hyper's `Incoming` is wrapped at the accept loop because it can't be built in a test; everything behind the
//! accept loop takes a [`Body`] and so runs without a socket.

use crate::activity::Activity;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Why a body ended before its end. The kinds decide what is answered and logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The peer went away or broke the framing.
    #[error("the peer closed the body before its end")]
    Disconnected,
    /// More bytes than the route allows.
    #[error("the body is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The limit in force, in bytes.
        limit_bytes: u64,
    },
    /// The peer sent or took bytes more slowly than the route allows.
    #[error("the body made no progress in time")]
    TooSlow,
    /// The upstream's answer broke off.
    #[error("the upstream closed the response before its end")]
    Upstream,
    /// A file could not be read, or shrank while it was sent.
    #[error("the file could not be read to its end")]
    File,
}

/// A request's body: nothing, bytes at hand, or a stream. `Send`, so that any framework can take it.
pub struct Body(Kind);

enum Kind {
    Full(Option<Bytes>),
    Incoming(hyper::body::Incoming, Option<Upload>),
    Stream(Pin<Box<dyn HttpBody<Data = Bytes, Error = BodyError> + Send>>),
}

impl Body {
    /// No body.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Kind::Full(None))
    }

    /// Bytes at hand.
    #[must_use]
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self(Kind::Full((!bytes.is_empty()).then_some(bytes)))
    }

    /// Any other body, boxed.
    pub fn stream(body: impl HttpBody<Data = Bytes, Error = BodyError> + Send + 'static) -> Self {
        Self(Kind::Stream(Box::pin(body)))
    }
}

impl From<hyper::body::Incoming> for Body {
    fn from(incoming: hyper::body::Incoming) -> Self {
        Self(if incoming.is_end_stream() { Kind::Full(None) } else { Kind::Incoming(incoming, None) })
    }
}

/// Tells a connection when the body of one of its requests is done with.
struct Upload(Arc<Activity>);

impl Drop for Upload {
    fn drop(&mut self) {
        self.0.upload_ended();
    }
}

impl Body {
    /// A body whose connection wants to know when it is done with.
    pub(crate) fn noted(incoming: hyper::body::Incoming, activity: &Arc<Activity>) -> Self {
        if incoming.is_end_stream() {
            return Self::empty();
        }
        activity.upload_began();
        Self(Kind::Incoming(incoming, Some(Upload(Arc::clone(activity)))))
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Kind::Full(None) => "Body::Empty",
            Kind::Full(Some(_)) => "Body::Full",
            Kind::Incoming(..) => "Body::Incoming",
            Kind::Stream(_) => "Body::Stream",
        })
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Kind::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Incoming(incoming, upload) => {
                let polled = Pin::new(incoming).poll_frame(cx);
                if matches!(polled, Poll::Ready(None)) {
                    *upload = None;
                }
                polled.map_err(|_| BodyError::Disconnected)
            }
            Kind::Stream(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Full(bytes) => bytes.is_none(),
            Kind::Incoming(incoming, _) => incoming.is_end_stream(),
            Kind::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Kind::Incoming(incoming, _) => incoming.size_hint(),
            Kind::Stream(body) => body.size_hint(),
        }
    }
}
