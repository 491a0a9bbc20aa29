//! Who sees a note besides its owner, in the store.

use super::moment::id;
use super::{Database, StoreError, reading, transaction};
use crate::domain::note::Share;
use crate::domain::share::{SHARES_PER_NOTE_MAX, ShareRole};
use std::future::Future;
use uuid::Uuid;

/// What is kept of shares.
pub trait ShareStore {
    /// The users that a note is shared with, by name.
    fn shares(&self, note_id: Uuid) -> impl Future<Output = Result<Vec<Share>, StoreError>> + Send;
    /// Everybody who can see a note: its owner and those it is shared with.
    fn audience(&self, note_id: Uuid) -> impl Future<Output = Result<Vec<Uuid>, StoreError>> + Send;
    /// Shares a note of this owner with another user, or changes his role.
    fn add_share(
        &self,
        owner: Uuid,
        note_id: Uuid,
        user: Uuid,
        role: ShareRole,
    ) -> impl Future<Output = Result<AddedShare, StoreError>> + Send;
    /// Takes a share away. The note's version, or none when there was no share.
    fn remove_share(&self, note_id: Uuid, user: Uuid) -> impl Future<Output = Result<Option<i64>, StoreError>> + Send;
}

/// What became of a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddedShare {
    /// It stands.
    Added {
        /// The note's version.
        version: i64,
    },
    /// The note is gone, or not this owner's.
    NoNote,
    /// The note has [`SHARES_PER_NOTE_MAX`] shares.
    Full,
}

impl ShareStore for Database {
    async fn shares(&self, note_id: Uuid) -> Result<Vec<Share>, StoreError> {
        const SELECT: &str = "SELECT u.username, m.role FROM note_members m JOIN users u ON u.id = m.user_id
            WHERE m.note_id = $1 AND m.role <> 'owner' ORDER BY u.username_folded";
        let rows: Vec<(String, String)> =
            reading!(self, |pool| sqlx::query_as(SELECT).bind(note_id.to_string()).fetch_all(pool).await?);
        rows.into_iter()
            .map(|(username, role)| {
                let role = role.parse().map_err(|_| StoreError::Damaged(format!("role {role:?}")))?;
                Ok(Share { username, role })
            })
            .collect()
    }

    async fn audience(&self, note_id: Uuid) -> Result<Vec<Uuid>, StoreError> {
        const SELECT: &str = "SELECT user_id FROM note_members WHERE note_id = $1";
        let members: Vec<String> =
            reading!(self, |pool| sqlx::query_scalar(SELECT).bind(note_id.to_string()).fetch_all(pool).await?);
        members.iter().map(|member| id(member)).collect()
    }

    async fn add_share(
        &self,
        owner: Uuid,
        note_id: Uuid,
        user: Uuid,
        role: ShareRole,
    ) -> Result<AddedShare, StoreError> {
        const LOCK: &str = "UPDATE notes SET detail = detail + 1 WHERE id = $1 AND owner_id = $2 RETURNING version";
        const COUNT: &str = "SELECT COUNT(*) FROM note_members WHERE note_id = $1 AND user_id <> $2";
        const UPSERT: &str = "INSERT INTO note_members (note_id, user_id, role) VALUES ($1, $2, $3)
            ON CONFLICT (note_id, user_id) DO UPDATE SET role = excluded.role WHERE note_members.role <> 'owner'";
        let (key, user) = (note_id.to_string(), user.to_string());
        let version = transaction!(self, |tx| {
            let lock = sqlx::query_scalar(LOCK).bind(&key).bind(owner.to_string());
            let Some(version): Option<i64> = lock.fetch_optional(&mut *tx).await? else {
                return Ok(AddedShare::NoNote);
            };
            // The owner is a member too, and the user himself is not counted.
            let others: i64 = sqlx::query_scalar(COUNT).bind(&key).bind(&user).fetch_one(&mut *tx).await?;
            if usize::try_from(others).is_ok_and(|others| others > SHARES_PER_NOTE_MAX) {
                return Ok(AddedShare::Full);
            }
            sqlx::query(UPSERT).bind(&key).bind(&user).bind(role.as_str()).execute(&mut *tx).await?;
            version
        });
        Ok(AddedShare::Added { version })
    }

    async fn remove_share(&self, note_id: Uuid, user: Uuid) -> Result<Option<i64>, StoreError> {
        const LOCK: &str = "UPDATE notes SET detail = detail + 1 WHERE id = $1 RETURNING version";
        const DELETE: &str = "DELETE FROM note_members WHERE note_id = $1 AND user_id = $2 AND role <> 'owner'";
        let key = note_id.to_string();
        let version = transaction!(self, |tx| {
            let lock = sqlx::query_scalar(LOCK).bind(&key);
            let Some(version): Option<i64> = lock.fetch_optional(&mut *tx).await? else { return Ok(None) };
            let delete = sqlx::query(DELETE).bind(&key).bind(user.to_string());
            if delete.execute(&mut *tx).await?.rows_affected() == 0 {
                return Ok(None);
            }
            version
        });
        Ok(Some(version))
    }
}
