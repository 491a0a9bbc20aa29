//! Attachments in the store: the rows. Their bytes are in [`super::Files`].

use super::moment::{id, moment};
use super::notes::digest;
use super::{Database, StoreError, reading, transaction};
use crate::domain::attachment::{ATTACHMENTS_PER_NOTE_MAX, Digest};
use crate::domain::note::Attachment;
use std::future::Future;
use uuid::Uuid;

/// What is kept of attachments.
pub trait AttachmentStore {
    /// The attachments of a note, oldest first.
    fn attachments(&self, note_id: Uuid) -> impl Future<Output = Result<Vec<Attachment>, StoreError>> + Send;
    /// An attachment of a note that this user can see.
    fn attachment(&self, viewer: Uuid, id: Uuid)
    -> impl Future<Output = Result<Option<Attachment>, StoreError>> + Send;
    /// Adds an attachment if this user may still write the note. The caller holds the digest's lock.
    fn add_attachment(
        &self,
        writer: Uuid,
        new: &Attachment,
    ) -> impl Future<Output = Result<AddedAttachment, StoreError>> + Send;
    /// Removes an attachment if this user may still write the note. The note's version, or none when it did not.
    fn remove_attachment(
        &self,
        writer: Uuid,
        attachment: &Attachment,
    ) -> impl Future<Output = Result<Option<i64>, StoreError>> + Send;
    /// Whether any attachment has this content. The caller holds the digest's lock.
    fn is_referenced(&self, digest: Digest) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// What became of a new attachment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddedAttachment {
    /// It hangs on the note.
    Added {
        /// The note's version.
        version: i64,
    },
    /// The note is gone, or the user may not write it any more.
    NoNote,
    /// The note has [`ATTACHMENTS_PER_NOTE_MAX`].
    Full,
}

/// Takes the note's lock if the user may write it.
const LOCK: &str = "UPDATE notes SET detail = detail + 1 WHERE id = $1 AND EXISTS (SELECT 1 FROM note_members m
    WHERE m.note_id = notes.id AND m.user_id = $2 AND m.role IN ('owner', 'editor')) RETURNING version";

#[derive(sqlx::FromRow)]
struct AttachmentRow {
    id: String,
    note_id: String,
    name: String,
    size_bytes: i64,
    content_type: String,
    digest: String,
    created_at: i64,
}

impl TryFrom<AttachmentRow> for Attachment {
    type Error = StoreError;

    fn try_from(row: AttachmentRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: id(&row.id)?,
            note_id: id(&row.note_id)?,
            name: row.name,
            size_bytes: row.size_bytes,
            content_type: row.content_type,
            digest: digest(&row.digest)?,
            created_at: moment(row.created_at)?,
        })
    }
}

impl AttachmentStore for Database {
    async fn attachments(&self, note_id: Uuid) -> Result<Vec<Attachment>, StoreError> {
        const SELECT: &str = "SELECT * FROM attachments WHERE note_id = $1 ORDER BY created_at, id";
        let rows: Vec<AttachmentRow> =
            reading!(self, |pool| sqlx::query_as(SELECT).bind(note_id.to_string()).fetch_all(pool).await?);
        rows.into_iter().map(Attachment::try_from).collect()
    }

    async fn attachment(&self, viewer: Uuid, id: Uuid) -> Result<Option<Attachment>, StoreError> {
        const SELECT: &str = "SELECT a.* FROM attachments a
            JOIN note_members m ON m.note_id = a.note_id AND m.user_id = $2 WHERE a.id = $1";
        let row: Option<AttachmentRow> = reading!(self, |pool| {
            sqlx::query_as(SELECT).bind(id.to_string()).bind(viewer.to_string()).fetch_optional(pool).await?
        });
        row.map(Attachment::try_from).transpose()
    }

    async fn add_attachment(&self, writer: Uuid, new: &Attachment) -> Result<AddedAttachment, StoreError> {
        const COUNT: &str = "SELECT COUNT(*) FROM attachments WHERE note_id = $1";
        const INSERT: &str = "INSERT INTO attachments (id, note_id, name, size_bytes, content_type, digest, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let note_id = new.note_id.to_string();
        let version = transaction!(self, |tx| {
            let lock = sqlx::query_scalar(LOCK).bind(&note_id).bind(writer.to_string());
            let Some(version): Option<i64> = lock.fetch_optional(&mut *tx).await? else {
                return Ok(AddedAttachment::NoNote);
            };
            let count: i64 = sqlx::query_scalar(COUNT).bind(&note_id).fetch_one(&mut *tx).await?;
            if usize::try_from(count).is_ok_and(|count| count >= ATTACHMENTS_PER_NOTE_MAX) {
                return Ok(AddedAttachment::Full);
            }
            sqlx::query(INSERT)
                .bind(new.id.to_string())
                .bind(&note_id)
                .bind(&new.name)
                .bind(new.size_bytes)
                .bind(&new.content_type)
                .bind(new.digest.to_string())
                .bind(new.created_at.as_millisecond())
                .execute(&mut *tx)
                .await?;
            version
        });
        Ok(AddedAttachment::Added { version })
    }

    async fn remove_attachment(&self, writer: Uuid, attachment: &Attachment) -> Result<Option<i64>, StoreError> {
        const DELETE: &str = "DELETE FROM attachments WHERE id = $1";
        let version = transaction!(self, |tx| {
            let lock = sqlx::query_scalar(LOCK).bind(attachment.note_id.to_string()).bind(writer.to_string());
            let Some(version): Option<i64> = lock.fetch_optional(&mut *tx).await? else { return Ok(None) };
            let delete = sqlx::query(DELETE).bind(attachment.id.to_string());
            if delete.execute(&mut *tx).await?.rows_affected() == 0 {
                return Ok(None);
            }
            version
        });
        Ok(Some(version))
    }

    async fn is_referenced(&self, digest: Digest) -> Result<bool, StoreError> {
        const SELECT: &str = "SELECT 1 FROM attachments WHERE digest = $1 LIMIT 1";
        let row: Option<i32> =
            reading!(self, |pool| sqlx::query_scalar(SELECT).bind(digest.to_string()).fetch_optional(pool).await?);
        Ok(row.is_some())
    }
}
