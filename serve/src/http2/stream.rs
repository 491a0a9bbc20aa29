//! One request on its stream: from the call of the service to the end of the response.
//!
//! Streams are polled by their connection, in its task. Each is one allocation, beside what its service needs.

use super::call::{Call, Ended};
use super::outgoing::Outgoing;
use bytes::Bytes;
use http::Response;
use http_body::Body as HttpBody;
use pin_project_lite::pin_project;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// A request on its stream, until the response has been handed to `h2` or the client has reset it: then the service
    /// and its body are dropped at once, which cancels what they wait for.
    pub(super) struct Stream<'a, F, B> {
        call: Call<'a>,
        #[pin]
        phase: Phase<F, B>,
    }
}

pin_project! {
    #[project = PhaseProjection]
    enum Phase<F, B> {
        Answering { #[pin] service: F },
        Responding { #[pin] body: B, outgoing: Outgoing },
    }
}

impl<'a, F, B> Stream<'a, F, B> {
    pub(super) const fn new(call: Call<'a>, service: F) -> Self {
        Self { call, phase: Phase::Answering { service } }
    }
}

impl<F, B> Future for Stream<'_, F, B>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
    B: HttpBody<Data = Bytes>,
{
    type Output = Ended;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        let mut this = self.project();
        loop {
            match this.phase.as_mut().project() {
                PhaseProjection::Answering { service } => {
                    let Some(response) = ready!(this.call.poll_answer(cx, service)) else {
                        return Poll::Ready(Ended::Reset);
                    };
                    let (head, body) = response.into_parts();
                    match Outgoing::begin(this.call, head, &body) {
                        Ok(outgoing) => this.phase.set(Phase::Responding { body, outgoing }),
                        Err(ended) => return Poll::Ready(ended),
                    }
                }
                PhaseProjection::Responding { body, outgoing } => return outgoing.poll(cx, body, this.call.shared),
            }
        }
    }
}
