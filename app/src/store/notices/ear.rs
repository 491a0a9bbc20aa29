//! A connection of its own on which an instance hears notices.

use super::{CHANNELS, Notice};
use crate::store::StoreError;
use sqlx::postgres::{PgListener, PgNotification, PgPool, PgPoolOptions};
use std::time::Duration;
use tokio::time::timeout;

/// How long the connection may be silent before it is asked whether it still is one.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// How long it may take to connect, and to answer that.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// How the connection is called in `pg_stat_activity`.
const NAME: &str = "portcullis-app notices";

/// Hears what is told from its opening on.
pub struct Ear(PgListener);

impl std::fmt::Debug for Ear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ear").finish_non_exhaustive()
    }
}

impl Ear {
    /// Opens it, to the database of this pool.
    pub(super) async fn open(pool: &PgPool) -> Result<Self, StoreError> {
        // Of one connection, which is neither lent to anybody nor replaced for its age.
        let own = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let options = pool.connect_options().as_ref().clone().application_name(NAME);
        let own = own.acquire_timeout(ANSWER_MAX).connect_with(options).await?;
        let mut listener = PgListener::connect_with(&own).await?;
        // Who hears the loss first, connects anew first, reads what was missed next: in this order nothing falls between.
        listener.eager_reconnect(false);
        listener.listen_all(CHANNELS).await?;
        Ok(Self(listener))
    }

    /// The next notice. Dropping the future loses nothing.
    ///
    /// # Errors
    /// The connection is lost, and with it what is told until there is another one.
    pub async fn hear(&mut self) -> Result<Notice, StoreError> {
        loop {
            match timeout(SILENCE_MAX, self.0.try_recv()).await {
                Ok(Ok(Some(told))) => return Ok(read(&told)),
                Ok(Ok(None)) => return Err(lost()),
                Ok(Err(error)) => return Err(error.into()),
                // A host that has vanished closes nothing.
                Err(_) => self.is_alive().await?,
            }
        }
    }

    async fn is_alive(&mut self) -> Result<(), StoreError> {
        let asked = timeout(ANSWER_MAX, sqlx::query("SELECT 1").execute(&mut self.0)).await;
        asked.map_err(|_| lost())?.map(drop).map_err(StoreError::from)
    }
}

fn read(told: &PgNotification) -> Notice {
    Notice::read(told.channel(), told.payload())
}

fn lost() -> StoreError {
    StoreError::Unavailable(sqlx::Error::Io(std::io::ErrorKind::ConnectionAborted.into()))
}
