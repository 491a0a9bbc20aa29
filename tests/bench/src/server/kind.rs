//! Which servers there are, and what they say of themselves.

use crate::ground::Ground;
use crate::machine;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Portcullis,
    Nginx,
    Haproxy,
    /// nginx with a validator of tokens behind `auth_request`.
    AuthRequest,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Portcullis, Self::Nginx, Self::Haproxy, Self::AuthRequest];

    /// As its makers write it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Portcullis => "portcullis",
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
            Self::AuthRequest => "nginx with auth_request",
        }
    }

    /// What it says about itself.
    pub(crate) fn introduction(self, ground: &Ground) -> Option<String> {
        match self {
            Self::Portcullis => machine::first_line(ground.product.as_ref(), "--version"),
            Self::Nginx | Self::AuthRequest => machine::first_line("nginx".as_ref(), "-v"),
            Self::Haproxy => machine::first_line("haproxy".as_ref(), "-v"),
        }
    }
}
