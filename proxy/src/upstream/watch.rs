//! The limits of one request: whose turn it is while a response is awaited, and whether it takes too long.

use super::error::UpstreamError;
use super::http2;
use serve::BodyError;
use serve::timer::Deadline;
use std::task::{Context, Poll};
use std::time::Duration;

/// The limits of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendLimits {
    /// Bytes of its body.
    pub body_bytes_max: u64,
    /// Between two pieces of its body.
    pub progress_timeout: Duration,
    /// From its end to the head of the response.
    pub response_timeout: Duration,
    /// Between two pieces of the response's body or, after the protocol was switched, of either direction.
    pub stream_idle_timeout: Duration,
}

impl From<SendLimits> for http2::Limits {
    fn from(limits: SendLimits) -> Self {
        let SendLimits { body_bytes_max, progress_timeout, response_timeout, stream_idle_timeout: _ } = limits;
        Self { body_bytes_max, progress_timeout, response_timeout }
    }
}

/// Who has to do something next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The client has to send more of its body.
    ClientSends,
    /// The endpoint has to take what waits.
    EndpointTakes,
    /// The endpoint has to answer.
    EndpointThinks,
}

/// The deadline of whoever's turn it is.
pub(super) struct Watch {
    deadline: Deadline,
    limits: SendLimits,
    phase: Phase,
    progress: (u64, usize),
}

impl Watch {
    pub(super) fn new(limits: SendLimits) -> Self {
        let deadline = Deadline::after(limits.response_timeout);
        Self { deadline, limits, phase: Phase::EndpointThinks, progress: (0, 0) }
    }

    /// Ready when it took too long. `progress` is anything that changes when bytes move.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, phase: Phase, progress: (u64, usize)) -> Poll<UpstreamError> {
        if (self.phase, self.progress) != (phase, progress) {
            (self.phase, self.progress) = (phase, progress);
            self.deadline.set(match phase {
                Phase::ClientSends => self.limits.progress_timeout,
                Phase::EndpointTakes | Phase::EndpointThinks => self.limits.response_timeout,
            });
        }
        self.deadline.poll(cx).map(|()| match phase {
            Phase::ClientSends => UpstreamError::Client(BodyError::TooSlow),
            Phase::EndpointTakes | Phase::EndpointThinks => UpstreamError::ResponseTimeout,
        })
    }
}
