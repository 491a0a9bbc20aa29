//! What is sent again, how much an upstream is given, what waits, and what is given up.

use http::StatusCode;
use std::num::NonZeroUsize;
use std::time::Duration;

/// What of a route's requests is sent again when it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// After which failures. Default connect and reset.
    pub on: Vec<RetryCause>,
    /// Attempts at most, the first one too. Default 2.
    pub attempts_max: u32,
    /// In the place of the route's `response_timeout`, for each attempt. `None`, the default: that one.
    pub per_try_timeout: Option<Duration>,
    /// When a second attempt begins beside the first. `None`, the default: never.
    pub hedge: Option<HedgeAfter>,
}

/// After how long without an answer a second attempt begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HedgeAfter {
    /// After this time.
    Time(Duration),
    /// After longer than this many of a hundred attempts of the route take; 50 to 99.
    Percentile(u32),
}

/// A failure after which a request may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryCause {
    /// No connection could be made, so nothing was sent.
    Connect,
    /// The connection ended before a byte of an answer.
    Reset,
    /// The head of the answer did not come in time.
    Timeout,
    /// The answer has this status.
    Status(StatusCode),
}

/// How much of an upstream's traffic may be attempts that follow a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryBudget {
    /// For each hundred requests. Default 20.
    pub percent: u32,
    /// In each second, however little else is sent. Default 10.
    pub per_second_min: u32,
}

impl RetryBudget {
    /// Where nothing is written.
    pub const DEFAULT: Self = Self { percent: 20, per_second_min: 10 };
}

/// How much an upstream is given at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Requests in flight at all endpoints together. `None`, the default: no limit.
    pub in_flight_max: Option<InFlight>,
    /// Requests in flight at each endpoint. `None`, the default: what it tells over the link, if it does.
    pub in_flight_per_endpoint_max: Option<NonZeroUsize>,
    /// Requests that wait for a place. Default 100.
    pub queue_max: usize,
    /// How long they wait. Default 1 s.
    pub queue_timeout: Duration,
}

/// How many requests may be in flight at an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InFlight {
    /// So many.
    Fixed(NonZeroUsize),
    /// As many as it answers without a queue.
    Adaptive(Adaptive),
}

impl InFlight {
    /// The most that it can be.
    #[must_use]
    pub const fn most(self) -> NonZeroUsize {
        match self {
            Self::Fixed(number) => number,
            Self::Adaptive(Adaptive { min: _, max }) => max,
        }
    }
}

/// The bounds of a limit that follows from how long answers take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adaptive {
    /// The least, with which it begins. Default 8.
    pub min: NonZeroUsize,
    /// The most. Default 1000.
    pub max: NonZeroUsize,
}

impl Adaptive {
    /// Where nothing is written but that there is one.
    pub const DEFAULT: Self =
        Self { min: NonZeroUsize::MIN.saturating_add(7), max: NonZeroUsize::MIN.saturating_add(999) };
}

/// When an endpoint that fails is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// Failures in a row. Default 5.
    pub failures_max: u32,
    /// For how long nothing is sent to it then. Default 5 s.
    pub open_for: Duration,
}

/// How many requests wait for an upstream none of whose endpoints takes any, but which is expected back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Park {
    /// At once. Default 1000.
    pub requests_max: usize,
    /// Bytes of their bodies. Default 16 MiB.
    pub bytes_max: u64,
    /// Each of them. Default 10 s.
    pub timeout: Duration,
    /// An upstream is expected back for so long after its last answer. Default 30 s.
    pub expected_for: Duration,
}

impl Park {
    /// Where nothing is written but that requests wait.
    pub const DEFAULT: Self = Self {
        requests_max: 1000,
        bytes_max: 16 << 20,
        timeout: Duration::from_secs(10),
        expected_for: Duration::from_secs(30),
    };
}

impl Limits {
    /// Where nothing is written: only what endpoints tell of themselves counts.
    pub const DEFAULT: Self = Self {
        in_flight_max: None,
        in_flight_per_endpoint_max: None,
        queue_max: 100,
        queue_timeout: Duration::from_secs(1),
    };
}

/// When the process gives up what, in hundredths of the memory that it may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overload {
    /// How much it may use. `None`, the default: what its control group may.
    pub memory_bytes_max: Option<u64>,
    /// Connections over HTTP/1.1 end after their answer. Default 80.
    pub close_connections_at: u32,
    /// Requests over HTTP/1.1 are answered 503, streams of HTTP/2 refused. Default 90.
    pub refuse_requests_at: u32,
    /// Connections are refused. Default 95.
    pub refuse_connections_at: u32,
}
