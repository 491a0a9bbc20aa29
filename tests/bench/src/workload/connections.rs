//! One request per connection: what accepting, handshakes and closing cost.
//!
//! HAProxy serves no files; where it answers `/1k.bin` it does so from memory, by a rule.

use super::{Load, Run, TlsVersion, Workload, ours, peer, shown};
use crate::server::Kind;

/// Each connection lives for one request only, so a few at once keep a core busy.
const AT_ONCE: u32 = 32;

/// 1.5 times nginx's resumptions per second of CPU are two thirds of its CPU for each.
const RESUMPTIONS: &[Run] = &[ours("/1k.bin"), peer(Kind::Nginx, "/1k.bin", 0.67), shown(Kind::Haproxy, "/1k.bin")];

pub(super) const ALL: &[Workload] = &[
    Workload {
        name: "W9",
        what: "file 1 KiB, HTTP/1.1, a new connection for each request",
        load: Load::Connections { at_once: AT_ONCE },
        answer_bytes: 1024,
        runs: &[ours("/1k.bin"), peer(Kind::Nginx, "/1k.bin", 1.00)],
        syscalls_max: None,
        latency_max: None,
    },
    Workload {
        name: "W9p",
        what: "forwarded GET of 200 B, HTTP/1.1, a new connection for each request",
        load: Load::Connections { at_once: AT_ONCE },
        answer_bytes: 200,
        runs: &[ours("/api/item"), peer(Kind::Nginx, "/api/item", 0.95), peer(Kind::Haproxy, "/api/item", 0.95)],
        syscalls_max: None,
        latency_max: None,
    },
    Workload {
        name: "W9t",
        what: "1 KiB, a full TLS 1.3 handshake (ECDSA P-256, X25519) for each request",
        load: Load::Handshakes { at_once: AT_ONCE, version: TlsVersion::Tls13, resume: false },
        answer_bytes: 1024,
        runs: &[ours("/1k.bin"), peer(Kind::Nginx, "/1k.bin", 0.55), peer(Kind::Haproxy, "/1k.bin", 0.55)],
        syscalls_max: None,
        latency_max: None,
    },
    Workload {
        name: "R13",
        what: "1 KiB, a resumed TLS 1.3 session for each request; CPU per resumption",
        load: Load::Handshakes { at_once: AT_ONCE, version: TlsVersion::Tls13, resume: true },
        answer_bytes: 1024,
        runs: RESUMPTIONS,
        syscalls_max: None,
        latency_max: None,
    },
    Workload {
        name: "R12",
        what: "1 KiB, a resumed TLS 1.2 session for each request; CPU per resumption",
        load: Load::Handshakes { at_once: AT_ONCE, version: TlsVersion::Tls12, resume: true },
        answer_bytes: 1024,
        runs: RESUMPTIONS,
        syscalls_max: None,
        latency_max: None,
    },
];
