//! Notes: what one holds, and what a text must be to become part of one.

use super::attachment::Digest;
use super::search;
use super::share::{Access, ShareRole};
use super::tag::{BadTags, Tags};
use jiff::Timestamp;
use uuid::Uuid;

/// The longest title, in characters.
pub const TITLE_CHARS_MAX: usize = 200;
/// The longest text, in bytes of UTF-8.
pub const TEXT_BYTES_MAX: usize = 256 * 1024;

/// How many notes one user can own.
pub const NOTES_PER_OWNER_MAX: u32 = 10_000;

/// One thing that is wrong with a note that somebody sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadNote {
    /// Nothing but white space.
    #[error("Must not be blank.")]
    TitleBlank,
    /// More than [`TITLE_CHARS_MAX`].
    #[error("At most {TITLE_CHARS_MAX} characters.")]
    TitleLong,
    /// A title is one line.
    #[error("Must not contain control characters.")]
    TitleControl,
    /// More than [`TEXT_BYTES_MAX`].
    #[error("At most {TEXT_BYTES_MAX} bytes.")]
    TextLong,
    /// PostgreSQL stores no NUL, so no database here does.
    #[error("Must not contain NUL characters.")]
    TextNul,
    /// See [`BadTags`].
    #[error(transparent)]
    Tags(#[from] BadTags),
}

impl BadNote {
    /// The field at fault, as clients name it.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::TitleBlank | Self::TitleLong | Self::TitleControl => "title",
            Self::TextLong | Self::TextNul => "text",
            Self::Tags(_) => "tags",
        }
    }
}

/// What the author of a note decides, as sent: nothing checked, and everything optional for a partial change.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// The new title.
    pub title: Option<String>,
    /// The new text.
    pub text: Option<String>,
    /// The new tags, instead of all old ones.
    pub tags: Option<Vec<String>>,
    /// Whether it stands first in lists.
    pub pinned: Option<bool>,
}

/// What the author of a note decides, checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    title: String,
    text: String,
    tags: Tags,
    pinned: bool,
}

impl Content {
    /// A new note's content; what is absent is empty.
    ///
    /// # Errors
    /// Everything that is wrong with it; a missing title is a blank one.
    pub fn new(changes: Changes) -> Result<Self, Vec<BadNote>> {
        Self::default().with(Changes { title: Some(changes.title.unwrap_or_default()), ..changes })
    }

    /// What a database gave back, which was checked when it was written.
    #[must_use]
    pub const fn stored(title: String, text: String, tags: Tags, pinned: bool) -> Self {
        Self { title, text, tags, pinned }
    }

    /// This content with some parts replaced.
    ///
    /// # Errors
    /// Everything that is wrong with the new parts.
    pub fn with(self, changes: Changes) -> Result<Self, Vec<BadNote>> {
        let mut bad = Vec::new();
        let mut keep = |fault: BadNote| bad.push(fault);
        let title = changes.title.map_or(Ok(self.title), |title| check_title(&title));
        let text = changes.text.map_or(Ok(self.text), check_text);
        let tags = changes.tags.map_or(Ok(self.tags), |tags| Tags::new(&tags).map_err(BadNote::Tags));
        match (title.map_err(&mut keep), text.map_err(&mut keep), tags.map_err(&mut keep)) {
            (Ok(title), Ok(text), Ok(tags)) => {
                Ok(Self { title, text, tags, pinned: changes.pinned.unwrap_or(self.pinned) })
            }
            _ => Err(bad),
        }
    }

    /// The title: one line, trimmed.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The Markdown text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The tags.
    #[must_use]
    pub const fn tags(&self) -> &Tags {
        &self.tags
    }

    /// Whether it stands first in lists.
    #[must_use]
    pub const fn pinned(&self) -> bool {
        self.pinned
    }

