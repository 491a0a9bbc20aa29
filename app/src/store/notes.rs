//! Notes in the store.

use super::moment::{id, moment};
use super::{Database, StoreError, reading, transaction, writing};
use crate::domain::attachment::Digest;
use crate::domain::note::{Content, Note};
use crate::domain::share::{Access, ShareRole};
use crate::domain::tag::Tags;
use jiff::Timestamp;
use std::future::Future;
use uuid::Uuid;

/// What is kept of notes.
pub trait NoteStore {
    /// Adds a note unless its owner has `owned_max` already; its owner becomes its first member. Whether it did.
    fn add_note(&self, new: &NewNote, owned_max: u32) -> impl Future<Output = Result<bool, StoreError>> + Send;
    /// A note as this user sees it; none when he does not.
    fn note(&self, viewer: Uuid, id: Uuid) -> impl Future<Output = Result<Option<Note>, StoreError>> + Send;
    /// Replaces the content if the note still has the version that the writer saw and he may still write. Whether it
    /// did.
    fn replace_content(&self, change: &ContentChange<'_>) -> impl Future<Output = Result<bool, StoreError>> + Send;
    /// Removes a note if it still has the version that its owner saw. What went with it, or none when it did not.
    fn remove_note(
        &self,
        owner: Uuid,
        id: Uuid,
        seen_version: i64,
    ) -> impl Future<Output = Result<Option<RemovedNote>, StoreError>> + Send;
}

/// A note to be added.
#[derive(Debug, Clone)]
pub struct NewNote {
    /// A new version 7 UUID.
    pub id: Uuid,
    /// Whose it is.
    pub owner_id: Uuid,
    /// What it holds.
    pub content: Content,
    /// Now.
    pub created_at: Timestamp,
}

/// A change of a note's content.
#[derive(Debug, Clone)]
pub struct ContentChange<'a> {
    /// The note.
    pub id: Uuid,
    /// Who writes.
    pub writer: Uuid,
    /// The version that he saw.
    pub seen_version: i64,
    /// The whole new content.
    pub content: &'a Content,
    /// Now.
    pub updated_at: Timestamp,
}

/// What went with a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovedNote {
    /// Who could see it.
    pub audience: Vec<Uuid>,
    /// The contents that its attachments had, whose files may be needed no more.
    pub digests: Vec<Digest>,
}

/// The start of a statement that reads [`NoteRow`]s, for a note `n`, its owner `o` and the viewer's membership `m`.
macro_rules! select_notes {
    ($from:literal) => {
        concat!(
            "SELECT n.id, n.title, n.body, n.tags, n.pinned, n.created_at, n.updated_at, n.version, n.detail, ",
            "o.username AS owner, m.role AS access, ",
            "(SELECT COUNT(*) FROM attachments a WHERE a.note_id = n.id) AS attachment_count ",
            $from
        )
    };
}
pub(super) use select_notes;

#[derive(sqlx::FromRow)]
pub(super) struct NoteRow {
    id: String,
    title: String,
    body: String,
    tags: String,
    pinned: bool,
    created_at: i64,
    updated_at: i64,
    version: i64,
    detail: i64,
    owner: String,
    access: String,
    attachment_count: i64,
}

impl TryFrom<NoteRow> for Note {
    type Error = StoreError;

    fn try_from(row: NoteRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: id(&row.id)?,
            owner: row.owner,
            access: access(&row.access)?,
            content: Content::stored(row.title, row.body, Tags::from_column(&row.tags), row.pinned),
            created_at: moment(row.created_at)?,
            updated_at: moment(row.updated_at)?,
            version: row.version,
            detail: row.detail,
            attachment_count: row.attachment_count,
        })
    }
}

fn access(word: &str) -> Result<Access, StoreError> {
    if word == Access::Owner.as_str() {
        return Ok(Access::Owner);
    }
    word.parse().map(|role: ShareRole| role.into()).map_err(|_| StoreError::Damaged(format!("access {word:?}")))
}

