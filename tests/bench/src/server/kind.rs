//! Which servers there are, and what they say of themselves.

use super::nginx;
use crate::ground::Ground;
use crate::machine;
use crate::twins::Coding;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Portcullis,
    /// Ours with one endpoint and nothing that watches over it.
    Bare,
    /// Ours with two endpoints and everything that keeps requests from being lost.
    Resilient,
    Nginx,
    H2o,
    Haproxy,
    /// nginx with a validator of tokens behind `auth_request`.
    AuthRequest,
    /// Bare system calls that send files.
    FloorFiles,
    /// Bare system calls that forward.
    FloorForward,
}

impl Kind {
    /// All of them; ours first, whose answers the floor repeats.
    pub(crate) const ALL: [Self; 9] = [
        Self::Portcullis,
        Self::Bare,
        Self::Resilient,
        Self::Nginx,
        Self::H2o,
        Self::Haproxy,
        Self::AuthRequest,
        Self::FloorFiles,
        Self::FloorForward,
    ];

    /// As its makers write it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Portcullis | Self::Bare | Self::Resilient => "portcullis",
            Self::Nginx => "nginx",
            Self::H2o => "h2o",
            Self::Haproxy => "HAProxy",
            Self::AuthRequest => "nginx with auth_request",
            Self::FloorFiles | Self::FloorForward => "floor: bare system calls",
        }
    }

    /// What is measured, in whichever configuration.
    #[cfg(test)]
    pub(crate) const fn is_ours(self) -> bool {
        matches!(self, Self::Portcullis | Self::Bare | Self::Resilient)
    }

    /// Whether it only shows what the kernel needs.
    pub(crate) const fn is_floor(self) -> bool {
        matches!(self, Self::FloorFiles | Self::FloorForward)
    }

    /// Whether it can take part. Only h2o may be missing, which not every distribution has.
    pub(crate) fn is_installed(self) -> bool {
        self != Self::H2o || machine::said("h2o".as_ref(), "--version").is_some()
    }

    /// Whether it can send twins of this coding.
    pub(crate) fn sends(self, coding: Coding) -> bool {
        match self {
            Self::Nginx => coding != Coding::Brotli || nginx::brotli_module().is_some(),
            Self::Portcullis | Self::H2o | Self::FloorFiles => true,
            Self::Bare | Self::Resilient | Self::Haproxy | Self::AuthRequest | Self::FloorForward => false,
        }
    }

    /// What it says about itself.
    pub(crate) fn introduction(self, ground: &Ground) -> Option<String> {
        match self {
            Self::Portcullis | Self::Bare | Self::Resilient => {
                machine::first_line(ground.product.as_ref(), "--version")
            }
            Self::Nginx | Self::AuthRequest => machine::first_line("nginx".as_ref(), "-v"),
            Self::H2o => machine::first_line("h2o".as_ref(), "--version"),
            Self::Haproxy => machine::first_line("haproxy".as_ref(), "-v"),
            // It is part of the benchmark.
            Self::FloorFiles | Self::FloorForward => None,
        }
    }
}
