//! A database and its folder of attachments belong together: files without a row are removed, so that a start with the
//! wrong database would remove them all.

use super::{AttachmentStore, Database, Files, StoreError, reading, writing};
use std::io;
use std::path::PathBuf;
use uuid::Uuid;

/// Why a folder can't be used with a database.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// The folder says that it belongs to another database.
    #[error(
        "the attachments in {} belong to the database with the id {owner}, but {database} has the id {id}: \
         start with the right database, or with another state folder",
        folder.display()
    )]
    Foreign {
        /// The folder.
        folder: PathBuf,
        /// The database that it belongs to.
        owner: Uuid,
        /// The database that is open.
        database: String,
        /// Its id.
        id: Uuid,
    },
    /// The folder does not say whose it is, and has files of which this database knows none.
    #[error(
        "{database} knows none of the attachments in {}: start with the database that they belong to, \
         or move them away",
        folder.display()
    )]
    Unknown {
        /// The folder.
        folder: PathBuf,
        /// The database that is open.
        database: String,
    },
    /// The folder can't be used.
    #[error("the folder of attachments can't be used: {0}")]
    Folder(#[from] io::Error),
    /// The database can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes sure that the files are this database's. A folder that says nothing about it, of an older version or
/// restored without its hidden files, becomes this database's when it is empty or holds something that the database
/// knows.
///
/// # Errors
/// The files are another database's, or one of both can't be used.
pub async fn pair(files: &Files, database: &Database) -> Result<(), PairError> {
    let id = database.id().await?;
    let owner = match files.owner().await? {
        Some(owner) => owner,
        None if knows_some(files, database).await? => files.claim(id).await?,
        None => return Err(PairError::Unknown { folder: files.root().to_owned(), database: database.to_string() }),
    };
    if owner == id {
        return Ok(());
    }
    Err(PairError::Foreign { folder: files.root().to_owned(), owner, database: database.to_string(), id })
}

async fn knows_some(files: &Files, database: &Database) -> Result<bool, PairError> {
    let digests = files.digests().await?;
    for &digest in &digests {
        if database.is_referenced(digest).await? {
            return Ok(true);
        }
    }
    Ok(digests.is_empty())
}

impl Database {
    /// The id that was made for this database when it was opened for the first time.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn id(&self) -> Result<Uuid, StoreError> {
        const INSERT: &str = "INSERT INTO database_id (only_row, id) VALUES (1, $1) ON CONFLICT DO NOTHING";
        const SELECT: &str = "SELECT id FROM database_id";
        writing!(self, |pool| {
            sqlx::query(INSERT).bind(Uuid::new_v4().to_string()).execute(pool).await?;
        });
        let id: String = reading!(self, |pool| sqlx::query_scalar(SELECT).fetch_one(pool).await?);
        super::moment::id(&id)
    }
}
