//! Accounts in the store.

use super::moment::{id, moment};
use super::{Database, StoreError, reading, writing};
use crate::domain::account::{Role, User, Username, fold};
use jiff::Timestamp;
use std::future::Future;
use uuid::Uuid;

/// What is kept of accounts.
pub trait AccountStore {
    /// Adds an account. A name that is taken in any case is [`StoreError::Taken`].
    fn add_user(&self, new: &NewUser) -> impl Future<Output = Result<User, StoreError>> + Send;
    /// Whether there is any account.
    fn has_users(&self) -> impl Future<Output = Result<bool, StoreError>> + Send;
    /// The account with this id.
    fn user(&self, id: Uuid) -> impl Future<Output = Result<Option<User>, StoreError>> + Send;
    /// The account with this id, unless the session of its token was ended.
    fn user_in_session(
        &self,
        id: Uuid,
        session: Option<Uuid>,
    ) -> impl Future<Output = Result<Option<User>, StoreError>> + Send;
    /// The account with this name, in any case.
    fn user_named(&self, username: &str) -> impl Future<Output = Result<Option<User>, StoreError>> + Send;
    /// The account with this id and its password hash.
    fn credentials_of(&self, id: Uuid) -> impl Future<Output = Result<Option<Credentials>, StoreError>> + Send;
    /// A password hash that looks like none of these patterns of LIKE, if there is one.
    fn hash_unlike(&self, patterns: &[String; 5]) -> impl Future<Output = Result<Option<String>, StoreError>> + Send;
    /// The account with this name and its password hash.
    fn credentials(&self, username: &str) -> impl Future<Output = Result<Option<Credentials>, StoreError>> + Send;
}

/// An account to be added.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// A new version 7 UUID.
    pub id: Uuid,
    /// The checked name.
    pub username: Username,
    /// The PHC string of the password.
    pub password_hash: String,
    /// What the account may do.
    pub role: Role,
    /// Now.
    pub created_at: Timestamp,
}

/// What a sign-in is checked against.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The account.
    pub user: User,
    /// The PHC string of its password.
    pub password_hash: String,
    /// Counts what ends all sessions together with the way in: new passwords, and that the account was disabled. A sign-in
    /// that was checked in an earlier epoch comes too late.
    pub epoch: i64,
}

#[derive(sqlx::FromRow)]
pub(super) struct UserRow {
    id: String,
    username: String,
    password_hash: String,
    role: String,
    active: bool,
    created_at: i64,
    last_login: Option<i64>,
    token_epoch: i64,
}

impl TryFrom<UserRow> for Credentials {
    type Error = StoreError;

    fn try_from(row: UserRow) -> Result<Self, StoreError> {
        let user = User {
            id: id(&row.id)?,
            username: Username::parse(&row.username).map_err(|error| StoreError::Damaged(error.to_string()))?,
            role: row.role.parse().map_err(|_| StoreError::Damaged(format!("role {:?}", row.role)))?,
            active: row.active,
            created_at: moment(row.created_at)?,
            last_login: row.last_login.map(moment).transpose()?,
        };
        Ok(Self { user, password_hash: row.password_hash, epoch: row.token_epoch })
    }
}

impl AccountStore for Database {
    async fn add_user(&self, new: &NewUser) -> Result<User, StoreError> {
        const INSERT: &str =
            "INSERT INTO users (id, username, username_folded, password_hash, role, active, created_at)
            VALUES ($1, $2, $3, $4, $5, TRUE, $6)";
        writing!(self, |pool| {
            sqlx::query(INSERT)
                .bind(new.id.to_string())
                .bind(new.username.as_str())
                .bind(new.username.folded())
                .bind(&new.password_hash)
                .bind(new.role.as_str())
                .bind(new.created_at.as_millisecond())
                .execute(pool)
                .await?;
        });
        Ok(User {
            id: new.id,
            username: new.username.clone(),
            role: new.role,
            active: true,
            // As it will be read.
            created_at: moment(new.created_at.as_millisecond())?,
            last_login: None,
        })
    }

    async fn has_users(&self) -> Result<bool, StoreError> {
        const SELECT: &str = "SELECT 1 FROM users LIMIT 1";
        let row: Option<i32> = reading!(self, |pool| sqlx::query_scalar(SELECT).fetch_optional(pool).await?);
        Ok(row.is_some())
    }

    async fn user(&self, id: Uuid) -> Result<Option<User>, StoreError> {
        Ok(self.credentials_of(id).await?.map(|found| found.user))
    }

    async fn credentials_of(&self, id: Uuid) -> Result<Option<Credentials>, StoreError> {
        const SELECT: &str = "SELECT * FROM users WHERE id = $1";
        let row: Option<UserRow> =
            reading!(self, |pool| sqlx::query_as(SELECT).bind(id.to_string()).fetch_optional(pool).await?);
        row.map(Credentials::try_from).transpose()
    }

    async fn hash_unlike(
        &self,
        [first, second, third, fourth, fifth]: &[String; 5],
    ) -> Result<Option<String>, StoreError> {
        const SELECT: &str =
            "SELECT password_hash FROM users WHERE password_hash NOT LIKE $1 AND password_hash NOT LIKE $2
            AND password_hash NOT LIKE $3 AND password_hash NOT LIKE $4 AND password_hash NOT LIKE $5 LIMIT 1";
        Ok(reading!(self, |pool| {
            let select = sqlx::query_scalar(SELECT).bind(first).bind(second).bind(third).bind(fourth).bind(fifth);
            select.fetch_optional(pool).await?
        }))
    }

    async fn user_in_session(&self, id: Uuid, session: Option<Uuid>) -> Result<Option<User>, StoreError> {
        // An unknown session was forgotten when its last refresh token expired, which ended nothing.
        const SELECT: &str = "SELECT * FROM users WHERE id = $1 AND NOT EXISTS
            (SELECT 1 FROM sessions s WHERE s.id = $2 AND s.revoked_at IS NOT NULL)";
        let session = session.map(|session| session.to_string());
        let row: Option<UserRow> = reading!(self, |pool| {
            sqlx::query_as(SELECT).bind(id.to_string()).bind(session).fetch_optional(pool).await?
        });
        Ok(row.map(Credentials::try_from).transpose()?.map(|found| found.user))
    }

    async fn user_named(&self, username: &str) -> Result<Option<User>, StoreError> {
        Ok(self.credentials(username).await?.map(|found| found.user))
    }

    async fn credentials(&self, username: &str) -> Result<Option<Credentials>, StoreError> {
        const SELECT: &str = "SELECT * FROM users WHERE username_folded = $1";
        let row: Option<UserRow> =
            reading!(self, |pool| sqlx::query_as(SELECT).bind(fold(username)).fetch_optional(pool).await?);
        row.map(Credentials::try_from).transpose()
    }
}
