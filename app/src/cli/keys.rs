//! `portcullis-app keys`: the signing keys from outside. Running instances follow within seconds.

use super::{block_on, say};
use crate::config::{ACCESS_LIFETIME_MAX, DatabaseUrl};
use crate::domain::revocation::outlived;
use crate::keys::{self, KeyKeeper};
use crate::store::Database;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use std::process::ExitCode;

use super::StateFlags;
use super::tokens::SigningFlags;

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Name every key: next, active, retiring.
    List(KeysFlags),
    /// Let the next key sign. Tokens of the old one go on counting until they expire.
    Rotate(RotateFlags),
    /// Take a key out at once that somebody else may have: its tokens count nowhere any more.
    Revoke(RevokeFlags),
}

#[derive(Debug, Args)]
pub(super) struct KeysFlags {
    #[command(flatten)]
    state: StateFlags,
    #[command(flatten)]
    signing: SigningFlags,
}

#[derive(Debug, Args)]
pub(super) struct RotateFlags {
    #[command(flatten)]
    keys: KeysFlags,
    /// Also when the next key is so new that an edge may not know it yet: it then asks for it at the first such token.
    #[arg(long)]
    now: bool,
}

#[derive(Debug, Args)]
pub(super) struct RevokeFlags {
    /// The key's name, as `keys list` shows it.
    id: String,
    #[command(flatten)]
    keys: KeysFlags,
}

pub(super) fn run(command: KeysCommand) -> Result<ExitCode, String> {
    match command {
        KeysCommand::List(flags) => with_keeper(flags, async |keeper| {
            let keys = keeper.list().await.map_err(|error| error.to_string())?;
            Ok(keys.iter().map(|key| format!("{} {} since {}", key.id, key.phase().as_str(), key.since())).collect())
        }),
        KeysCommand::Rotate(RotateFlags { keys, now }) => with_keeper(keys, async |keeper| {
            let active = keeper.rotate(now, Timestamp::now()).await.map_err(|error| error.to_string())?;
            Ok(vec![format!("{active} active")])
        }),
        KeysCommand::Revoke(RevokeFlags { id, keys }) => with_keeper(keys, async |keeper| {
            let now = Timestamp::now();
            // No access token lives longer, whatever the running instances are set to.
            let until = outlived(now, ACCESS_LIFETIME_MAX);
            keeper.revoke(&id, now, until).await.map_err(|error| error.to_string())?;
            Ok(vec![format!("{id} revoked")])
        }),
    }
}

fn with_keeper(
    flags: KeysFlags,
    work: impl AsyncFnOnce(&KeyKeeper) -> Result<Vec<String>, String>,
) -> Result<ExitCode, String> {
    let KeysFlags { state, signing } = flags;
    let signing = signing.into_config()?;
    let url = state.database();
    // A typing mistake must not make a second, empty database.
    if let DatabaseUrl::Sqlite(path) = &url
        && !path.exists()
    {
        return Err(format!("{}: there is no such database", path.display()));
    }
    block_on(async {
        let store = Database::open(&url).await.map_err(|error| format!("the database can't be used: {error}"))?;
        let keeper = keys::keeper(&signing, &state.keys(), std::time::Duration::MAX, store.clone());
        let keeper = keeper.map_err(|error| error.to_string())?;
        let keeper = keeper.ok_or("a given key (--signing-key) is rotated by giving another one")?;
        let said = work(&keeper).await;
        store.close().await;
        for line in said? {
            say(&mut std::io::stdout(), &line);
        }
        Ok(ExitCode::SUCCESS)
    })
}
