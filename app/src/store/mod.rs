//! Where rows are kept: one trait a noun ([`AccountStore`], ...), implemented once for [`Database`], which is either
//! SQLite or PostgreSQL.
//!
//! The SQL is written once. Both back ends take numbered parameters (`$1`), `RETURNING` and `ON CONFLICT`; ids are
//! text, moments are milliseconds since 1970 in a `BIGINT`. Only the schema exists twice, under `migrations/`. The
//! macros below run one expression on the pool of whichever back end is open.

mod accounts;
mod attachments;
mod database;
mod error;
mod files;
mod moment;
mod note_list;
mod notes;
mod notices;
mod pairing;
mod revocations;
mod session_ends;
mod sessions;
mod shares;
mod signing_keys;
mod users;

pub use accounts::{AccountStore, Credentials, NewUser};
pub use attachments::{AddedAttachment, AttachmentStore};
pub use database::Database;
pub use error::StoreError;
pub use files::{DigestLock, Files, Received, Upload, UploadError};
pub use note_list::{NoteListStore, NotePage, NoteQuery};
pub use notes::{ContentChange, NewNote, NoteStore, RemovedNote};
pub use notices::{Announced, Ear, Notice};
pub use pairing::{PairError, pair};
pub use revocations::{LivePage, LogPlace, Recorded, RevocationStore};
pub use session_ends::SessionListStore;
pub use sessions::SessionStore;
pub use shares::{AddedShare, ShareStore};
pub use signing_keys::SigningKeyStore;
pub use users::{UserListStore, UserPage};

/// Runs an expression that only reads. `$pool` is `&SqlitePool` or `&PgPool`.
macro_rules! reading {
    ($database:expr, |$pool:ident| $body:expr) => {
        match $database {
            $crate::store::Database::Sqlite { readers: $pool, .. } => $body,
            $crate::store::Database::Postgres($pool) => $body,
        }
    };
}

/// Runs an expression that writes with one statement, which is atomic by itself.
macro_rules! writing {
    ($database:expr, |$pool:ident| $body:expr) => {
        match $database {
            $crate::store::Database::Sqlite { writer: $pool, .. } => $body,
            $crate::store::Database::Postgres($pool) => $body,
        }
    };
}

/// Runs a block of several statements in one transaction, inside a function that returns a `StoreError`. The block
/// uses `&mut *$tx` as executor; leaving it by `?` rolls back, its value is returned after the commit.
macro_rules! transaction {
    ($database:expr, |$tx:ident| $body:block) => {
        match $database {
            $crate::store::Database::Sqlite { writer, .. } => {
                // A deferred transaction that first reads and then writes fails with SQLITE_BUSY_SNAPSHOT.
                let mut $tx = writer.begin_with("BEGIN IMMEDIATE").await?;
                let value = $body;
                $tx.commit().await?;
                value
            }
            $crate::store::Database::Postgres(pool) => {
                let mut $tx = pool.begin().await?;
                let value = $body;
                $tx.commit().await?;
                value
            }
        }
    };
}

pub(crate) use {reading, transaction, writing};
