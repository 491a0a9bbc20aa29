//! What happened on the way of one request, for the access log.

use super::error::UpstreamError;
use crate::metrics::HasWaited;
use http::StatusCode;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::Instant;

/// More failures of one request are not told one by one.
const TOLD_MAX: usize = 32;

/// What happened on the way, for the access log; filled in even when the request fails.
#[derive(Debug, Clone, Default)]
pub struct Attempt {
    /// How many endpoints or connections were tried.
    pub attempts: u32,
    /// The endpoint of the last one.
    pub endpoint: Option<Rc<str>>,
    /// How long it waited for an endpoint to be back, or for its turn.
    pub waited: Option<Duration>,
    /// How long the last connect took, when there was one.
    pub connect: Option<Duration>,
    /// From the start to the head of the response.
    pub first_byte: Option<Duration>,
    /// From the start to the end of the response, or to the failure.
    pub total: Option<Duration>,
    /// The attempts that came to nothing, in order; without memory while there is none.
    pub failures: Vec<Failed>,
    pub(super) has_waited: HasWaited,
    pub(super) started: Option<Instant>,
    /// When the last attempt began.
    pub(super) begun: Option<Instant>,
    /// Bytes of the request's body, or of the client's direction of a tunnel.
    pub(super) upload: Option<Rc<Cell<u64>>>,
}

/// An attempt that came to nothing.
#[derive(Debug, Clone)]
pub struct Failed {
    /// Where.
    pub endpoint: Rc<str>,
    /// Why.
    pub why: Why,
    /// How long it took.
    pub took: Duration,
}

/// Why an attempt came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// There was no answer.
    Cause(&'static str),
    /// There was one, with this status.
    Status(StatusCode),
}

/// Why an attempt came to nothing beside which another one was answered first.
pub(super) const OUTRUN: &str = "outrun";

impl Attempt {
    /// Notes the end of the response, or the failure; only the first one counts.
    pub fn ended(&mut self, now: Instant) {
        self.total = self.total.or_else(|| Some(now.saturating_duration_since(self.started?)));
    }

    /// Bytes of the request's body up to now.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.upload.as_ref().map_or(0, |bytes| bytes.get())
    }

    /// How long the last attempt took to the head of its answer.
    #[must_use]
    pub fn answered_in(&self) -> Option<Duration> {
        let (started, begun, first_byte) = (self.started?, self.begun?, self.first_byte?);
        Some(first_byte.saturating_sub(begun.saturating_duration_since(started)))
    }

    /// When the head of the response was there.
    pub(super) fn answered_at(&self) -> Option<Instant> {
        self.started?.checked_add(self.first_byte?)
    }

    /// The head of the response is there.
    pub(super) fn answered(&mut self, now: Instant) {
        self.first_byte = self.started.map(|started| now.saturating_duration_since(started));
    }

    /// An attempt begins at this endpoint.
    pub(super) fn begin(&mut self, endpoint: &Rc<str>, now: Instant) {
        self.attempts += 1;
        self.endpoint = Some(Rc::clone(endpoint));
        self.begun = Some(now);
    }

    /// The request was answered in another way while an attempt was under way, if one was.
    pub fn given_up(&mut self, why: &'static str) {
        if self.begun.is_some() && self.first_byte.is_none() {
            self.failed(Why::Cause(why));
        }
    }

    /// An attempt at another address of the same name, beside the last one, came to nothing.
    pub(super) fn failed_beside(&mut self, endpoint: &Rc<str>, begun: Instant, why: Why) {
        self.attempts += 1;
        if self.failures.len() < TOLD_MAX {
            self.failures.push(Failed { endpoint: Rc::clone(endpoint), why, took: begun.elapsed() });
        }
    }

    /// For an attempt beside this one, of the same request.
    pub(super) fn beside(&self) -> Self {
        Self { started: self.started, ..Self::default() }
    }

    /// Takes in what happened in an attempt beside this one that came to nothing.
    pub(super) fn take_in(&mut self, other: Self) {
        self.attempts += other.attempts;
        let room = TOLD_MAX.saturating_sub(self.failures.len());
        self.failures.extend(other.failures.into_iter().take(room));
    }

    /// Goes on as the attempt beside this one, which is the one that counts.
    pub(super) fn become_other(&mut self, other: Self) {
        let Self { attempts: _, endpoint, waited: _, connect, first_byte, total: _, failures: _, begun, .. } = &other;
        self.endpoint.clone_from(endpoint);
        (self.connect, self.first_byte, self.begun) = (*connect, *first_byte, *begun);
        self.take_in(other);
    }

    /// The last attempt came to nothing.
    pub(super) fn failed(&mut self, why: Why) {
        if let (Some(endpoint), Some(begun)) = (&self.endpoint, self.begun)
            && self.failures.len() < TOLD_MAX
        {
            self.failures.push(Failed { endpoint: Rc::clone(endpoint), why, took: begun.elapsed() });
        }
        self.begun = None;
    }
}

impl From<&UpstreamError> for Why {
    fn from(error: &UpstreamError) -> Self {
        Self::Cause(error.label())
    }
}
