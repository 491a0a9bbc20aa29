//! Files, against nginx; h2o stands beside them, the fastest of all where answers over HTTP/2 are small.

use super::{Load, Run, Workload, floor, ours, peer, plain, secure, shown};
use crate::server::Kind;
use crate::twins::Coding;

/// Portcullis, nginx, h2o; then what else is shown.
macro_rules! files {
    ($path:expr, $target:expr $(, $more:expr)*) => {{
        const RUNS: &[Run] =
            &[ours($path), peer(Kind::Nginx, $path, $target), shown(Kind::H2o, $path), $($more,)*];
        RUNS
    }};
}

const fn twin(run: Run, coding: Coding) -> Run {
    Run { coding: Some(coding), ..run }
}

/// The same, of a twin, and the floor, which knows files only.
macro_rules! twins {
    ($coding:expr, $file:expr, $target:expr) => {{
        const PATH: &str = "/packed/page.html";
        const RUNS: &[Run] = &[
            twin(ours(PATH), $coding),
            twin(peer(Kind::Nginx, PATH, $target), $coding),
            twin(shown(Kind::H2o, PATH), $coding),
            twin(floor(Kind::FloorFiles, $file), $coding),
        ];
        RUNS
    }};
}

pub(super) const ALL: &[Workload] = &[
    Workload {
        name: "W1",
        what: "file 1 KiB, HTTP/1.1 keep-alive, 64 connections",
        load: plain(64),
        answer_bytes: 1024,
        runs: files!("/1k.bin", 0.80, floor(Kind::FloorFiles, "/1k.bin")),
        syscalls_max: Some(2.1),
        latency_max: Some(1.1),
    },
    Workload {
        name: "W2",
        what: "file 100 KiB, HTTP/1.1, 64 connections",
        load: plain(64),
        answer_bytes: 100 * 1024,
        runs: files!("/100k.bin", 0.50, floor(Kind::FloorFiles, "/100k.bin")),
        syscalls_max: None,
        latency_max: None,
    },
    // Fewer connections where answers are large: what is under way at the end of a slice is work that nobody counts.
    Workload {
        name: "W3",
        what: "file 10 MiB, HTTP/1.1, 8 connections",
        load: plain(8),
        answer_bytes: 10 * 1024 * 1024,
        runs: files!("/10m.bin", 0.70, floor(Kind::FloorFiles, "/10m.bin")),
        syscalls_max: None,
        latency_max: None,
    },
    Workload {
        name: "W3t",
        what: "file 10 MiB, TLS 1.3 and HTTP/1.1, 8 connections",
        load: secure(8),
        answer_bytes: 10 * 1024 * 1024,
        runs: files!("/10m.bin", 0.55),
        syscalls_max: None,
        latency_max: None,
    },
    Workload {
        name: "W4",
        what: "file 1 KiB, TLS 1.3 and HTTP/2, 4 connections of 32 streams",
        load: Load::Http2 { connections: 4, streams: 32 },
        answer_bytes: 1024,
        runs: files!("/1k.bin", 0.50),
        syscalls_max: Some(0.15),
        latency_max: None,
    },
    Workload {
        name: "W4b",
        what: "file 100 KiB, TLS 1.3 and HTTP/2, 4 connections of 8 streams",
        load: Load::Http2 { connections: 4, streams: 8 },
        answer_bytes: 100 * 1024,
        runs: files!("/100k.bin", 0.55),
        syscalls_max: None,
        latency_max: None,
    },
    Workload {
        name: "W4h",
        what: "file 1 KiB, TLS 1.3 and HTTP/1.1, 64 connections",
        load: secure(64),
        answer_bytes: 1024,
        runs: files!("/1k.bin", 0.70),
        syscalls_max: None,
        latency_max: Some(1.1),
    },
    Workload {
        name: "W1g",
        what: "page of 1 KiB, compressed beforehand with gzip, HTTP/1.1 keep-alive, 64 connections",
        load: plain(64),
        answer_bytes: 1024,
        runs: twins!(Coding::Gzip, "/packed/page.html.gz", 0.80),
        syscalls_max: None,
        latency_max: None,
    },
    Workload {
        name: "W1b",
        what: "page of 1 KiB, compressed beforehand with Brotli, HTTP/1.1 keep-alive, 64 connections",
        load: plain(64),
        answer_bytes: 1024,
        runs: twins!(Coding::Brotli, "/packed/page.html.br", 0.80),
        syscalls_max: None,
        latency_max: None,
    },
];
