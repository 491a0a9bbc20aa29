//! What is told to those who can see a note when something happens to it.

use uuid::Uuid;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// The note is new; told to its owner's other windows.
    Created,
    /// Its content, its attachments or its list of shares changed.
    Updated,
    /// It is gone.
    Deleted,
    /// The user who is told may see it from now on, or in another role.
    Shared,
    /// The user who is told may not see it any more.
    Unshared,
}

impl EventKind {
    /// The word for it on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
            Self::Shared => "shared",
            Self::Unshared => "unshared",
        }
    }
}

/// A text that is no word for what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a kind of event")]
pub struct UnknownKind;

impl std::str::FromStr for EventKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        [Self::Created, Self::Updated, Self::Deleted, Self::Shared, Self::Unshared]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(UnknownKind)
    }
}

/// One change of one note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteEvent {
    /// What happened.
    pub kind: EventKind,
    /// The note that it happened to.
    pub note_id: Uuid,
    /// The note's version afterwards.
    pub version: i64,
    /// Who did it.
    pub by: String,
    /// Who is told: fixed when it happens, because a user who lost the note is told so too.
    pub audience: Vec<Uuid>,
}

impl NoteEvent {
    /// Whether this user is told.
    #[must_use]
    pub fn concerns(&self, user: Uuid) -> bool {
        self.audience.contains(&user)
    }
}
