//! The signing keys of our own over time: made at the first start, rotated by age and by command, agreed on by every
//! instance through the database.
//!
//! They are in the database and not in a folder, because several instances must sign with one key and verify with the
//! same ones, and the database is what they share. There they are sealed with a secret from a file.

mod open;

pub use open::{Opened, keeper, open};

use crate::domain::revocation::Revocation;
use crate::domain::signing_key::{Phase, StoredKey, Turn, gone, is_due};
use crate::store::{Database, SigningKeyStore, StoreError};
use crate::tokens::{KeyError, KeyRing, Seal, SealError, SigningKey};
use jiff::{SignedDuration, Timestamp};
use serve::shared_key::SharedKeyError;
use std::path::PathBuf;
use std::time::Duration;

/// How often another instance may be faster before it is given up; each time one has succeeded.
const TRIES_MAX: u32 = 16;

/// Why keys can't be had or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The database.
    #[error("the signing keys can't be read: {0}")]
    Store(#[from] StoreError),
    /// No random bytes, or the key of an earlier version can't be read.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Sealing failed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The sealing secret can't be read or made.
    #[error(transparent)]
    Secret(#[from] SharedKeyError),
    /// Another secret than that of the instance that has made the keys.
    #[error("the signing key {id} was sealed with another secret: give every instance the same --sealing-key")]
    Sealed {
        /// The key's name.
        id: String,
    },
    /// The next key is not known everywhere yet.
    #[error("the next key is published since {since}; edges know it for sure at {ready}: wait, or rotate with --now")]
    TooEarly {
        /// When it was made.
        since: Timestamp,
        /// When it may sign.
        ready: Timestamp,
    },
    /// There is no such key.
    #[error("there is no key {id}; `portcullis-app keys list` names them")]
    Unknown {
        /// The name that was given.
        id: String,
    },
    /// Other instances were faster each time.
    #[error("the signing keys are changed by others all the time")]
    Contended,
}

/// Keeps the keys.
#[derive(Debug)]
pub struct KeyKeeper {
    store: Database,
    seal: Seal,
    rotate_after: Duration,
    announce: Duration,
    /// How long a token may count, everywhere.
    lifetime: Duration,
    /// Where an earlier version kept its key.
    earlier: PathBuf,
}

/// The keys of one moment, with the number of their last change.
#[derive(Debug)]
pub struct Keys {
    /// The number.
    pub turn: i64,
    /// The keys, opened.
    pub ring: KeyRing,
}

impl KeyKeeper {
    /// Keeps the keys in `store`, sealed. `lifetime` is that of the longest token, with every leeway.
    #[must_use]
    pub const fn new(
        store: Database,
        seal: Seal,
        (rotate_after, announce): (Duration, Duration),
        lifetime: Duration,
        earlier: PathBuf,
    ) -> Self {
        Self { store, seal, rotate_after, announce, lifetime, earlier }
    }

    /// The keys; the first ones are made.
    ///
    /// # Errors
    /// The database fails, or the keys were sealed with another secret.
    pub async fn load(&self, now: Timestamp) -> Result<Keys, KeysError> {
        for _ in 0..TRIES_MAX {
            let (turn, keys) = self.store.signing_keys().await?;
            if keys.iter().any(|key| key.phase() == Phase::Active) {
                return Ok(Keys { turn, ring: self.open(&keys)? });
            }
            let first = match SigningKey::from_earlier_file(&self.earlier)? {
                Some(key) => key,
                None => SigningKey::generate()?,
            };
            let first = StoredKey { active_at: Some(now), ..self.stored(&first, now)? };
            let insert = vec![first, self.stored(&SigningKey::generate()?, now)?];
            self.store.turn_signing_keys(turn, &Turn { insert, ..Turn::default() }, now).await?;
        }
        Err(KeysError::Contended)
    }

    /// Does what time asks for: rotates a key that is due, removes one that is gone. The keys when they are others than
    /// those of the change `seen`.
    ///
    /// # Errors
    /// As [`KeyKeeper::load`].
    pub async fn tick(&self, seen: i64, now: Timestamp) -> Result<Option<Keys>, KeysError> {
        let (turn, keys) = self.store.signing_keys().await?;
        let mut wanted = Turn { remove: gone(&keys, self.lifetime, now), ..Turn::default() };
        if is_due(&keys, self.rotate_after, self.announce, now) {
            wanted = Turn { remove: wanted.remove, ..self.rotation(&keys, now)? };
        }
        if wanted != Turn::default() && self.store.turn_signing_keys(turn, &wanted, now).await? {
            tracing::info!(active = wanted.activate, gone = ?wanted.remove, "the signing keys have changed");
        } else if turn == seen {
            return Ok(None);
        }
        self.load(now).await.map(Some)
    }

    /// Lets the next key sign. Unless `at_once`, only when edges know it already. Returns the name of the key that signs.
    ///
    /// # Errors
    /// As [`KeyKeeper::load`], or the next key is too young.
    pub async fn rotate(&self, at_once: bool, now: Timestamp) -> Result<String, KeysError> {
        for _ in 0..TRIES_MAX {
            self.load(now).await?;
            let (turn, keys) = self.store.signing_keys().await?;
            let next = keys.iter().find(|key| key.phase() == Phase::Next);
            if let Some(next) = next.filter(|next| !at_once && !next.is_older(self.announce, now)) {
                let announce = SignedDuration::try_from(self.announce).unwrap_or(SignedDuration::MAX);
                let ready = next.created_at.checked_add(announce).unwrap_or(Timestamp::MAX);
                return Err(KeysError::TooEarly { since: next.created_at, ready });
            }
            let rotation = self.rotation(&keys, now)?;
            if self.store.turn_signing_keys(turn, &rotation, now).await? {
                let inserted = rotation.insert.into_iter().find(|key| key.active_at.is_some()).map(|key| key.id);
                return Ok(rotation.activate.or(inserted).unwrap_or_default());
            }
        }
        Err(KeysError::Contended)
    }

    /// Takes a key out at once, because somebody else may have it: its tokens count nowhere any more. `until` is when the
    /// last of them has expired.
    ///
    /// # Errors
    /// As [`KeyKeeper::load`], or there is no such key.
    pub async fn revoke(&self, id: &str, now: Timestamp, until: Timestamp) -> Result<(), KeysError> {
        for _ in 0..TRIES_MAX {
            let (turn, keys) = self.store.signing_keys().await?;
            let key = keys.iter().find(|key| key.id == id).ok_or_else(|| KeysError::Unknown { id: id.to_owned() })?;
            let mut wanted = match key.phase() {
                Phase::Active => self.rotation(&keys, now)?,
                Phase::Next => Turn { insert: vec![self.stored(&SigningKey::generate()?, now)?], ..Turn::default() },
                Phase::Retiring => Turn::default(),
            };
            wanted.remove.push(id.to_owned());
            wanted.revoke = Some(Revocation::key(id, until));
            if self.store.turn_signing_keys(turn, &wanted, now).await? {
                return Ok(());
            }
        }
        Err(KeysError::Contended)
    }

    /// Every key, the oldest first.
    ///
    /// # Errors
    /// The database fails.
    pub async fn list(&self) -> Result<Vec<StoredKey>, KeysError> {
        Ok(self.store.signing_keys().await?.1)
    }

    /// The active key retires, the next one signs, a new next one is published.
    fn rotation(&self, keys: &[StoredKey], now: Timestamp) -> Result<Turn, KeysError> {
        let named = |phase| keys.iter().filter(move |key| key.phase() == phase).map(|key| key.id.clone());
        let mut turn =
            Turn { retire: named(Phase::Active).collect(), activate: named(Phase::Next).next(), ..Turn::default() };
        if turn.activate.is_none() {
            turn.insert.push(StoredKey { active_at: Some(now), ..self.stored(&SigningKey::generate()?, now)? });
        }
        turn.insert.push(self.stored(&SigningKey::generate()?, now)?);
        Ok(turn)
    }

    fn stored(&self, key: &SigningKey, now: Timestamp) -> Result<StoredKey, KeysError> {
        let (id, sealed) = (key.id().unwrap_or_default().to_owned(), key.sealed(&self.seal)?);
        Ok(StoredKey { id, sealed, created_at: now, active_at: None, retired_at: None })
    }

    fn open(&self, keys: &[StoredKey]) -> Result<KeyRing, KeysError> {
        let (mut active, mut others) = (None, Vec::new());
        for stored in keys {
            let StoredKey { id, sealed, .. } = stored;
            let key = SigningKey::open(&self.seal, id, sealed).ok_or_else(|| KeysError::Sealed { id: id.clone() })?;
            if stored.phase() == Phase::Active && active.is_none() { active = Some(key) } else { others.push(key) }
        }
        active.map(|active| KeyRing::new(active, others)).ok_or(KeysError::Contended)
    }
}
