//! Tokens checked at the edge, against HAProxy's `jwt_verify` and nginx with `auth_request`.
//!
//! The validator behind nginx comes in two: one that verifies each token, as HAProxy does, which the targets are for,
//! and one that remembers good tokens, as we do.

use super::{Against, Run, Token, Workload, ours, peer, plain};
use crate::server::Kind;
use crate::tokens::Algorithm;

/// As many as are in use at once on a busy site.
const MANY: usize = 10_000;
/// Asked in turn these are more than any cache here keeps, so that each is a stranger whenever it comes.
const COLD: usize = 30_000;

const fn with(run: Run, algorithm: Algorithm, distinct: usize) -> Run {
    Run { token: Some(Token { algorithm, distinct }), ..run }
}

const fn beside(run: Run, note: &'static str) -> Run {
    Run {
        note,
        against: match run.against {
            Against::Nothing => Against::Nothing,
            Against::Without { adds_us_max } => Against::Without { adds_us_max },
            Against::Bare { target } => Against::Bare { target },
            Against::Floor => Against::Floor,
            Against::Peer { .. } => Against::Peer { target: None },
        },
        ..run
    }
}

/// The same request on a public route.
const fn without_a_token(path: &'static str) -> Run {
    Run { note: "no token needed", against: Against::Without { adds_us_max: 2.0 }, ..ours(path) }
}

/// Portcullis, HAProxy, nginx with both validators; then what is only shown.
macro_rules! guarded {
    ($algorithm:ident, $path:literal, $distinct:expr, $haproxy:expr, $nginx:expr $(, $more:expr)*) => {{
        const TOKEN: (Algorithm, usize) = (Algorithm::$algorithm, $distinct);
        const RUNS: &[Run] = &[
            with(ours($path), TOKEN.0, TOKEN.1),
            with(peer(Kind::Haproxy, $path, $haproxy), TOKEN.0, TOKEN.1),
            with(peer(Kind::AuthRequest, $path, $nginx), TOKEN.0, TOKEN.1),
            with(
                beside(peer(Kind::AuthRequest, concat!("/cached", $path), 1.0), "validator with a cache"),
                TOKEN.0,
                TOKEN.1,
            ),
            $($more,)*
        ];
        RUNS
    }};
}

/// Portcullis, HAProxy.
macro_rules! cold {
    ($algorithm:ident, $path:literal, $target:expr) => {{
        const RUNS: &[Run] = &[
            with(ours($path), Algorithm::$algorithm, COLD),
            with(peer(Kind::Haproxy, $path, $target), Algorithm::$algorithm, COLD),
        ];
        RUNS
    }};
}

const fn get(name: &'static str, what: &'static str, runs: &'static [Run]) -> Workload {
    Workload { name, what, load: plain(64), answer_bytes: 200, runs, syscalls_max: None, latency_max: None }
}

pub(super) const ALL: &[Workload] = &[
    get(
        "W10-HS256",
        "forwarded GET of 200 B, one HS256 token again and again, 64 connections",
        guarded!(
            Hs256,
            "/hs256/item",
            1,
            0.50,
            0.50,
            with(beside(ours("/eddsa/item"), "EdDSA"), Algorithm::EdDsa, 1),
            without_a_token("/api/item")
        ),
    ),
    get("W10-ES256", "the same with ES256", guarded!(Es256, "/es256/item", 1, 0.13, 0.15)),
    get("W10-RS256", "the same with RS256", guarded!(Rs256, "/rs256/item", 1, 0.30, 0.25)),
    get("W10-HS256-10k", "10,000 HS256 tokens in turn", guarded!(Hs256, "/hs256/item", MANY, 0.50, 0.50)),
    get("W10-ES256-10k", "10,000 ES256 tokens in turn", guarded!(Es256, "/es256/item", MANY, 0.13, 0.15)),
    get("W10-RS256-10k", "10,000 RS256 tokens in turn", guarded!(Rs256, "/rs256/item", MANY, 0.30, 0.25)),
    get("W10-HS256-cold", "HS256, every token a stranger", cold!(Hs256, "/hs256/item", 0.62)),
    get("W10-ES256-cold", "ES256, every token a stranger", cold!(Es256, "/es256/item", 0.80)),
    get("W10-RS256-cold", "RS256, every token a stranger", cold!(Rs256, "/rs256/item", 0.80)),
];
