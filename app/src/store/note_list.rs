//! Pages of notes: those that a user can see, found by words and a tag.

use super::notes::{NoteRow, select_notes};
use super::{Database, StoreError, reading};
use crate::domain::cursor::Cursor;
use crate::domain::note::Note;
use crate::domain::search::like;
use crate::domain::tag::framed;
use futures_util::TryStreamExt;
use sqlx::AssertSqlSafe;
use std::fmt::Write;
use std::future::Future;
use uuid::Uuid;

/// A page ends early when its texts pass this, in bytes: a hundred long notes do not fit into one answer.
const PAGE_TEXT_BYTES_MAX: usize = 1024 * 1024;

/// Lists of notes.
pub trait NoteListStore {
    /// One page of the notes that this user can see: pinned first, then the newest change.
    fn notes(&self, viewer: Uuid, query: &NoteQuery) -> impl Future<Output = Result<NotePage, StoreError>> + Send;
}

/// Which notes, and from where on.
#[derive(Debug, Clone, Default)]
pub struct NoteQuery {
    /// Folded words, each of which must occur in title, text or tags.
    pub words: Vec<String>,
    /// A normal tag that the note must have.
    pub tag: Option<String>,
    /// The last note of the page before.
    pub after: Option<Cursor>,
    /// The most notes on the page.
    pub limit: u32,
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotePage {
    /// The notes.
    pub notes: Vec<Note>,
    /// Where the next page goes on, when there is one.
    pub next: Option<Cursor>,
}

impl NoteListStore for Database {
    async fn notes(&self, viewer: Uuid, query: &NoteQuery) -> Result<NotePage, StoreError> {
        let sql = AssertSqlSafe(statement(query));
        reading!(self, |pool| {
            // One more than fits tells whether there is another page.
            let mut statement = sqlx::query_as(sql).bind(viewer.to_string()).bind(i64::from(query.limit) + 1);
            if let Some(after) = &query.after {
                statement = statement.bind(after.first).bind(after.at_ms).bind(after.id.to_string());
            }
            for pattern in
                query.tag.iter().map(|tag| like(&framed(tag))).chain(query.words.iter().map(|word| like(word)))
            {
                statement = statement.bind(pattern);
            }
            let mut rows = statement.fetch(pool);
            let mut page = NotePage { notes: Vec::new(), next: None };
            let mut text_bytes = 0;
            while let Some(row) = rows.try_next().await? {
                if page.notes.len() == query.limit as usize || text_bytes >= PAGE_TEXT_BYTES_MAX {
                    page.next = page.notes.last().map(place);
                    break;
                }
                let row: NoteRow = row;
                let note = Note::try_from(row)?;
                text_bytes += note.content.text().len();
                page.notes.push(note);
            }
            Ok(page)
        })
    }
}

/// The statement's text. It depends only on which filters there are and how many words; every value is bound.
fn statement(query: &NoteQuery) -> String {
    let mut place = 2;
    let mut next = || {
        place += 1;
        place
    };
    let mut filters = String::new();
    // Writing to a string never fails.
    if query.after.is_some() {
        let _ = write!(filters, " AND (n.pinned, n.updated_at, n.id) < (${}, ${}, ${})", next(), next(), next());
    }
    if query.tag.is_some() {
        let _ = write!(filters, r" AND n.tags LIKE ${} ESCAPE '\'", next());
    }
    for _ in &query.words {
        let _ = write!(filters, r" AND n.haystack LIKE ${} ESCAPE '\'", next());
    }
    // The page is chosen by ids first, so that sorting never carries the texts of all notes.
    format!(
        "{} (SELECT n.id FROM note_members m JOIN notes n ON n.id = m.note_id WHERE m.user_id = $1{filters}
            ORDER BY n.pinned DESC, n.updated_at DESC, n.id DESC LIMIT $2) AS page
        JOIN notes n ON n.id = page.id JOIN users o ON o.id = n.owner_id
        JOIN note_members m ON m.note_id = n.id AND m.user_id = $1
        ORDER BY n.pinned DESC, n.updated_at DESC, n.id DESC",
        select_notes!("FROM")
    )
}

fn place(note: &Note) -> Cursor {
    Cursor { first: note.content.pinned(), at_ms: note.updated_at.as_millisecond(), id: note.id }
}
