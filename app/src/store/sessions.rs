//! Sessions and their refresh tokens in the store.

use super::moment::{id, moment};
use super::revocations::record;
use super::{Database, StoreError, reading, transaction, writing};
use crate::domain::revocation::Revocation;
use crate::domain::session::{Refresh, Rotation, SignIn, Standing, Use, within_grace};
use jiff::Timestamp;
use std::future::Future;
use std::time::Duration;
use uuid::Uuid;

/// What is kept of sessions.
pub trait SessionStore {
    /// Opens a session with its first refresh token and notes the sign-in. Ends the user's oldest sessions beyond the
    /// limit, and revokes their access tokens until `until`. Returns how many ended; none when the account's epoch has
    /// gone on since the password was checked: no session is opened then.
    fn open_session(
        &self,
        sign_in: &SignIn,
        until: Timestamp,
    ) -> impl Future<Output = Result<Option<usize>, StoreError>> + Send;
    /// Uses a refresh token and puts `successor` in its place. Of any number of concurrent uses exactly one is
    /// [`Rotation::First`]. A late reuse ends the session as [`SessionStore::revoke_session`] does. `until` is when the
    /// access tokens that are given now are gone.
    fn rotate(
        &self,
        used: &Use,
        successor: &Refresh,
        until: Timestamp,
    ) -> impl Future<Output = Result<Rotation, StoreError>> + Send;
    /// Uses a refresh token that may be used again; with a successor, that may then be used too. False when it can't
    /// be used: ask [`SessionStore::standing`] why.
    fn renew(
        &self,
        used: &Use,
        successor: Option<&Refresh>,
        now: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
    /// Ends a session and revokes its access tokens until `until`, or longer where they were given when tokens lived
    /// longer. False when it was over or unknown.
    fn revoke_session(
        &self,
        session: Uuid,
        now: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
    /// Whether a token with the id `token` of this session counts. Access tokens, which have no row, stand as their
    /// session does.
    fn standing(
        &self,
        session: Uuid,
        token: Uuid,
        now: Timestamp,
        grace: Duration,
    ) -> impl Future<Output = Result<Standing, StoreError>> + Send;
    /// Forgets sessions whose last refresh token has expired, and refresh tokens that have. Returns how many sessions.
    fn forget_expired_sessions(&self, now: Timestamp) -> impl Future<Output = Result<u64, StoreError>> + Send;
}

#[derive(sqlx::FromRow)]
struct UsedRow {
    revoked_at: Option<i64>,
    used_at: Option<i64>,
    successor: Option<String>,
    issued_at: Option<i64>,
    expires_at: Option<i64>,
}

impl UsedRow {
    /// Reads what became of a token that could not be used for the first time.
    fn judge(self, now: Timestamp, grace: Duration) -> Result<Rotation, StoreError> {
        if self.revoked_at.is_some() {
            return Ok(Rotation::Revoked);
        }
        let (Some(used_at), Some(successor), Some(issued_at), Some(expires_at)) =
            (self.used_at, self.successor, self.issued_at, self.expires_at)
        else {
            // Not used and yet not usable: it has expired since its signature was checked.
            return Ok(Rotation::Unknown);
        };
        if !within_grace(moment(used_at)?, now, grace) {
            return Ok(Rotation::Reused);
        }
        let successor = Refresh { id: id(&successor)?, issued_at: moment(issued_at)?, expires_at: moment(expires_at)? };
        Ok(Rotation::Repeated(successor))
    }
}

const INSERT_TOKEN: &str =
    "INSERT INTO refresh_tokens (jti, session_id, issued_at, expires_at) VALUES ($1, $2, $3, $4)";
const REVOKE: &str = "UPDATE sessions SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING outlived_at";
const PROLONG: &str = "UPDATE sessions SET expires_at = $2, last_used_at = $3,
    outlived_at = CASE WHEN outlived_at > $4 THEN outlived_at ELSE $4 END WHERE id = $1";

impl SessionStore for Database {
    async fn open_session(&self, sign_in: &SignIn, until: Timestamp) -> Result<Option<usize>, StoreError> {
        // Also takes the account's lock, so that a new password comes before, or after and then ends this session too.
        const ADMIT: &str = "UPDATE users SET last_login = CASE WHEN $3 THEN $2 ELSE last_login END
            WHERE id = $1 AND token_epoch = $4";
        const INSERT: &str =
            "INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at, user_agent, address, outlived_at)
            VALUES ($1, $2, $3, $3, $4, $5, $6, $7)";
        // Never the new one, whatever other instances' clocks say. SQLite knows no OFFSET without LIMIT.
        const END_OLDEST: &str = "UPDATE sessions SET revoked_at = $2 WHERE id IN (SELECT id FROM sessions
            WHERE user_id = $1 AND id <> $4 AND revoked_at IS NULL AND expires_at > $2
            ORDER BY created_at DESC, id DESC LIMIT 1000000 OFFSET $3) RETURNING id, outlived_at";
        let SignIn { session, user, epoch, first, user_agent, address, noted, sessions_max } = sign_in;
        let (session, user) = (session.to_string(), user.to_string());
        let (now, expires) = (first.issued_at.as_millisecond(), first.expires_at.as_millisecond());
        Ok(transaction!(self, |tx| {
            let admit = sqlx::query(ADMIT).bind(&user).bind(now).bind(noted).bind(epoch);
            if admit.execute(&mut *tx).await?.rows_affected() == 0 {
                return Ok(None);
            }
            sqlx::query(INSERT)
                .bind(&session)
                .bind(&user)
                .bind(now)
                .bind(expires)
                .bind(user_agent)
                .bind(address)
                .bind(until.as_millisecond())
                .execute(&mut *tx)
                .await?;
            sqlx::query(INSERT_TOKEN)
                .bind(first.id.to_string())
                .bind(&session)
                .bind(now)
                .bind(expires)
                .execute(&mut *tx)
                .await?;
            let ended: Vec<(String, i64)> = sqlx::query_as(END_OLDEST)
                .bind(&user)
                .bind(now)
                .bind(i64::from(sessions_max.saturating_sub(1)))
                .bind(&session)
                .fetch_all(&mut *tx)
                .await?;
            for (session, outlived) in &ended {
                record(&mut *tx, &Revocation::session(id(session)?, until.max(moment(*outlived)?))).await?;
            }
            Some(ended.len())
        }))
    }

    async fn rotate(&self, used: &Use, successor: &Refresh, until: Timestamp) -> Result<Rotation, StoreError> {
        // The one statement that decides who is first. A concurrent use waits for the row and then finds it used.
        const USE: &str = "UPDATE refresh_tokens SET used_at = $3, successor = $4
            WHERE jti = $1 AND session_id = $2 AND used_at IS NULL AND expires_at > $5
            AND EXISTS (SELECT 1 FROM sessions WHERE id = $2 AND revoked_at IS NULL)";
        const SELECT: &str = "SELECT s.revoked_at, t.used_at, t.successor, n.issued_at, n.expires_at
            FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id
            LEFT JOIN refresh_tokens n ON n.jti = t.successor
            WHERE t.jti = $1 AND t.session_id = $2";
        let Use { session, token, alive_at, grace } = used;
        let (sid, used) = (*session, token.to_string());
        let session = sid.to_string();
        let (now, expires) = (successor.issued_at.as_millisecond(), successor.expires_at.as_millisecond());
        Ok(transaction!(self, |tx| {
            let first = sqlx::query(USE)
                .bind(&used)
                .bind(&session)
                .bind(now)
                .bind(successor.id.to_string())
                .bind(alive_at.as_millisecond())
                .execute(&mut *tx)
                .await?
                .rows_affected()
                == 1;
            if first {
                sqlx::query(INSERT_TOKEN)
                    .bind(successor.id.to_string())
                    .bind(&session)
                    .bind(now)
                    .bind(expires)
                    .execute(&mut *tx)
                    .await?;
                let prolong = sqlx::query(PROLONG).bind(&session).bind(expires).bind(now).bind(until.as_millisecond());
                prolong.execute(&mut *tx).await?;
                Rotation::First
            } else {
                let row: Option<UsedRow> =
                    sqlx::query_as(SELECT).bind(&used).bind(&session).fetch_optional(&mut *tx).await?;
                let rotation = row.map_or(Ok(Rotation::Unknown), |row| row.judge(successor.issued_at, *grace))?;
                if rotation == Rotation::Reused {
                    let outlived: Option<i64> =
                        sqlx::query_scalar(REVOKE).bind(&session).bind(now).fetch_optional(&mut *tx).await?;
                    let until = until.max(moment(outlived.unwrap_or_default())?);
                    record(&mut *tx, &Revocation::session(sid, until)).await?;
                }
                rotation
            }
        }))
    }

    async fn renew(
        &self,
        used: &Use,
        successor: Option<&Refresh>,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        // Also takes the session's lock, so that its end comes before or after.
        const USE: &str = "UPDATE sessions SET last_used_at = $3,
            outlived_at = CASE WHEN outlived_at > $5 THEN outlived_at ELSE $5 END
            WHERE id = $1 AND revoked_at IS NULL AND EXISTS
            (SELECT 1 FROM refresh_tokens WHERE jti = $2 AND session_id = $1 AND used_at IS NULL AND expires_at > $4)";
        // Never used up, so there is no second use to be lenient with.
        let Use { session, token, alive_at, grace: _ } = used;
        let (session, used) = (session.to_string(), token.to_string());
        let (now, until) = (now.as_millisecond(), until.as_millisecond());
        Ok(transaction!(self, |tx| {
            let usable = sqlx::query(USE).bind(&session).bind(&used).bind(now).bind(alive_at.as_millisecond());
            let usable = usable.bind(until).execute(&mut *tx).await?.rows_affected() == 1;
            if let Some(successor) = successor.filter(|_| usable) {
                let expires = successor.expires_at.as_millisecond();
                sqlx::query(INSERT_TOKEN)
                    .bind(successor.id.to_string())
                    .bind(&session)
                    .bind(successor.issued_at.as_millisecond())
                    .bind(expires)
                    .execute(&mut *tx)
                    .await?;
                let prolong = sqlx::query(PROLONG).bind(&session).bind(expires).bind(now).bind(until);
                prolong.execute(&mut *tx).await?;
            }
            usable
        }))
    }

    async fn revoke_session(&self, session: Uuid, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let (id, now) = (session.to_string(), now.as_millisecond());
        Ok(transaction!(self, |tx| {
            let outlived: Option<i64> = sqlx::query_scalar(REVOKE).bind(&id).bind(now).fetch_optional(&mut *tx).await?;
            if let Some(outlived) = outlived {
                record(&mut *tx, &Revocation::session(session, until.max(moment(outlived)?))).await?;
            }
            outlived.is_some()
        }))
    }

    async fn standing(
        &self,
        session: Uuid,
        token: Uuid,
        now: Timestamp,
        grace: Duration,
    ) -> Result<Standing, StoreError> {
        const SELECT: &str = "SELECT s.revoked_at, t.used_at FROM sessions s
            LEFT JOIN refresh_tokens t ON t.session_id = s.id AND t.jti = $2 WHERE s.id = $1";
        let row: Option<(Option<i64>, Option<i64>)> = reading!(self, |pool| {
            sqlx::query_as(SELECT).bind(session.to_string()).bind(token.to_string()).fetch_optional(pool).await?
        });
        Ok(match row {
            None => Standing::Unknown,
            Some((Some(_), _)) => Standing::Revoked,
            Some((None, Some(used_at))) if !within_grace(moment(used_at)?, now, grace) => Standing::Revoked,
            Some((None, _)) => Standing::Valid,
        })
    }

    async fn forget_expired_sessions(&self, now: Timestamp) -> Result<u64, StoreError> {
        const DELETE: &str = "DELETE FROM sessions WHERE expires_at <= $1";
        const DELETE_TOKENS: &str = "DELETE FROM refresh_tokens WHERE expires_at <= $1";
        let now = now.as_millisecond();
        writing!(self, |pool| sqlx::query(DELETE_TOKENS).bind(now).execute(pool).await?.rows_affected());
        Ok(writing!(self, |pool| sqlx::query(DELETE).bind(now).execute(pool).await?.rows_affected()))
    }
}
