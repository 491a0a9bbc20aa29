//! The attempts of one request: where each went, what became of it, how long it took. Nothing here comes from outside:
//! endpoints are the configuration's, causes are texts of this program.

use super::escape::Escape;
use super::number::{push_milliseconds, push_number};
use crate::upstream::{Attempt, Why};
use std::time::Duration;

/// What is said of an attempt that was answered.
const ANSWERED: Why = Why::Cause("answered");

/// As a list of objects.
pub(super) fn json(out: &mut Vec<u8>, attempt: &Attempt) {
    let mut separator = b'[';
    each(attempt, |endpoint, why, took| {
        out.push(separator);
        separator = b',';
        out.extend_from_slice(b"{\"endpoint\":\"");
        Escape::Json.push(out, endpoint.as_bytes());
        out.extend_from_slice(b"\",\"cause\":\"");
        push_why(out, why);
        out.extend_from_slice(b"\",\"ms\":");
        push_milliseconds(out, took);
        out.push(b'}');
    });
    out.push(b']');
}

/// As `ENDPOINT CAUSE MS`, with commas between them.
pub(super) fn text(out: &mut Vec<u8>, attempt: &Attempt, escape: Escape) {
    let mut separator: &[u8] = b"";
    each(attempt, |endpoint, why, took| {
        out.extend_from_slice(separator);
        separator = b", ";
        escape.push(out, endpoint.as_bytes());
        out.push(b' ');
        push_why(out, why);
        out.push(b' ');
        push_milliseconds(out, took);
    });
}

fn each(attempt: &Attempt, mut tell: impl FnMut(&str, Why, Duration)) {
    for failed in &attempt.failures {
        tell(&failed.endpoint, failed.why, failed.took);
    }
    if let (Some(endpoint), Some(took)) = (&attempt.endpoint, attempt.answered_in()) {
        tell(endpoint, ANSWERED, took);
    }
}

fn push_why(out: &mut Vec<u8>, why: Why) {
    match why {
        Why::Cause(cause) => out.extend_from_slice(cause.as_bytes()),
        Why::Status(status) => push_number(out, u64::from(status.as_u16())),
    }
}
