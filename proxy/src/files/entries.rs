//! What is in a directory, as it was read.

use std::time::SystemTime;

/// Entries of one list: what is beyond is left out, and the list says so.
pub(super) const ENTRIES_MAX: usize = 10_000;

/// What is in a directory.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Directories first, then by name.
    pub entries: Vec<Entry>,
    /// Whether there were more.
    pub is_cut: bool,
}

/// One name in a directory.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub name: String,
    /// Its length in bytes; `None`: it is a directory.
    pub bytes: Option<u64>,
    pub modified: Option<SystemTime>,
}

impl Listing {
    /// Puts the entries in their order.
    pub(super) fn sort(&mut self) {
        self.entries.sort_unstable_by(|a, b| (a.bytes.is_some(), &a.name).cmp(&(b.bytes.is_some(), &b.name)));
    }
}
