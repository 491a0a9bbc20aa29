//! Notes as clients send and see them.

use crate::domain::markdown;
use crate::domain::note::{Attachment, Changes, Content, Note, Share};
use crate::error::ApiError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A note as one user sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct NoteView {
    id: String,
    title: String,
    /// Markdown.
    text: String,
    /// The text as HTML that is safe to show.
    html: String,
    tags: Vec<String>,
    pinned: bool,
    /// The owner's name.
    owner: String,
    /// `owner`, `editor` or `viewer`: what the caller is.
    access: &'static str,
    /// With whom it is shared; only the owner sees that.
    shares: Vec<ShareView>,
    attachments: Vec<AttachmentView>,
    created_at: String,
    updated_at: String,
    /// Counts the changes of title, text, tags and pin.
    version: i64,
}

impl NoteView {
    /// `html` is the rendered text.
    pub(super) fn new(note: Note, html: String, shares: Vec<Share>, attachments: Vec<Attachment>) -> Self {
        Self {
            id: note.id.to_string(),
            title: note.content.title().to_owned(),
            html,
            text: note.content.text().to_owned(),
            tags: note.content.tags().as_slice().to_vec(),
            pinned: note.content.pinned(),
            owner: note.owner,
            access: note.access.as_str(),
            shares: shares.into_iter().map(ShareView::from).collect(),
            attachments: attachments.into_iter().map(AttachmentView::from).collect(),
            created_at: note.created_at.to_string(),
            updated_at: note.updated_at.to_string(),
            version: note.version,
        }
    }
}

/// A note in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct NoteSummary {
    id: String,
    title: String,
    /// Markdown.
    text: String,
    /// The first words, plain.
    excerpt: String,
    tags: Vec<String>,
    pinned: bool,
    /// The owner's name.
    owner: String,
    /// `owner`, `editor` or `viewer`: what the caller is.
    access: &'static str,
    attachment_count: i64,
    created_at: String,
    updated_at: String,
    version: i64,
}

impl From<Note> for NoteSummary {
    fn from(note: Note) -> Self {
        Self {
            id: note.id.to_string(),
            title: note.content.title().to_owned(),
            excerpt: markdown::excerpt(note.content.text()),
            text: note.content.text().to_owned(),
            tags: note.content.tags().as_slice().to_vec(),
            pinned: note.content.pinned(),
            owner: note.owner,
            access: note.access.as_str(),
            attachment_count: note.attachment_count,
            created_at: note.created_at.to_string(),
            updated_at: note.updated_at.to_string(),
            version: note.version,
        }
    }
}

/// A user that a note is shared with.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShareView {
    username: String,
    /// `viewer` or `editor`.
    role: &'static str,
}

impl From<Share> for ShareView {
    fn from(share: Share) -> Self {
        Self { username: share.username, role: share.role.as_str() }
    }
}

/// A file that hangs on a note.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttachmentView {
    id: String,
    name: String,
    /// In bytes.
    size: i64,
    content_type: String,
    /// SHA-256 of the bytes, in hexadecimal.
    digest: String,
    created_at: String,
}

impl From<Attachment> for AttachmentView {
    fn from(attachment: Attachment) -> Self {
        Self {
            id: attachment.id.to_string(),
            name: attachment.name,
            size: attachment.size_bytes,
            content_type: attachment.content_type,
            digest: attachment.digest.to_string(),
            created_at: attachment.created_at.to_string(),
        }
    }
}

/// What an author sends. A new note needs a title, a replacement everything, a change any part.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct NoteInput {
    /// 1 to 200 characters, one line.
    title: Option<String>,
    /// Markdown, at most 256 KiB.
    text: Option<String>,
    /// At most 20 of 1 to 40 characters; kept in lower case.
    tags: Option<Vec<String>>,
    /// Whether it stands first in lists.
    pinned: Option<bool>,
}

impl NoteInput {
    /// For a replacement: a part that was left out must not be emptied silently.
    pub(super) fn complete(&self) -> Result<(), ApiError> {
        let absent = [
            ("title", self.title.is_none()),
            ("text", self.text.is_none()),
            ("tags", self.tags.is_none()),
            ("pinned", self.pinned.is_none()),
        ];
        let mut missing = absent.into_iter().filter(|(_, absent)| *absent).peekable();
        if missing.peek().is_none() {
            return Ok(());
        }
        Err(missing
            .fold(ApiError::validation(), |error, (field, _)| error.with_field(field, "This field is required.")))
    }

    /// The content of a new note.
    pub(super) fn create(self) -> Result<Content, ApiError> {
        Content::new(self.into()).map_err(invalid)
    }

    /// The content of a note after this change.
    pub(super) fn apply(&self, old: Content) -> Result<Content, ApiError> {
        old.with(self.clone().into()).map_err(invalid)
    }
}

impl From<NoteInput> for Changes {
    fn from(input: NoteInput) -> Self {
        Self { title: input.title, text: input.text, tags: input.tags, pinned: input.pinned }
    }
}

fn invalid(faults: Vec<crate::domain::note::BadNote>) -> ApiError {
    faults.iter().fold(ApiError::validation(), |error, fault| error.with_field(fault.field(), fault.to_string()))
}
