//! Who may do what with a note.

use std::fmt;
use std::str::FromStr;

/// How many users one note can be shared with.
pub const SHARES_PER_NOTE_MAX: usize = 100;

/// What a share grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ShareRole {
    /// Reads the note and its attachments.
    Viewer,
    /// Reads and writes the note and its attachments.
    Editor,
}

/// What a user is to a note that he can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Wrote it first; alone decides who else sees it and when it goes.
    Owner,
    /// Was given [`ShareRole::Editor`].
    Editor,
    /// Was given [`ShareRole::Viewer`].
    Viewer,
}

/// What somebody wants to do with a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Deed {
    /// See the note and download its attachments.
    Read,
    /// Change title, text, tags and pin, add and remove attachments.
    Write,
    /// Delete the note.
    Delete,
    /// See, give and take away shares.
    Share,
    /// Give up one's own share.
    Leave,
}

impl Access {
    /// Whether this access allows that deed: the whole rule of the notebook.
    #[must_use]
    pub const fn allows(self, deed: Deed) -> bool {
        match (self, deed) {
            (Self::Owner, Deed::Leave) => false,
            (Self::Owner, _)
            | (Self::Editor | Self::Viewer, Deed::Read | Deed::Leave)
            | (Self::Editor, Deed::Write) => true,
            (Self::Editor, Deed::Delete | Deed::Share) | (Self::Viewer, Deed::Write | Deed::Delete | Deed::Share) => {
                false
            }
        }
    }

    /// The word for it in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Editor => "editor",
            Self::Viewer => "viewer",
        }
    }
}

impl From<ShareRole> for Access {
    fn from(role: ShareRole) -> Self {
        match role {
            ShareRole::Viewer => Self::Viewer,
            ShareRole::Editor => Self::Editor,
        }
    }
}

impl ShareRole {
    /// The word for it in requests, answers and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
        }
    }
}

/// A word that names no [`ShareRole`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Must be \"viewer\" or \"editor\".")]
pub struct UnknownRole;

impl FromStr for ShareRole {
    type Err = UnknownRole;

    fn from_str(word: &str) -> Result<Self, UnknownRole> {
        match word {
            "viewer" => Ok(Self::Viewer),
            "editor" => Ok(Self::Editor),
            _ => Err(UnknownRole),
        }
    }
}

impl fmt::Display for ShareRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Access::{Editor, Owner, Viewer};
    use Deed::{Delete, Leave, Read, Share, Write};

    #[test]
    fn the_whole_truth_table() {
        for (deed, owner, editor, viewer) in [
            (Read, true, true, true),
            (Write, true, true, false),
            (Delete, true, false, false),
            (Share, true, false, false),
            (Leave, false, true, true),
        ] {
            for (access, allowed) in [(Owner, owner), (Editor, editor), (Viewer, viewer)] {
                assert_eq!(access.allows(deed), allowed, "{access:?} {deed:?}");
            }
        }
    }

    #[test]
    fn roles_read_as_they_are_written() {
        for role in [ShareRole::Viewer, ShareRole::Editor] {
            assert_eq!(role.to_string().parse(), Ok(role));
        }
        for word in ["owner", "Viewer", ""] {
            assert_eq!(word.parse::<ShareRole>(), Err(UnknownRole));
        }
    }
}
