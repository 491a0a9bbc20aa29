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

/// A sign-in that becomes a session.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// The session's id.
    pub session: Uuid,
    /// Whose it is.
    pub user: Uuid,
    /// The account's epoch at the moment when the user proved himself: the sign-in counts in this one only.
    pub epoch: i64,
    /// The first link of its chain.
    pub first: Refresh,
    /// What the client calls itself.
    pub user_agent: String,
    /// Where the client is, as the edge tells.
    pub address: String,
    /// Whether the account notes the moment.
    pub noted: bool,
    /// How many sessions the user has then at most; the oldest ones end.
    pub sessions_max: u32,
}

/// A session as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The session's id.
    pub id: Uuid,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When tokens were last given for it.
    pub last_used_at: Timestamp,
    /// When it ends by itself unless it is refreshed.
    pub expires_at: Timestamp,
    /// What the client called itself.
    pub user_agent: String,
    /// Where the client was.
    pub address: String,
}

/// The use of a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    /// The token's session.
    pub session: Uuid,
    /// The token's id (`jti`).
    pub token: Uuid,
    /// A token that has expired by then counts no more: now, less the leeway.
    pub alive_at: Timestamp,
    /// How long a used token still returns its successor.
    pub grace: Duration,
}

/// Which sessions of a user end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sessions {
    /// Every one.
    All,
    /// Every one but this.
    AllBut(Uuid),
    /// This one.
    One(Uuid),
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
