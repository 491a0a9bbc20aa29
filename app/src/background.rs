//! What goes on beside the requests, as long as the database is open: signing keys follow their settings and the other
//! instances, and the kinds of password hashes are counted.

use crate::keys::KeyKeeper;
use crate::state::AppState;
use crate::store::{AccountStore, StoreError};
use jiff::Timestamp;
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// How soon an instance goes over to keys that another one or a command has changed, where nobody tells it.
const KEYS_EVERY: Duration = Duration::from_secs(5);
/// How soon hashes of a new kind, which somebody has put into the database, cost everybody the same.
const HASHES_EVERY: Duration = Duration::from_secs(60 * 60);

fn every(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// Goes over to other keys when they change, and changes them when it is time.
pub async fn keep_keys(state: AppState, keeper: KeyKeeper, mut turn: i64) {
    let mut interval = every(KEYS_EVERY);
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            () = state.keys_turned.notified() => {}
        }
        match keeper.tick(turn, Timestamp::now()).await {
            Ok(None) => {}
            Ok(Some(keys)) => {
                turn = keys.turn;
                state.tokens.replace(keys.ring);
                state.link.changed();
            }
            Err(_) if state.store.is_closed() => return,
            // The keys at hand go on signing; they are published as long as any token of them counts.
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the signing keys were not looked at");
            }
        }
    }
}

/// Looks for kinds of password hashes that nobody has counted yet.
pub async fn count_hash_kinds(state: AppState) {
    let mut interval = every(HASHES_EVERY);
    loop {
        interval.tick().await;
        match learn_hash_kinds(&state).await {
            Ok(()) => {}
            Err(_) if state.store.is_closed() => return,
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "password hashes were not counted"),
        }
    }
}

/// Counts the kinds of hashes that the database holds.
///
/// # Errors
/// The database fails.
pub async fn learn_hash_kinds(state: &AppState) -> Result<(), StoreError> {
    while let Some(hash) = state.store.hash_unlike(&state.passwords.patterns()).await? {
        if !state.passwords.learn(&hash) {
            tracing::warn!("the database holds so many kinds of password hashes that sign-ins differ in time");
            return Ok(());
        }
    }
    Ok(())
}
