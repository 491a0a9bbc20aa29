//! What of a route's requests is sent again when it failed.

use super::error::UpstreamError;
use super::percentile::Percentile;
use crate::config::{self, HedgeAfter, RetryCause};
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use std::time::Duration;

/// What may follow a failure.
#[derive(Debug)]
pub struct RetryPolicy {
    connect: bool,
    reset: bool,
    timeout: bool,
    statuses: Box<[StatusCode]>,
    pub(super) attempts_max: u32,
    pub(super) per_try_timeout: Option<Duration>,
    pub(super) hedge: Option<Hedge>,
}

/// When a second attempt begins beside the first.
#[derive(Debug)]
pub(super) enum Hedge {
    /// After so long without an answer.
    After(Duration),
    /// After longer than so many of a hundred attempts take.
    Beyond(Box<Percentile>),
}

impl Hedge {
    fn new(after: HedgeAfter) -> Self {
        match after {
            HedgeAfter::Time(time) => Self::After(time),
            HedgeAfter::Percentile(percent) => Self::Beyond(Box::new(Percentile::new(percent))),
        }
    }

    /// After how long; `None`: that is not known yet.
    pub(super) fn after(&self) -> Option<Duration> {
        match self {
            Self::After(time) => Some(*time),
            Self::Beyond(percentile) => percentile.known(),
        }
    }

    /// Takes in that a first attempt took so long, or longer.
    pub(super) fn saw(&self, took: Duration) {
        if let Self::Beyond(percentile) = self {
            percentile.saw(took);
        }
    }
}

impl RetryPolicy {
    /// As the operator wants it.
    #[must_use]
    pub fn new(retry: &config::Retry) -> Self {
        let config::Retry { on, attempts_max, per_try_timeout, hedge } = retry;
        let status = |cause: &RetryCause| match cause {
            RetryCause::Status(status) => Some(*status),
            RetryCause::Connect | RetryCause::Reset | RetryCause::Timeout => None,
        };
        Self {
            connect: on.contains(&RetryCause::Connect),
            reset: on.contains(&RetryCause::Reset),
            timeout: on.contains(&RetryCause::Timeout),
            statuses: on.iter().filter_map(status).collect(),
            attempts_max: *attempts_max,
            per_try_timeout: *per_try_timeout,
            hedge: hedge.map(Hedge::new),
        }
    }

    /// Whether another attempt may follow this failure. `unsent`: the endpoint has certainly seen nothing of the
    /// request. `silent`: not a byte of an answer came. `idempotent`: it may be sent twice (RFC 9110 section 9.2.2).
    pub(super) const fn covers(&self, error: &UpstreamError, failure: Failure) -> bool {
        let Failure { unsent, silent, idempotent } = failure;
        match error {
            UpstreamError::Resolve(_)
            | UpstreamError::Connect(_)
            | UpstreamError::ConnectTimeout
            | UpstreamError::Busy => self.connect && (unsent || idempotent),
            UpstreamError::Reset(_) | UpstreamError::StreamReset(_) => self.reset && silent && (unsent || idempotent),
            UpstreamError::ResponseTimeout => self.timeout && silent && idempotent,
            UpstreamError::NotBack
            | UpstreamError::ParkFull
            | UpstreamError::Full
            | UpstreamError::QueueFull
            | UpstreamError::QueueTimeout
            | UpstreamError::Shed
            | UpstreamError::CircuitOpen(_)
            | UpstreamError::Tls(_)
            | UpstreamError::Malformed(_)
            | UpstreamError::StreamMalformed(_)
            | UpstreamError::Client(_) => false,
        }
    }

    /// Whether another attempt may follow an answer with this status.
    pub(super) fn covers_status(&self, status: StatusCode) -> bool {
        self.statuses.contains(&status)
    }
}

/// How far a failed attempt had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure {
    /// The endpoint has seen nothing of the request.
    pub(super) unsent: bool,
    /// Not a byte of an answer came.
    pub(super) silent: bool,
    /// The request may be sent twice.
    pub(super) idempotent: bool,
}

/// How long the upstream wants not to be asked (RFC 9110 section 10.2.3), where it says so in seconds. A date would need
/// its clock to be ours.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn policy(on: &[RetryCause]) -> RetryPolicy {
        RetryPolicy::new(&config::Retry { on: on.to_vec(), attempts_max: 2, per_try_timeout: None, hedge: None })
    }

    #[test]
    fn only_what_had_no_effect_or_may_have_it_twice_is_sent_again() {
        let all = policy(&[RetryCause::Connect, RetryCause::Reset, RetryCause::Timeout]);
        let broken = || io::Error::from(io::ErrorKind::ConnectionReset);
        // Unsent, silent, idempotent.
        for (error, covered) in [
            (UpstreamError::Connect(broken()), [true, true, true, false]),
            (UpstreamError::Resolve(broken()), [true, true, true, false]),
            (UpstreamError::ConnectTimeout, [true, true, true, false]),
            (UpstreamError::Busy, [true, true, true, false]),
            (UpstreamError::Reset(broken()), [true, true, false, false]),
            (UpstreamError::ResponseTimeout, [false, true, false, false]),
            (UpstreamError::Malformed("no"), [false, false, false, false]),
            (UpstreamError::Tls(broken()), [false, false, false, false]),
        ] {
            let cases = [(true, true, false), (false, true, true), (false, false, true), (false, true, false)];
            let found = cases.map(|(unsent, silent, idempotent)| {
                let none = policy(&[RetryCause::Status(StatusCode::BAD_GATEWAY)]);
                let failure = Failure { unsent, silent, idempotent };
                assert!(!none.covers(&error, failure), "{error}");
                all.covers(&error, failure)
            });
            assert_eq!(found, covered, "{error}");
        }
    }

    #[test]
    fn statuses_are_those_that_are_named() {
        let policy = policy(&[RetryCause::Connect, RetryCause::Status(StatusCode::BAD_GATEWAY)]);
        assert!(policy.covers_status(StatusCode::BAD_GATEWAY));
        assert!(!policy.covers_status(StatusCode::SERVICE_UNAVAILABLE));
    }

    #[test]
    fn seconds_are_understood_and_dates_are_not() {
        for (value, wanted) in [
            ("3", Some(3)),
            (" 120 ", Some(120)),
            ("-1", None),
            ("1.5", None),
            ("Fri, 31 Dec 1999 23:59:59 GMT", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().expect("a value"))]);
            assert_eq!(retry_after(&headers), wanted.map(Duration::from_secs), "{value:?}");
        }
    }
}
