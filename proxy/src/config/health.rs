//! When an endpoint is well, as the operator means it.

use http::StatusCode;
use std::time::Duration;

/// Active probes: how each endpoint is asked whether it is well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Path and query, asked by GET.
    pub path: String,
    /// Between two probes, less a little chance. Default 5 s.
    pub every: Duration,
    /// For one probe, from the connect to the last byte that is read. Default 2 s.
    pub timeout: Duration,
    /// The good statuses; empty, the default: 200 to 399.
    pub status: Vec<StatusCode>,
    /// What the first 64 KiB of the body must contain. Default: anything.
    pub body: Option<String>,
    /// Good probes in a row that bring one back. Default 2.
    pub rise: u32,
    /// Bad probes in a row that take one out. Default 3.
    pub fall: u32,
}

/// When an endpoint that fails requests gets none for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Eject {
    /// Failed requests in a row. Default 5.
    pub failures: u32,
    /// Good answers of 100 within ten seconds, if there were 20 answers. Default 50.
    pub success_percent_min: u32,
    /// How long the first time; twice as long each further time. Default 10 s.
    pub time: Duration,
    /// Endpoints of 100 that must stay. Default 50.
    pub survivors_percent_min: u32,
}
