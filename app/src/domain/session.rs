//! Sessions: one sign-in and the chain of refresh tokens that descends from it.

use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use uuid::Uuid;

/// One link of the chain, as it is written into a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refresh {
    /// The token's id (`jti`).
    pub id: Uuid,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// What the use of a refresh token led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// First use: the offered successor is now the valid one.
    First,
    /// A second use within the grace time, by a client that refreshed twice at once: it gets the same successor.
    Repeated(Refresh),
    /// A later use: one of two holders of the token is not the user, so the whole session is revoked.
    Reused,
    /// The session has been revoked before.
    Revoked,
    /// The store does not know the token.
    Unknown,
}

/// Whether a token of a session still counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It counts.
    Valid,
    /// The session was ended, or the refresh token was used and its grace time is over.
    Revoked,
    /// The store does not know the session.
    Unknown,
}

/// Whether a token that was used at `used_at` may be used again at `now`.
#[must_use]
pub fn within_grace(used_at: Timestamp, now: Timestamp, grace: Duration) -> bool {
    // A clock that went back counts as no time at all.
    now.duration_since(used_at) <= SignedDuration::try_from(grace).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grace_time_has_an_end() {
        let at = |second| Timestamp::from_second(second).expect("a moment");
        let grace = Duration::from_secs(10);
        for (now, within) in [(100, true), (110, true), (111, false), (3600, false), (50, true)] {
            assert_eq!(within_grace(at(100), at(now), grace), within, "{now}");
        }
    }
}
