//! The list of a user's sessions, and how their owner ends them.

use super::moment::{id, moment};
use super::{Database, StoreError, reading, transaction};
use crate::domain::session::{Session, Sessions};
use jiff::Timestamp;
use std::future::Future;
use uuid::Uuid;

/// Sessions as their owner sees and ends them.
pub trait SessionListStore {
    /// The sessions of a user that are not over, the newest first.
    fn sessions(&self, user: Uuid, now: Timestamp) -> impl Future<Output = Result<Vec<Session>, StoreError>> + Send;
    /// Ends sessions of a user and revokes their access tokens until `until`, or longer where they were given when tokens
    /// lived longer. Returns how many were not over.
    fn end_sessions(
        &self,
        user: Uuid,
        which: Sessions,
        now: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = Result<usize, StoreError>> + Send;
    /// Puts a new hash in the place of `seen` and ends sessions. False when the hash has changed meanwhile: nothing
    /// happens then.
    fn change_password(
        &self,
        user: Uuid,
        seen_and_new: (&str, &str),
        ends: Option<Sessions>,
        now: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

#[derive(sqlx::FromRow)]
struct SessionRow {
    id: String,
    created_at: i64,
    last_used_at: i64,
    expires_at: i64,
    user_agent: String,
    address: String,
}

impl TryFrom<SessionRow> for Session {
    type Error = StoreError;

    fn try_from(row: SessionRow) -> Result<Self, StoreError> {
        let SessionRow { id: session, created_at, last_used_at, expires_at, user_agent, address } = row;
        Ok(Self {
            id: id(&session)?,
            created_at: moment(created_at)?,
            // Of a session that is older than the column.
            last_used_at: moment(last_used_at.max(created_at))?,
            expires_at: moment(expires_at)?,
            user_agent,
            address,
        })
    }
}

/// Ends what `$which` says of `$user`'s sessions, inside a transaction.
macro_rules! end {
    ($tx:ident, $user:expr, $which:expr, ($now:expr, $until:expr)) => {{
        const ALL: &str =
            "UPDATE sessions SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL AND id <> $3
            RETURNING id, outlived_at";
        const ONE: &str =
            "UPDATE sessions SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL AND id = $3
            RETURNING id, outlived_at";
        let (statement, session) = match $which {
            Sessions::All => (ALL, String::new()),
            Sessions::AllBut(session) => (ALL, session.to_string()),
            Sessions::One(session) => (ONE, session.to_string()),
        };
        let ended: Vec<(String, i64)> = sqlx::query_as(statement)
            .bind($user.to_string())
            .bind($now.as_millisecond())
            .bind(session)
            .fetch_all(&mut *$tx)
            .await?;
        // Each by its own name, which is exact: a revocation of the user up to now would, as `iat` counts whole seconds,
        // also hit who signs in again at once.
        for (session, outlived) in &ended {
            let session = $crate::store::moment::id(session)?;
            let until = $until.max($crate::store::moment::moment(*outlived)?);
            $crate::store::revocations::record(&mut *$tx, &$crate::domain::revocation::Revocation::session(session, until)).await?;
        }
        ended.len()
    }};
}
pub(super) use end;

impl SessionListStore for Database {
    async fn sessions(&self, user: Uuid, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        const SELECT: &str = "SELECT * FROM sessions WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2
            ORDER BY created_at DESC, id DESC";
        let rows: Vec<SessionRow> = reading!(self, |pool| {
            sqlx::query_as(SELECT).bind(user.to_string()).bind(now.as_millisecond()).fetch_all(pool).await?
        });
        rows.into_iter().map(Session::try_from).collect()
    }

    async fn end_sessions(
        &self,
        user: Uuid,
        which: Sessions,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<usize, StoreError> {
        Ok(transaction!(self, |tx| { end!(tx, user, which, (now, until)) }))
    }

    async fn change_password(
        &self,
        user: Uuid,
        (seen, new): (&str, &str),
        ends: Option<Sessions>,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        const UPDATE: &str = "UPDATE users SET password_hash = $3, token_epoch = token_epoch + $4
            WHERE id = $1 AND password_hash = $2";
        Ok(transaction!(self, |tx| {
            // Where sessions end, a sign-in that is on its way with the old password opens none any more.
            let ending = i64::from(ends.is_some());
            let update = sqlx::query(UPDATE).bind(user.to_string()).bind(seen).bind(new).bind(ending);
            let changed = update.execute(&mut *tx).await?.rows_affected() == 1;
            if let Some(which) = ends.filter(|_| changed) {
                end!(tx, user, which, (now, until));
            }
            changed
        }))
    }
}