    /// What searches look at.
    #[must_use]
    pub fn haystack(&self) -> String {
        search::haystack(&self.title, &self.text, self.tags.as_slice())
    }
}

fn check_title(title: &str) -> Result<String, BadNote> {
    let title = title.trim();
    if title.is_empty() {
        Err(BadNote::TitleBlank)
    } else if title.chars().count() > TITLE_CHARS_MAX {
        Err(BadNote::TitleLong)
    } else if title.chars().any(char::is_control) {
        Err(BadNote::TitleControl)
    } else {
        Ok(title.to_owned())
    }
}

fn check_text(text: String) -> Result<String, BadNote> {
    if text.len() > TEXT_BYTES_MAX {
        Err(BadNote::TextLong)
    } else if text.contains('\0') {
        Err(BadNote::TextNul)
    } else {
        Ok(text)
    }
}

/// A note as one user sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Its id.
    pub id: Uuid,
    /// The name of the user whose note it is.
    pub owner: String,
    /// What the user who asked is to it.
    pub access: Access,
    /// What its author decided.
    pub content: Content,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its content changed last.
    pub updated_at: Timestamp,
    /// Counts the changes of the content, from 1. Writers name the version that they saw.
    pub version: i64,
    /// Counts the changes of what hangs on it: shares and attachments. Two editors do not conflict over these.
    pub detail: i64,
    /// How many attachments it has.
    pub attachment_count: i64,
}

/// A user who may see a note that is not his.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// His name.
    pub username: String,
    /// What he may do.
    pub role: ShareRole,
}

/// A file that hangs on a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its id, which is not that of its bytes: two attachments may hold the same ones.
    pub id: Uuid,
    /// The note that it hangs on.
    pub note_id: Uuid,
    /// The name that people see.
    pub name: String,
    /// Its length, in bytes.
    pub size_bytes: i64,
    /// The media type that the uploader claimed.
    pub content_type: String,
    /// The digest of its bytes.
    pub digest: Digest,
    /// When it was uploaded.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn title(title: &str) -> Changes {
        Changes { title: Some(title.to_owned()), ..Changes::default() }
    }

    #[test]
    fn titles() {
        for (sent, kept) in [
            ("  Plan ", Ok("Plan".to_owned())),
            ("", Err(BadNote::TitleBlank)),
            (" \n ", Err(BadNote::TitleBlank)),
            ("a\nb", Err(BadNote::TitleControl)),
            (&"ä".repeat(200), Ok("ä".repeat(200))),
            (&"ä".repeat(201), Err(BadNote::TitleLong)),
        ] {
            let content = Content::new(title(sent)).map(|content| content.title).map_err(|bad| bad[0].clone());
            assert_eq!(content, kept, "{sent:?}");
        }
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let bad = Content::new(Changes {
            title: None,
            text: Some("x".repeat(TEXT_BYTES_MAX + 1)),
            tags: Some(vec![String::new()]),
            pinned: None,
        });
        let bad = bad.expect_err("three faults");
        assert_eq!(bad.iter().map(BadNote::field).collect::<Vec<_>>(), ["title", "text", "tags"]);
        assert!(Content::new(Changes { text: Some("a\0".into()), ..title("t") }).is_err());
        assert!(Content::new(Changes { text: Some("x".repeat(TEXT_BYTES_MAX)), ..title("t") }).is_ok());
    }

    #[test]
    fn a_change_touches_only_what_it_names() {
        let tags = Some(vec!["A".to_owned()]);
        let old = Content::new(Changes { text: Some("text".into()), tags, pinned: Some(true), ..title("old") });
        let new = old.expect("content").with(title("new")).expect("content");
        assert_eq!((new.title(), new.text(), new.pinned()), ("new", "text", true));
        assert_eq!(new.tags().as_slice(), ["a"]);
        assert_eq!(new.haystack(), "new\ntext\na");
        assert_eq!(new.clone().with(Changes::default()), Ok(new));
    }
}
