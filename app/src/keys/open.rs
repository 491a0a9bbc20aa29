//! From the settings to the keys.

use super::{KeyKeeper, KeysError};
use crate::config::{Config, SigningConfig};
use crate::domain::revocation::EDGE_LEEWAY_MAX;
use crate::store::Database;
use crate::tokens::{KeyRing, Seal, SigningKey};
use jiff::Timestamp;
use serve::shared_key::load_or_create;
use std::path::Path;
use std::time::Duration;

/// Where an earlier version kept its one key.
const EARLIER: &str = "signing.pem";
/// Where the sealing secret is unless the settings say otherwise.
const SEALING: &str = "sealing.key";

/// The keys that an application starts with.
#[derive(Debug)]
pub struct Opened {
    /// The keys.
    pub ring: KeyRing,
    /// Who keeps them and the number of their last change; nobody keeps a given key.
    pub kept: Option<(KeyKeeper, i64)>,
}

/// Who keeps the keys, with secrets in `folder`; nobody where a key is given. `lifetime` is that of the longest token.
///
/// # Errors
/// The sealing secret can't be read or made.
pub fn keeper(
    signing: &SigningConfig,
    folder: &Path,
    lifetime: Duration,
    store: Database,
) -> Result<Option<KeyKeeper>, KeysError> {
    let SigningConfig::Own { rotate_after, announce, sealing_key } = signing else { return Ok(None) };
    let secret = match sealing_key {
        Some(given) => load_or_create(given, false)?,
        None => load_or_create(folder.join(SEALING), true)?,
    };
    let paces = (*rotate_after, *announce);
    Ok(Some(KeyKeeper::new(store, Seal::new(&secret)?, paces, lifetime, folder.join(EARLIER))))
}

/// The keys of this moment; the first ones are made.
///
/// # Errors
/// The given key can't be used, or the kept ones can't be read.
pub async fn open(config: &Config, store: Database, now: Timestamp) -> Result<Opened, KeysError> {
    if let SigningConfig::Given { algorithm, file } = &config.tokens.signing {
        let ring = KeyRing::new(SigningKey::given(*algorithm, file)?, Vec::new());
        return Ok(Opened { ring, kept: None });
    }
    // Tokens that are signed just before others hear of the change, and edges whose clocks are slow.
    let lifetime = config.tokens.lifetime_max().saturating_add(EDGE_LEEWAY_MAX).saturating_add(config.tokens.leeway);
    let keeper = keeper(&config.tokens.signing, &config.keys(), lifetime, store)?.ok_or(KeysError::Contended)?;
    let keys = keeper.load(now).await?;
    Ok(Opened { ring: keys.ring, kept: Some((keeper, keys.turn)) })
}
