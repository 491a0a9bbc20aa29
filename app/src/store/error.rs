//! Why the store could not do it.

/// `SQLITE_FULL`, and PostgreSQL's `disk_full`.
const FULL: [&str; 2] = ["13", "53100"];

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A unique value is taken.
    #[error("the value is taken")]
    Taken,
    /// No connection became free in time, or the server is away: worth a second try.
    #[error("the database is not available")]
    Unavailable(#[source] sqlx::Error),
    /// The disk of the database is full.
    #[error("the database has no room left")]
    Full(#[source] sqlx::Error),
    /// A row holds what the code never writes.
    #[error("a row is damaged: {0}")]
    Damaged(String),
    /// A migration failed.
    #[error("the schema could not be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A file or folder could not be made.
    #[error("the database's folder could not be made")]
    Folder(#[from] std::io::Error),
    /// Anything else.
    #[error("the database failed")]
    Failed(#[source] sqlx::Error),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(ref database) if database.is_unique_violation() => Self::Taken,
            sqlx::Error::Database(ref database) if database.code().is_some_and(|code| FULL.contains(&&*code)) => {
                Self::Full(error)
            }
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => {
                Self::Unavailable(error)
            }
            error => Self::Failed(error),
        }
    }
}
