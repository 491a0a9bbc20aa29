//! Signing keys in the store: all instances on one database have the same.

use super::moment::moment;
use super::revocations::record;
use super::{Database, StoreError, reading, transaction};
use crate::domain::signing_key::{StoredKey, Turn};
use jiff::Timestamp;
use std::future::Future;

/// What is kept of signing keys.
pub trait SigningKeyStore {
    /// How often the keys have changed.
    fn signing_key_turn(&self) -> impl Future<Output = Result<i64, StoreError>> + Send;
    /// The keys, the oldest first, with the number of their last change.
    fn signing_keys(&self) -> impl Future<Output = Result<(i64, Vec<StoredKey>), StoreError>> + Send;
    /// Changes the keys all at once. False when another instance has changed them since `seen`: nothing happens then.
    fn turn_signing_keys(
        &self,
        seen: i64,
        turn: &Turn,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

#[derive(sqlx::FromRow)]
struct KeyRow {
    id: String,
    sealed: String,
    created_at: i64,
    active_at: Option<i64>,
    retired_at: Option<i64>,
}

impl TryFrom<KeyRow> for StoredKey {
    type Error = StoreError;

    fn try_from(row: KeyRow) -> Result<Self, StoreError> {
        let KeyRow { id, sealed, created_at, active_at, retired_at } = row;
        Ok(Self {
            id,
            sealed,
            created_at: moment(created_at)?,
            active_at: active_at.map(moment).transpose()?,
            retired_at: retired_at.map(moment).transpose()?,
        })
    }
}

const TURN: &str = "SELECT turn FROM signing_key_turn WHERE only_row = 1";

impl SigningKeyStore for Database {
    async fn signing_key_turn(&self) -> Result<i64, StoreError> {
        Ok(reading!(self, |pool| sqlx::query_scalar(TURN).fetch_one(pool).await?))
    }

    async fn signing_keys(&self) -> Result<(i64, Vec<StoredKey>), StoreError> {
        const SELECT: &str = "SELECT * FROM signing_keys ORDER BY created_at, id";
        // The number first: a change between the two is then seen again and not missed.
        let turn = self.signing_key_turn().await?;
        let rows: Vec<KeyRow> = reading!(self, |pool| sqlx::query_as(SELECT).fetch_all(pool).await?);
        Ok((turn, rows.into_iter().map(StoredKey::try_from).collect::<Result<_, _>>()?))
    }

    async fn turn_signing_keys(&self, seen: i64, turn: &Turn, now: Timestamp) -> Result<bool, StoreError> {
        // Takes the row's lock: concurrent changes wait here and then find another number.
        const COUNT: &str = "UPDATE signing_key_turn SET turn = turn + 1 WHERE only_row = 1 AND turn = $1";
        const RETIRE: &str = "UPDATE signing_keys SET retired_at = $2 WHERE id = $1";
        const ACTIVATE: &str = "UPDATE signing_keys SET active_at = $2 WHERE id = $1";
        const REMOVE: &str = "DELETE FROM signing_keys WHERE id = $1";
        const INSERT: &str = "INSERT INTO signing_keys (id, sealed, created_at, active_at) VALUES ($1, $2, $3, $4)";
        let Turn { retire, activate, insert, remove, revoke } = turn;
        let now = now.as_millisecond();
        Ok(transaction!(self, |tx| {
            let first = sqlx::query(COUNT).bind(seen).execute(&mut *tx).await?.rows_affected() == 1;
            if first {
                for id in retire {
                    sqlx::query(RETIRE).bind(id).bind(now).execute(&mut *tx).await?;
                }
                if let Some(id) = activate {
                    sqlx::query(ACTIVATE).bind(id).bind(now).execute(&mut *tx).await?;
                }
                for key in insert {
                    sqlx::query(INSERT)
                        .bind(&key.id)
                        .bind(&key.sealed)
                        .bind(key.created_at.as_millisecond())
                        .bind(key.active_at.map(Timestamp::as_millisecond))
                        .execute(&mut *tx)
                        .await?;
                }
                for id in remove {
                    sqlx::query(REMOVE).bind(id).execute(&mut *tx).await?;
                }
                if let Some(revocation) = revoke {
                    record(&mut *tx, revocation).await?;
                }
            }
            first
        }))
    }
}
