//! The open database: SQLite with one writer and several readers, or a PostgreSQL pool.

use super::StoreError;
use crate::config::DatabaseUrl;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

static SQLITE: Migrator = sqlx::migrate!("./migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("./migrations/postgres");

/// How long a request waits for a connection before it is answered 503.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long SQLite waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const SQLITE_READERS_MAX: u32 = 4;
const POSTGRES_CONNECTIONS_MAX: u32 = 16;

/// The open database. A clone shares the connections.
#[derive(Debug, Clone)]
pub enum Database {
    /// SQLite allows one writer at a time: its own pool of one connection queues writers fairly, where SQLite's busy
    /// handler would let them sleep and starve.
    Sqlite {
        /// Connections that only read.
        readers: SqlitePool,
        /// The connection that writes.
        writer: SqlitePool,
    },
    /// PostgreSQL.
    Postgres(PgPool),
}

impl Database {
    /// Opens the database, making a SQLite file if there is none, and brings the schema up to date.
    ///
    /// # Errors
    /// The database can't be reached or its schema can't be brought up to date.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        match url {
            DatabaseUrl::Sqlite(path) => Self::open_sqlite(path).await,
            DatabaseUrl::Postgres(url) => {
                let pool = PgPoolOptions::new()
                    .max_connections(POSTGRES_CONNECTIONS_MAX)
                    .acquire_timeout(ACQUIRE_TIMEOUT)
                    .connect(url)
                    .await?;
                POSTGRES.run(&pool).await?;
                Ok(Self::Postgres(pool))
            }
        }
    }

    async fn open_sqlite(path: &Path) -> Result<Self, StoreError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        // Made here and not by SQLite, which would let others read it; its log and index files take over the mode.
        OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        // Instances that start together must not make the schema together: SQLite has no lock that would last from the
        // first look at the schema to its end. Released when this function returns.
        let _alone = alone(path.with_extension("opening")).await?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .journal_mode(SqliteJournalMode::Wal)
            // In WAL mode only FULL syncs the log at each commit: what was acknowledged survives a power cut.
            .synchronous(SqliteSynchronous::Full);
        let pool = |max| SqlitePoolOptions::new().max_connections(max).acquire_timeout(ACQUIRE_TIMEOUT);
        let writer = pool(1).connect_with(options.clone()).await?;
        SQLITE.run(&writer).await?;
        let readers = pool(SQLITE_READERS_MAX).connect_with(options.pragma("query_only", "ON")).await?;
        Ok(Self::Sqlite { readers, writer })
    }

    /// Whether [`Database::close`] was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        match self {
            Self::Sqlite { writer, .. } => writer.is_closed(),
            Self::Postgres(pool) => pool.is_closed(),
        }
    }

    /// Closes every connection; SQLite folds its log into the file.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { readers, writer } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// Waits until no other process holds this lock file, and takes it.
async fn alone(path: PathBuf) -> std::io::Result<File> {
    let lock = move || {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        file.lock().map(|()| file)
    };
    tokio::task::spawn_blocking(lock).await.map_err(std::io::Error::other)?
}

/// Names the database for an operator, without user and password.
impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite { writer, .. } => write!(f, "sqlite://{}", writer.connect_options().get_filename().display()),
            Self::Postgres(pool) => {
                let options = pool.connect_options();
                let name = options.get_database().unwrap_or_default();
                write!(f, "postgres://{}:{}/{name}", options.get_host(), options.get_port())
            }
        }
    }
}
