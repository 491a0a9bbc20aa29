//! What is measured: tables, in the order of the results.

mod connections;
mod files;
mod forwarding;
mod resilience;
mod tokens;

use crate::server::Kind;
use crate::tokens::Algorithm;
use crate::twins::Coding;

/// `make bench-static`.
pub(crate) const STATIC: &[&[Workload]] = &[files::ALL];
/// `make bench-proxy`.
pub(crate) const PROXY: &[&[Workload]] = &[forwarding::ALL, connections::ALL, resilience::ALL, tokens::ALL];

/// Who asks for what, and how.
#[derive(Debug)]
pub(crate) struct Workload {
    /// Short name; what stands before a `-` names a family.
    pub(crate) name: &'static str,
    /// For the reader of the table.
    pub(crate) what: &'static str,
    /// The shape of the load.
    pub(crate) load: Load,
    /// Bytes of a right answer's body; where a run asks for a twin, of the file that it is a twin of.
    pub(crate) answer_bytes: u64,
    /// Who takes part; the first is measured against the others.
    pub(crate) runs: &'static [Run],
    /// System calls per request of the first; where it is missing they are not counted.
    pub(crate) syscalls_max: Option<f64>,
    /// The 99th percentile of the first at half of nginx's rate, as a share of nginx's; where it is missing, latency is
    /// not measured.
    pub(crate) latency_max: Option<f64>,
}

/// The shape of a load.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Load {
    /// wrk: keep-alive connections.
    Http1 { connections: u32, tls: bool, post: bool },
    /// h2load over TLS.
    Http2 { connections: u32, streams: u32 },
    /// wrk: a new connection for each request.
    Connections { at_once: u32 },
    /// The benchmark's own generator: a new TLS connection for each request.
    Handshakes { at_once: u32, version: TlsVersion, resume: bool },
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TlsVersion {
    Tls12,
    Tls13,
}

impl Load {
    pub(crate) const fn tls(self) -> bool {
        matches!(self, Self::Http2 { .. } | Self::Http1 { tls: true, .. } | Self::Handshakes { .. })
    }
}

/// One server's part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Run {
    pub(crate) server: Kind,
    /// What is special, for the table.
    pub(crate) note: &'static str,
    pub(crate) path: &'static str,
    pub(crate) token: Option<Token>,
    /// The twin that is asked for.
    pub(crate) coding: Option<Coding>,
    pub(crate) against: Against,
}

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Against {
    /// Not compared: ours, the first of the runs, and what only helps to read its number.
    Nothing,
    /// A peer; with the share of its CPU per request that ours may need.
    Peer { target: Option<f64> },
    /// Ours without what is measured; with the microseconds of CPU per request that this may add.
    Without { adds_us_max: f64 },
    /// Ours without what is measured; with the share of its CPU per request that ours may need.
    Bare { target: f64 },
    /// What nobody who uses the same system calls can undercut.
    Floor,
}

/// Which tokens the requests carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) algorithm: Algorithm,
    /// How many different ones, in turn.
    pub(crate) distinct: usize,
}

impl Workload {
    /// Whether a name on the command line means this one: its own, or its family's.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.name == name || self.name.split_once('-').is_some_and(|(family, _)| family == name)
    }
}

const fn ours(path: &'static str) -> Run {
    Run { server: Kind::Portcullis, note: "", path, token: None, coding: None, against: Against::Nothing }
}

const fn peer(server: Kind, path: &'static str, target: f64) -> Run {
    Run { server, against: Against::Peer { target: Some(target) }, ..ours(path) }
}

/// A peer without a target, to be seen beside the others.
const fn shown(server: Kind, path: &'static str) -> Run {
    Run { server, against: Against::Peer { target: None }, ..ours(path) }
}

const fn floor(server: Kind, path: &'static str) -> Run {
    Run { server, against: Against::Floor, ..ours(path) }
}

const fn plain(connections: u32) -> Load {
    Load::Http1 { connections, tls: false, post: false }
}

const fn secure(connections: u32) -> Load {
    Load::Http1 { connections, tls: true, post: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_only_the_first_run_is_measured_against_others() {
        let all: Vec<&Workload> = STATIC.iter().chain(PROXY).flat_map(|table| table.iter()).collect();
        for (index, one) in all.iter().enumerate() {
            assert!(all[..index].iter().all(|other| other.name != one.name), "{} twice", one.name);
            assert!(one.runs[0].server.is_ours(), "{}", one.name);
            assert_eq!(one.runs[0].against, Against::Nothing, "{}", one.name);
            assert!(one.runs.iter().any(|run| run.against != Against::Nothing), "{} has no peer", one.name);
        }
    }

    #[test]
    fn a_floor_stands_behind_the_peers() {
        for one in STATIC.iter().chain(PROXY).flat_map(|table| table.iter()) {
            let floors: Vec<usize> = (0..one.runs.len()).filter(|at| one.runs[*at].against == Against::Floor).collect();
            assert!(floors.is_empty() || floors == [one.runs.len() - 1], "{}", one.name);
            // It has portcullis' own answers and no keys.
            assert!(floors.is_empty() || one.runs[0].server == Kind::Portcullis && !one.load.tls(), "{}", one.name);
            let marked = one.runs.iter().filter(|run| run.server.is_floor()).count();
            assert_eq!(marked, floors.len(), "{}", one.name);
        }
    }

    #[test]
    fn a_family_is_named_by_what_its_names_begin_with() {
        let named = |name| tokens::ALL.iter().filter(|one| one.is_named(name)).count();
        assert_eq!(named("W10"), tokens::ALL.len());
        assert_eq!(named("W10-HS256"), 1);
        assert_eq!(named("W1"), 0);
    }
}
