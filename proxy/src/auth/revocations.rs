//! Which tokens of an issuer are revoked: what a link tells, and what was posted to the admin listener.

use crate::link::{Fingerprint, LinkedUpstream, RevocationSet};
use serve::contract::link::RevocationKind;
use std::sync::Arc;
use std::time::Instant;

/// Where an issuer's revocations come from.
#[derive(Debug, Default)]
pub struct Revocations {
    /// Posted by applications without a link.
    pub posted: Arc<RevocationSet>,
    /// Told by one.
    pub linked: Option<Arc<LinkedUpstream>>,
}

/// What revocations can name of a token; made once, when it is verified.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    /// Of its own id, its session and its key.
    exact: [Option<Fingerprint>; 3],
    subject: Option<Fingerprint>,
    issued_at: Option<u64>,
}

/// What is known of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It is revoked.
    Revoked,
    /// Nothing revokes it.
    Good,
    /// Nothing that is known revokes it, and something may be missing.
    MayBeRevoked,
}

impl Names {
    pub(super) fn new(
        jti: Option<&str>,
        session: Option<&str>,
        kid: Option<&str>,
        subject: &str,
        issued_at: Option<u64>,
    ) -> Self {
        let of = |kind, value: Option<&str>| value.map(|value| Fingerprint::of(kind, value));
        Self {
            exact: [of(RevocationKind::Jti, jti), of(RevocationKind::Session, session), of(RevocationKind::Kid, kid)],
            subject: (!subject.is_empty()).then(|| Fingerprint::of(RevocationKind::SubjectBefore, subject)),
            issued_at,
        }
    }

    fn are_in(&self, set: &RevocationSet, now: u64) -> bool {
        !set.is_empty()
            && (self.exact.iter().flatten().any(|&name| set.contains(name, now))
                || self.subject.is_some_and(|subject| set.contains_before(subject, self.issued_at, now)))
    }
}

impl Revocations {
    /// What is known of a token with these names. `now` and `unix`, in seconds since 1970, are the same moment.
    pub(super) fn know(&self, names: &Names, now: Instant, unix: u64) -> Known {
        let linked = self.linked.as_deref();
        if names.are_in(&self.posted, unix) || linked.is_some_and(|linked| names.are_in(linked.set(), unix)) {
            return Known::Revoked;
        }
        let complete = self.posted.is_complete(unix) && linked.is_none_or(|linked| linked.is_current(now, unix));
        if complete { Known::Good } else { Known::MayBeRevoked }
    }

    /// Counts a token that was taken although revocations may be missing.
    pub(super) fn note_stale_use(&self) {
        if let Some(linked) = &self.linked {
            linked.note_stale_use();
        }
    }
}
