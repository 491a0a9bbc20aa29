//! What the retry loop tells an endpoint.

use http::{HeaderMap, StatusCode};
use std::time::Duration;
use tokio::time::Instant;

/// What became of one attempt at an endpoint. An attempt that its client has ended says nothing and is not told.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome<'a> {
    /// No connection could be made, or another address of the name had taken it while this one was silent.
    Unreachable,
    /// There was a connection, and no response in time or none at all.
    Failed,
    /// Another attempt beside it was answered first, so long after this one began.
    Outrun { after: Duration },
    /// The head of a response came now, so long after the request was handed over.
    Answered { status: StatusCode, headers: &'a HeaderMap, after: Duration, now: Instant },
}
