//! What is measured: one table, in the order of the results.

use crate::server::Kind;

/// Who asks for what, and how.
#[derive(Debug)]
pub(crate) struct Workload {
    /// Short name.
    pub(crate) name: &'static str,
    /// For the reader of the table.
    pub(crate) what: &'static str,
    /// The shape of the load.
    pub(crate) load: Load,
    /// Bytes of a right answer's body.
    pub(crate) answer_bytes: u64,
    /// Who takes part; the first is measured against the others.
    pub(crate) runs: &'static [Run],
    /// CPU per request of the first, as a share of the best peer's.
    pub(crate) target: Option<f64>,
    /// System calls per request of the first.
    pub(crate) syscalls_max: Option<f64>,
}

/// The shape of a load.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Load {
    /// wrk: keep-alive connections.
    Http1 { connections: u32, tls: bool, post: bool },
    /// h2load over TLS.
    Http2 { connections: u32, streams: u32 },
}

impl Load {
    pub(crate) const fn tls(self) -> bool {
        matches!(self, Self::Http2 { .. } | Self::Http1 { tls: true, .. })
    }
}

/// One server's part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) server: Kind,
    pub(crate) path: &'static str,
    pub(crate) token: Option<Token>,
    /// Counts as a peer: what the first is compared with.
    pub(crate) is_peer: bool,
}

/// Which token the requests carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    Hs256,
    EdDsa,
}

const fn ours(path: &'static str, token: Option<Token>) -> Run {
    Run { server: Kind::Portcullis, path, token, is_peer: false }
}

const fn peer(server: Kind, path: &'static str, token: Option<Token>) -> Run {
    Run { server, path, token, is_peer: true }
}

/// Portcullis, nginx.
macro_rules! files {
    ($path:expr) => {
        &[ours($path, None), peer(Kind::Nginx, $path, None)]
    };
}

/// Portcullis, nginx, HAProxy.
macro_rules! proxies {
    ($path:expr) => {
        &[ours($path, None), peer(Kind::Nginx, $path, None), peer(Kind::Haproxy, $path, None)]
    };
}

const PLAIN: Load = Load::Http1 { connections: 64, tls: false, post: false };
/// Fewer connections where answers are large: what is under way at the end of a slice is work that nobody counts.
const PLAIN_FEW: Load = Load::Http1 { connections: 8, tls: false, post: false };
const STREAMS: Load = Load::Http2 { connections: 4, streams: 32 };

/// `make bench-static`.
pub(crate) const STATIC: &[Workload] = &[
    Workload {
        name: "W1",
        what: "file 1 KiB, HTTP/1.1 keep-alive, 64 connections",
        load: PLAIN,
        answer_bytes: 1024,
        runs: files!("/1k.bin"),
        target: Some(0.80),
        syscalls_max: Some(2.1),
    },
    Workload {
        name: "W2",
        what: "file 100 KiB, HTTP/1.1, 64 connections",
        load: PLAIN,
        answer_bytes: 100 * 1024,
        runs: files!("/100k.bin"),
        target: Some(0.50),
        syscalls_max: None,
    },
    Workload {
        name: "W3",
        what: "file 10 MiB, HTTP/1.1, 8 connections",
        load: PLAIN_FEW,
        answer_bytes: 10 * 1024 * 1024,
        runs: files!("/10m.bin"),
        target: Some(0.70),
        syscalls_max: None,
    },
    Workload {
        name: "W4",
        what: "file 1 KiB, TLS 1.3 and HTTP/2, 4 connections of 32 streams",
        load: STREAMS,
        answer_bytes: 1024,
        runs: files!("/1k.bin"),
        target: Some(0.50),
        syscalls_max: Some(0.15),
    },
    Workload {
        name: "W4h",
        what: "file 1 KiB, TLS 1.3 and HTTP/1.1, 64 connections",
        load: Load::Http1 { connections: 64, tls: true, post: false },
        answer_bytes: 1024,
        runs: files!("/1k.bin"),
        target: Some(0.70),
        syscalls_max: None,
    },
];

/// `make bench-proxy`.
pub(crate) const PROXY: &[Workload] = &[
    Workload {
        name: "W5",
        what: "forwarded GET of 200 B, HTTP/1.1 to HTTP/1.1, 64 connections",
        load: PLAIN,
        answer_bytes: 200,
        runs: proxies!("/api/item"),
        target: Some(0.92),
        syscalls_max: Some(4.15),
    },
    Workload {
        name: "W6",
        what: "forwarded GET of 200 B, TLS 1.3 and HTTP/2 to HTTP/1.1, 4 connections of 32 streams",
        load: STREAMS,
        answer_bytes: 200,
        runs: proxies!("/api/item"),
        target: Some(0.75),
        syscalls_max: None,
    },
    Workload {
        name: "W7",
        what: "forwarded POST of 64 KiB, echoed, HTTP/1.1, 8 connections",
        load: Load::Http1 { connections: 8, tls: false, post: true },
        answer_bytes: 64 * 1024,
        runs: proxies!("/api/echo"),
        target: Some(0.95),
        syscalls_max: None,
    },
    Workload {
        name: "W8",
        what: "forwarded download of 1 MiB, HTTP/1.1, 8 connections",
        load: PLAIN_FEW,
        answer_bytes: 1024 * 1024,
        runs: proxies!("/api/download"),
        target: Some(0.55),
        syscalls_max: None,
    },
    Workload {
        name: "W10",
        what: "forwarded GET of 200 B, one token checked again and again, HTTP/1.1, 64 connections",
        load: PLAIN,
        answer_bytes: 200,
        runs: &[
            ours("/hs256/item", Some(Token::Hs256)),
            peer(Kind::Haproxy, "/hs256/item", Some(Token::Hs256)),
            ours("/eddsa/item", Some(Token::EdDsa)),
            ours("/api/item", None),
        ],
        target: Some(0.50),
        syscalls_max: None,
    },
];
