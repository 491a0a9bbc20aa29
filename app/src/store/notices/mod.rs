//! What instances on one PostgreSQL database tell each other, by NOTIFY. With SQLite nobody is told.
//!
//! Revocations and keys are told by triggers (`migrations/postgres/0007_told.sql`) in the transaction of the change, as
//! a number whose row is read. Changes of notes are told as they are: they are hints for open windows and kept nowhere.
//! PostgreSQL hands all notices to all instances in the order of the commits, to the one that has sent them too.

mod ear;
mod note;

pub use ear::Ear;
pub use note::Announced;

use super::{Database, StoreError};
use crate::domain::event::NoteEvent;
use note::encode;
use sqlx::postgres::PgPool;

const REVOCATIONS: &str = "portcullis_revocations";
const KEYS: &str = "portcullis_keys";
const NOTES: &str = "portcullis_notes";
/// All that an instance listens to.
const CHANNELS: [&str; 3] = [REVOCATIONS, KEYS, NOTES];

/// What was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The log of revocations has grown up to this sequence.
    Revoked(i64),
    /// The signing keys are others.
    KeysTurned,
    /// A note has changed.
    Changed(Announced),
    /// Something in words that this version does not know.
    Unknown,
}

impl Notice {
    fn read(channel: &str, payload: &str) -> Self {
        let known = match channel {
            REVOCATIONS => payload.parse().ok().map(Self::Revoked),
            KEYS => Some(Self::KeysTurned),
            NOTES => note::decode(payload).map(Self::Changed),
            _ => None,
        };
        known.unwrap_or(Self::Unknown)
    }
}

impl Database {
    /// Listens to all instances from now on, this one included; none where nobody tells (SQLite).
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn listen(&self) -> Result<Option<Ear>, StoreError> {
        match self {
            Self::Sqlite { .. } => Ok(None),
            Self::Postgres(pool) => Ear::open(pool).await.map(Some),
        }
    }

    /// Tells all instances that a note has changed, after the commit. False where nobody is told (SQLite).
    ///
    /// # Errors
    /// The database can't be reached, so that nobody hears of it.
    pub async fn announce(&self, event: &NoteEvent) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite { .. } => Ok(false),
            Self::Postgres(pool) => tell(pool, &encode(event)).await.map(|()| true),
        }
    }

    /// Waits until [`Database::close`] is called.
    pub async fn closed(&self) {
        match self {
            Self::Sqlite { writer, .. } => writer.close_event().await,
            Self::Postgres(pool) => pool.close_event().await,
        }
    }
}

async fn tell(pool: &PgPool, payload: &str) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_notify($1, $2)").bind(NOTES).bind(payload).execute(pool).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_read_back_and_others_are_unknown() {
        assert_eq!(Notice::read(REVOCATIONS, "7"), Notice::Revoked(7));
        assert_eq!(Notice::read(KEYS, "2"), Notice::KeysTurned);
        for (channel, payload) in [(REVOCATIONS, "x"), (NOTES, "{}"), (NOTES, "7"), ("another", "7")] {
            assert_eq!(Notice::read(channel, payload), Notice::Unknown, "{channel} {payload}");
        }
    }
}