impl NoteStore for Database {
    async fn add_note(&self, new: &NewNote, owned_max: u32) -> Result<bool, StoreError> {
        // Not exact while PostgreSQL adds several at once: the limit is there against thousands, not against one more.
        const COUNT: &str = "SELECT COUNT(*) FROM notes WHERE owner_id = $1";
        const NOTE: &str = "INSERT INTO notes
            (id, owner_id, title, body, tags, pinned, haystack, created_at, updated_at, version, detail)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, 1, 0)";
        const OWNER: &str = "INSERT INTO note_members (note_id, user_id, role) VALUES ($1, $2, 'owner')";
        let (id, owner) = (new.id.to_string(), new.owner_id.to_string());
        transaction!(self, |tx| {
            let owned: i64 = sqlx::query_scalar(COUNT).bind(&owner).fetch_one(&mut *tx).await?;
            if owned >= i64::from(owned_max) {
                return Ok(false);
            }
            sqlx::query(NOTE)
                .bind(&id)
                .bind(&owner)
                .bind(new.content.title())
                .bind(new.content.text())
                .bind(new.content.tags().to_column())
                .bind(new.content.pinned())
                .bind(new.content.haystack())
                .bind(new.created_at.as_millisecond())
                .execute(&mut *tx)
                .await?;
            sqlx::query(OWNER).bind(&id).bind(&owner).execute(&mut *tx).await?;
        });
        Ok(true)
    }

    async fn note(&self, viewer: Uuid, id: Uuid) -> Result<Option<Note>, StoreError> {
        const SELECT: &str = select_notes!(
            "FROM notes n JOIN users o ON o.id = n.owner_id
            JOIN note_members m ON m.note_id = n.id AND m.user_id = $2 WHERE n.id = $1"
        );
        let row: Option<NoteRow> = reading!(self, |pool| {
            sqlx::query_as(SELECT).bind(id.to_string()).bind(viewer.to_string()).fetch_optional(pool).await?
        });
        row.map(Note::try_from).transpose()
    }

    async fn replace_content(&self, change: &ContentChange<'_>) -> Result<bool, StoreError> {
        // The check and the write are one statement: of two writers who saw the same version one wins.
        const UPDATE: &str = "UPDATE notes SET title = $1, body = $2, tags = $3, pinned = $4, haystack = $5,
            updated_at = $6, version = version + 1
            WHERE id = $7 AND version = $8 AND EXISTS (SELECT 1 FROM note_members m
                WHERE m.note_id = notes.id AND m.user_id = $9 AND m.role IN ('owner', 'editor'))";
        let changed = writing!(self, |pool| {
            sqlx::query(UPDATE)
                .bind(change.content.title())
                .bind(change.content.text())
                .bind(change.content.tags().to_column())
                .bind(change.content.pinned())
                .bind(change.content.haystack())
                .bind(change.updated_at.as_millisecond())
                .bind(change.id.to_string())
                .bind(change.seen_version)
                .bind(change.writer.to_string())
                .execute(pool)
                .await?
                .rows_affected()
        });
        Ok(changed == 1)
    }

    async fn remove_note(
        &self,
        owner: Uuid,
        note_id: Uuid,
        seen_version: i64,
    ) -> Result<Option<RemovedNote>, StoreError> {
        // The first statement takes the row's lock, so that no member and no attachment is added meanwhile.
        const LOCK: &str = "UPDATE notes SET version = version + 1 WHERE id = $1 AND owner_id = $2 AND version = $3";
        const ATTACHMENTS: &str = "DELETE FROM attachments WHERE note_id = $1 RETURNING digest";
        const MEMBERS: &str = "DELETE FROM note_members WHERE note_id = $1 RETURNING user_id";
        const NOTE: &str = "DELETE FROM notes WHERE id = $1";
        let key = note_id.to_string();
        let (members, digests): (Vec<String>, Vec<String>) = transaction!(self, |tx| {
            let lock = sqlx::query(LOCK).bind(&key).bind(owner.to_string()).bind(seen_version);
            if lock.execute(&mut *tx).await?.rows_affected() == 0 {
                return Ok(None);
            }
            let digests = sqlx::query_scalar(ATTACHMENTS).bind(&key).fetch_all(&mut *tx).await?;
            let members = sqlx::query_scalar(MEMBERS).bind(&key).fetch_all(&mut *tx).await?;
            sqlx::query(NOTE).bind(&key).execute(&mut *tx).await?;
            (members, digests)
        });
        Ok(Some(RemovedNote {
            audience: members.iter().map(|member| id(member)).collect::<Result<_, _>>()?,
            digests: digests.iter().map(|text| digest(text)).collect::<Result<_, _>>()?,
        }))
    }
}

/// A digest from a row.
pub(super) fn digest(text: &str) -> Result<Digest, StoreError> {
    text.parse().map_err(|_| StoreError::Damaged(format!("digest {text:?}")))
}
