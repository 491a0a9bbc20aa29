//! What it costs to lose no request: ours with everything on, over two endpoints that are well, against ours with one
//! endpoint and nothing that watches over it.

use super::{Against, Run, Workload, ours, plain};
use crate::server::Kind;

const PATH: &str = "/api/item";

pub(super) const ALL: &[Workload] = &[Workload {
    name: "W11",
    what: "forwarded GET of 200 B, HTTP/1.1 to HTTP/1.1, 64 connections; balance by latency, probes, ejection, retries, \
           limits and queue, breaker, parking, slow start, deadline, overload",
    load: plain(64),
    answer_bytes: 200,
    runs: &[
        Run { server: Kind::Resilient, note: "two endpoints, everything on", ..ours(PATH) },
        Run { server: Kind::Bare, note: "one bare endpoint", against: Against::Bare { target: 1.05 }, ..ours(PATH) },
    ],
    syscalls_max: None,
    latency_max: None,
}];
