//! Revocations: what no edge may accept any more, until every token that it could match has expired by itself.

use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use uuid::Uuid;

/// The most that an edge accepts a token after its expiry, for clocks that differ. No edge can be configured to more.
pub const EDGE_LEEWAY_MAX: Duration = Duration::from_secs(5 * 60);

/// What a revocation names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevocationKind {
    /// One token, by its `jti`.
    Jti,
    /// Every token of one session, by `sid`.
    Session,
    /// Every token of a subject that was issued before a moment.
    SubjectBefore,
    /// Every token signed by one key, by `kid`.
    Kid,
}

/// A text that names no kind of revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a kind of revocation")]
pub struct UnknownKind;

impl RevocationKind {
    /// The word in rows and on the link.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jti => "jti",
            Self::Session => "session",
            Self::SubjectBefore => "subject-before",
            Self::Kid => "kid",
        }
    }
}

impl std::str::FromStr for RevocationKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        [Self::Jti, Self::Session, Self::SubjectBefore, Self::Kid]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(UnknownKind)
    }
}

/// One revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// What `value` names.
    pub kind: RevocationKind,
    /// The value of the claim, letter for letter as it stands in tokens.
    pub value: String,
    /// Of [`RevocationKind::SubjectBefore`] only: tokens issued before this moment are revoked. A whole second, because
    /// the `iat` of a token is one.
    pub before: Option<Timestamp>,
    /// When it may be forgotten.
    pub until: Timestamp,
}

impl Revocation {
    /// Revokes one token.
    #[must_use]
    pub fn token(jti: Uuid, until: Timestamp) -> Self {
        Self { kind: RevocationKind::Jti, value: jti.simple().to_string(), before: None, until }
    }

    /// Revokes all tokens of a session.
    #[must_use]
    pub fn session(sid: Uuid, until: Timestamp) -> Self {
        Self { kind: RevocationKind::Session, value: sid.simple().to_string(), before: None, until }
    }

    /// Revokes all tokens of a user that were issued up to `now`. As `iat` has no parts of a second, this goes for the
    /// rest of the running second too: whoever issues a new token at once dates it [`Revocation::before`].
    #[must_use]
    pub fn user_up_to(user: Uuid, now: Timestamp, until: Timestamp) -> Self {
        let before = Timestamp::from_second(now.as_second().saturating_add(1)).unwrap_or(Timestamp::MAX);
        Self { kind: RevocationKind::SubjectBefore, value: user.to_string(), before: Some(before), until }
    }

    /// Revokes all tokens of one signing key.
    #[must_use]
    pub fn key(kid: &str, until: Timestamp) -> Self {
        Self { kind: RevocationKind::Kid, value: kid.to_owned(), before: None, until }
    }
}

/// When no edge accepts an access token any more that was issued up to `now` and lives for `lifetime`.
#[must_use]
pub fn outlived(now: Timestamp, lifetime: Duration) -> Timestamp {
    // One second more, because `iat` and `exp` have no parts of one.
    let all = lifetime.saturating_add(EDGE_LEEWAY_MAX).saturating_add(Duration::from_secs(1));
    SignedDuration::try_from(all).ok().and_then(|all| now.checked_add(all).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_reads_back() {
        for kind in [RevocationKind::Jti, RevocationKind::Session, RevocationKind::SubjectBefore, RevocationKind::Kid] {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert_eq!("sid".parse::<RevocationKind>(), Err(UnknownKind));
    }

    #[test]
    fn tokens_of_the_running_second_are_revoked_too() {
        let now = Timestamp::from_millisecond(1_700_000_000_200).expect("a moment");
        let revocation = Revocation::user_up_to(Uuid::nil(), now, Timestamp::MAX);
        assert_eq!(revocation.before.map(Timestamp::as_second), Some(1_700_000_001));
    }

    #[test]
    fn a_revocation_outlives_every_token_that_it_names() {
        let now = Timestamp::from_millisecond(1_700_000_000_900).expect("a moment");
        assert_eq!(outlived(now, Duration::from_secs(300)).as_second(), 1_700_000_601);
        assert_eq!(outlived(now, Duration::MAX), Timestamp::MAX);
    }
}
