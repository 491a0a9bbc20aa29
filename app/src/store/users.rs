//! What administrators see and change of accounts.

use super::accounts::UserRow;
use super::session_ends::end;
use super::{AccountStore, Credentials, Database, StoreError, reading, transaction, writing};
use crate::domain::account::User;
use crate::domain::cursor::Cursor;
use crate::domain::session::Sessions;
use jiff::Timestamp;
use std::future::Future;
use uuid::Uuid;

/// Lists of accounts and their state.
pub trait UserListStore {
    /// One page of all accounts, the newest first.
    fn users(&self, after: Option<&Cursor>, limit: u32) -> impl Future<Output = Result<UserPage, StoreError>> + Send;
    /// Allows an account to be used. The account, or none when there is none.
    fn enable(&self, id: Uuid) -> impl Future<Output = Result<Option<User>, StoreError>> + Send;
    /// Forbids an account to be used and ends all its sessions, as [`SessionListStore::end_sessions`] does.
    ///
    /// [`SessionListStore::end_sessions`]: super::SessionListStore::end_sessions
    fn disable(
        &self,
        id: Uuid,
        now: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = Result<Option<User>, StoreError>> + Send;
}

/// One page of accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserPage {
    /// The accounts.
    pub users: Vec<User>,
    /// Where the next page goes on, when there is one.
    pub next: Option<Cursor>,
}

const ENABLE: &str = "UPDATE users SET active = TRUE WHERE id = $1";
/// A sign-in that is on its way opens no session any more.
const DISABLE: &str = "UPDATE users SET active = FALSE, token_epoch = token_epoch + 1 WHERE id = $1";

impl UserListStore for Database {
    async fn users(&self, after: Option<&Cursor>, limit: u32) -> Result<UserPage, StoreError> {
        const FIRST: &str = "SELECT * FROM users ORDER BY created_at DESC, id DESC LIMIT $1";
        const AFTER: &str = "SELECT * FROM users WHERE (created_at, id) < ($2, $3)
            ORDER BY created_at DESC, id DESC LIMIT $1";
        // One more than fits tells whether there is another page.
        let count = i64::from(limit) + 1;
        let rows: Vec<UserRow> = reading!(self, |pool| match after {
            None => sqlx::query_as(FIRST).bind(count).fetch_all(pool).await?,
            Some(after) => {
                sqlx::query_as(AFTER).bind(count).bind(after.at_ms).bind(after.id.to_string()).fetch_all(pool).await?
            }
        });
        let mut users = rows
            .into_iter()
            .map(|row| Credentials::try_from(row).map(|found| found.user))
            .collect::<Result<Vec<User>, _>>()?;
        let more = users.len() > limit as usize;
        users.truncate(limit as usize);
        let next = users.last().filter(|_| more).map(place);
        Ok(UserPage { users, next })
    }

    async fn enable(&self, id: Uuid) -> Result<Option<User>, StoreError> {
        writing!(self, |pool| sqlx::query(ENABLE).bind(id.to_string()).execute(pool).await?.rows_affected());
        self.user(id).await
    }

    async fn disable(&self, id: Uuid, now: Timestamp, until: Timestamp) -> Result<Option<User>, StoreError> {
        transaction!(self, |tx| {
            let done = sqlx::query(DISABLE).bind(id.to_string()).execute(&mut *tx).await?;
            if done.rows_affected() == 1 {
                end!(tx, id, Sessions::All, (now, until));
            }
        });
        self.user(id).await
    }
}

fn place(user: &User) -> Cursor {
    Cursor { first: false, at_ms: user.created_at.as_millisecond(), id: user.id }
}
