//! Forwarded requests, against nginx and HAProxy; a target holds for the better of the two.

use super::{Load, Run, Workload, floor, ours, peer, plain, secure};
use crate::server::Kind;

/// Portcullis, nginx, HAProxy; then what else is shown.
macro_rules! proxies {
    ($path:expr, $target:expr $(, $more:expr)*) => {{
        const RUNS: &[Run] =
            &[ours($path), peer(Kind::Nginx, $path, $target), peer(Kind::Haproxy, $path, $target), $($more,)*];
        RUNS
    }};
}

pub(super) const ALL: &[Workload] = &[
    Workload {
        name: "W5",
        what: "forwarded GET of 200 B, HTTP/1.1 to HTTP/1.1, 64 connections",
        load: plain(64),
        answer_bytes: 200,
        runs: proxies!("/api/item", 0.92, floor(Kind::FloorForward, "/api/item")),
        syscalls_max: Some(4.15),
        latency_max: Some(1.1),
    },
    Workload {
        name: "W6",
        what: "forwarded GET of 200 B, TLS 1.3 and HTTP/2 to HTTP/1.1, 4 connections of 32 streams",
        load: Load::Http2 { connections: 4, streams: 32 },
        answer_bytes: 200,
        runs: proxies!("/api/item", 0.75),
        syscalls_max: None,
        latency_max: None,
    },
    Workload {
        name: "W6h",
        what: "forwarded GET of 200 B, TLS 1.3 and HTTP/1.1 to HTTP/1.1, 64 connections",
        load: secure(64),
        answer_bytes: 200,
        runs: proxies!("/api/item", 0.75),
        syscalls_max: None,
        latency_max: Some(1.1),
    },
    Workload {
        name: "W7",
        what: "forwarded POST of 64 KiB, echoed, HTTP/1.1, 8 connections",
        load: Load::Http1 { connections: 8, tls: false, post: true },
        answer_bytes: 64 * 1024,
        runs: proxies!("/api/echo", 0.95),
        syscalls_max: None,
        latency_max: None,
    },
    Workload {
        name: "W8",
        what: "forwarded download of 1 MiB, HTTP/1.1, 8 connections",
        load: plain(8),
        answer_bytes: 1024 * 1024,
        runs: proxies!("/api/download", 0.55),
        syscalls_max: None,
        latency_max: None,
    },
];
