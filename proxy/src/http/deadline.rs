//! The time that a request has, from its head on: set here once, reduced by everything that takes some.

use super::body::ProxyBody;
use super::context::RequestContext;
use super::error::Cause;
use http::{HeaderMap, Response};
use serve::contract::deadline::{X_REQUEST_TIMEOUT, read};
use serve::timer::{self, Deadline};
use std::time::Duration;
use tokio::time::Instant;

/// What a trusted peer says of the time that is left. Nobody else may say so, and neither word goes on as it is.
pub(super) fn take(headers: &mut HeaderMap, context: &RequestContext) -> Option<Duration> {
    if !headers.contains_key(&X_REQUEST_TIMEOUT) {
        return None;
    }
    let told = context.peer_trusted.then(|| read(headers)).flatten();
    headers.remove(&X_REQUEST_TIMEOUT);
    told
}

/// How much time a request has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Budget {
    /// To the end of the response.
    pub(super) total: Option<Duration>,
    /// To its head.
    pub(super) head: Option<Duration>,
}

impl Budget {
    /// Until when there must be the head of a response to a request that came at `started`.
    pub(super) fn deadline(self, started: Instant) -> Option<Instant> {
        [self.total, self.head].into_iter().flatten().min().and_then(|limit| started.checked_add(limit))
    }

    /// Answers within the time that is left.
    pub(super) async fn within(
        self,
        started: Instant,
        acting: impl Future<Output = Result<Response<ProxyBody>, Cause>>,
    ) -> Result<Response<ProxyBody>, Cause> {
        let left = |limit: Duration| limit.saturating_sub(started.elapsed());
        let Some(at) = self.deadline(started) else { return acting.await };
        let answered = timer::timeout_at(at, acting).await;
        let late = if self.head.is_some_and(|head| self.total.is_none_or(|total| head < total)) {
            Cause::Deadline
        } else {
            Cause::TotalTimeout
        };
        let mut response = answered.map_err(|_| late)??;
        if let Some(total) = self.total {
            response.body_mut().set_deadline(Deadline::after(left(total)));
        }
        Ok(response)
    }
}
