//! Revocations in the store: a log that edges read after the last sequence they know.
//!
//! Whoever revokes something writes it with [`record`] in the transaction of the change itself, so that neither is
//! there without the other. Sequences are handed out by one row that stays locked until the commit: who has read up to
//! a sequence has read everything below it. So `record` comes last in its transaction, which keeps the lock short and
//! makes a deadlock impossible.

use super::moment::moment;
use super::{Database, StoreError, reading, transaction, writing};
use crate::domain::revocation::Revocation;
use jiff::Timestamp;
use std::future::Future;
use uuid::Uuid;

/// A place in the log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LogPlace {
    /// Counts revocations, from one; zero before the first.
    pub sequence: i64,
    /// Random with each sequence: tells whether a place is of this log or of one that a backup has undone.
    pub mark: String,
}

/// A revocation at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its place.
    pub place: LogPlace,
    /// What is revoked.
    pub revocation: Revocation,
    /// When it was written, by the clock of the process that did. Nothing is decided by it.
    pub written: Timestamp,
}

/// A page of the revocations in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivePage {
    /// The entries, by sequence.
    pub entries: Vec<Recorded>,
    /// Whether more follow the last one.
    pub more: bool,
}

/// What is read of revocations, and how they are forgotten.
pub trait RevocationStore {
    /// Writes one revocation on its own, for a change that is not in the database.
    fn revoke(&self, revocation: &Revocation) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// The last place of the log.
    fn log_end(&self) -> impl Future<Output = Result<LogPlace, StoreError>> + Send;
    /// Whether a place is of this log, so that reading after it misses nothing.
    fn knows(&self, place: &LogPlace) -> impl Future<Output = Result<bool, StoreError>> + Send;
    /// The revocations in force at `now` after a sequence, `limit` at most, in their order. All of them from zero on.
    fn revocations_after(
        &self,
        sequence: i64,
        now: Timestamp,
        limit: u32,
    ) -> impl Future<Output = Result<LivePage, StoreError>> + Send;
    /// Forgets those whose time is over. Returns how many.
    fn forget_expired_revocations(&self, now: Timestamp) -> impl Future<Output = Result<u64, StoreError>> + Send;
}

/// A connection of either kind, inside a transaction.
pub(super) trait Recorder {
    /// Takes the next sequence and writes a row.
    fn insert(&mut self, revocation: &Revocation) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Records one revocation in the caller's transaction: `record(&mut *tx, &revocation)`, as its last statement.
///
/// # Errors
/// The database can't be written.
pub(super) async fn record(connection: &mut impl Recorder, revocation: &Revocation) -> Result<(), StoreError> {
    connection.insert(revocation).await
}

const NEXT: &str = "UPDATE revocation_counter SET sequence = sequence + 1, mark = $1 RETURNING sequence";
const INSERT: &str =
    "INSERT INTO revocations (sequence, mark, kind, value, before, until, written) VALUES ($1, $2, $3, $4, $5, $6, $7)";

macro_rules! impl_recorder {
    ($connection:ty) => {
        impl Recorder for $connection {
            async fn insert(&mut self, revocation: &Revocation) -> Result<(), StoreError> {
                let mark = format!("{:016x}", Uuid::new_v4().as_u64_pair().0);
                let sequence: i64 = sqlx::query_scalar(NEXT).bind(&mark).fetch_one(&mut *self).await?;
                sqlx::query(INSERT)
                    .bind(sequence)
                    .bind(&mark)
                    .bind(revocation.kind.as_str())
                    .bind(&revocation.value)
                    .bind(revocation.before.map(Timestamp::as_millisecond))
                    .bind(revocation.until.as_millisecond())
                    .bind(Timestamp::now().as_millisecond())
                    .execute(self)
                    .await?;
                Ok(())
            }
        }
    };
}

impl_recorder!(sqlx::SqliteConnection);
impl_recorder!(sqlx::PgConnection);

#[derive(sqlx::FromRow)]
struct Row {
    sequence: i64,
    mark: String,
    kind: String,
    value: String,
    before: Option<i64>,
    until: i64,
    written: i64,
}

impl TryFrom<Row> for Recorded {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let revocation = Revocation {
            kind: row.kind.parse().map_err(|_| StoreError::Damaged(format!("kind {:?}", row.kind)))?,
            value: row.value,
            before: row.before.map(moment).transpose()?,
            until: moment(row.until)?,
        };
        let place = LogPlace { sequence: row.sequence, mark: row.mark };
        Ok(Self { place, revocation, written: moment(row.written)? })
    }
}

impl RevocationStore for Database {
    async fn revoke(&self, revocation: &Revocation) -> Result<(), StoreError> {
        transaction!(self, |tx| { record(&mut *tx, revocation).await? });
        Ok(())
    }

    async fn log_end(&self) -> Result<LogPlace, StoreError> {
        const SELECT: &str = "SELECT sequence, mark FROM revocation_counter";
        let (sequence, mark) = reading!(self, |pool| sqlx::query_as(SELECT).fetch_one(pool).await?);
        Ok(LogPlace { sequence, mark })
    }

    async fn knows(&self, place: &LogPlace) -> Result<bool, StoreError> {
        // The last place is known even when its row has expired.
        const SELECT: &str = "SELECT 1 FROM revocations WHERE sequence = $1 AND mark = $2
            UNION ALL SELECT 1 FROM revocation_counter WHERE sequence = $1 AND mark = $2";
        let found: Option<i32> = reading!(self, |pool| {
            sqlx::query_scalar(SELECT).bind(place.sequence).bind(&place.mark).fetch_optional(pool).await?
        });
        Ok(found.is_some())
    }

    async fn revocations_after(&self, sequence: i64, now: Timestamp, limit: u32) -> Result<LivePage, StoreError> {
        const SELECT: &str = "SELECT sequence, mark, kind, value, before, until, written FROM revocations
            WHERE sequence > $1 AND until > $2 ORDER BY sequence LIMIT $3";
        // One more than fits tells whether there is another page.
        let count = i64::from(limit) + 1;
        let rows: Vec<Row> = reading!(self, |pool| {
            sqlx::query_as(SELECT).bind(sequence).bind(now.as_millisecond()).bind(count).fetch_all(pool).await?
        });
        let mut entries = rows.into_iter().map(Recorded::try_from).collect::<Result<Vec<_>, _>>()?;
        let more = entries.len() > limit as usize;
        entries.truncate(limit as usize);
        Ok(LivePage { entries, more })
    }

    async fn forget_expired_revocations(&self, now: Timestamp) -> Result<u64, StoreError> {
        const DELETE: &str = "DELETE FROM revocations WHERE until <= $1";
        Ok(writing!(self, |pool| {
            sqlx::query(DELETE).bind(now.as_millisecond()).execute(pool).await?.rows_affected()
        }))
    }
}
