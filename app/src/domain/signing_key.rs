//! The life of a signing key: next (published), active (signs), retiring (published until the last token that it has
//! signed has expired), gone.

use super::revocation::Revocation;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// A key as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Its thumbprint (RFC 7638).
    pub id: String,
    /// The private half, sealed.
    pub sealed: String,
    /// When it was made and published.
    pub created_at: Timestamp,
    /// When it began to sign.
    pub active_at: Option<Timestamp>,
    /// When it signed no more.
    pub retired_at: Option<Timestamp>,
}

/// Where a key is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Published, so that edges know it before it signs.
    Next,
    /// Signs.
    Active,
    /// Published as long as a token of it may count.
    Retiring,
}

impl Phase {
    /// The word that operators read.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retiring => "retiring",
        }
    }
}

impl StoredKey {
    /// Where the key is in its life.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        match (self.active_at, self.retired_at) {
            (_, Some(_)) => Phase::Retiring,
            (Some(_), None) => Phase::Active,
            (None, None) => Phase::Next,
        }
    }

    /// Since when it is there.
    #[must_use]
    pub fn since(&self) -> Timestamp {
        self.retired_at.or(self.active_at).unwrap_or(self.created_at)
    }

    /// Whether it is so long in its phase.
    #[must_use]
    pub fn is_older(&self, than: Duration, now: Timestamp) -> bool {
        now.duration_since(self.since()) >= SignedDuration::try_from(than).unwrap_or(SignedDuration::MAX)
    }
}

/// What is to be done with all keys at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turn {
    /// These sign no more.
    pub retire: Vec<String>,
    /// This one signs now.
    pub activate: Option<String>,
    /// These are new.
    pub insert: Vec<StoredKey>,
    /// These are gone.
    pub remove: Vec<String>,
    /// This is told to edges.
    pub revoke: Option<Revocation>,
}

/// Whether the next key should sign now: the active one has served its time and the next one is known everywhere.
#[must_use]
pub fn is_due(keys: &[StoredKey], rotate_after: Duration, announce: Duration, now: Timestamp) -> bool {
    let old = |phase, than| keys.iter().any(|key| key.phase() == phase && key.is_older(than, now));
    old(Phase::Active, rotate_after) && old(Phase::Next, announce)
}

/// The keys whose last token has expired, when tokens count for `lifetime` at most.
#[must_use]
pub fn gone(keys: &[StoredKey], lifetime: Duration, now: Timestamp) -> Vec<String> {
    let gone = keys.iter().filter(|key| key.phase() == Phase::Retiring && key.is_older(lifetime, now));
    gone.map(|key| key.id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + hours * 3600).expect("a moment")
    }

    fn key(id: &str, created: i64, active: Option<i64>, retired: Option<i64>) -> StoredKey {
        let (id, sealed) = (id.to_owned(), String::new());
        StoredKey { id, sealed, created_at: at(created), active_at: active.map(at), retired_at: retired.map(at) }
    }

    #[test]
    fn a_key_is_due_when_it_is_old_and_the_next_one_is_known() {
        let keys = [key("a", 0, Some(0), None), key("b", 20, None, None)];
        for (now, due) in [(19, false), (20, false), (23, false), (24, true), (100, true)] {
            assert_eq!(is_due(&keys, 20 * HOUR, 4 * HOUR, at(now)), due, "{now}");
        }
        assert!(!is_due(&keys[..1], 20 * HOUR, 4 * HOUR, at(100)), "without a next one");
    }

    #[test]
    fn a_retiring_key_is_gone_with_its_last_token() {
        let keys = [key("a", 0, Some(0), Some(10)), key("b", 0, Some(10), None), key("c", 10, None, None)];
        assert_eq!(keys.each_ref().map(StoredKey::phase), [Phase::Retiring, Phase::Active, Phase::Next]);
        assert_eq!(gone(&keys, 24 * HOUR, at(33)), Vec::<String>::new());
        assert_eq!(gone(&keys, 24 * HOUR, at(34)), ["a"]);
    }
}
