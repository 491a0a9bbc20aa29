//! What every endpoint may use. One shared value; a clone is one counter.

use crate::config::Config;
use crate::edge::Edge;
use crate::link::Link;
use crate::live::Hub;
use crate::passwords::Passwords;
use crate::store::{Database, Files};
use crate::tokens::Tokens;
use std::ops::Deref;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The parts that endpoints share. The notebook's own parts stand here beside the others.
#[derive(Debug)]
pub struct Parts {
    /// What the application was told at its start.
    pub config: Config,
    /// Rows.
    pub store: Database,
    /// Whose word about the caller counts.
    pub edge: Edge,
    /// The bytes of attachments.
    pub files: Files,
    /// Wakes the edges' streams; told after each commit that revokes something or changes a key.
    pub link: Link,
    /// Live changes of notes.
    pub live: Hub,
    /// Cancelled when the drain begins: streams that would never end by themselves end then.
    pub draining: CancellationToken,
    /// Signs and reads our own tokens.
    pub tokens: Tokens,
    /// Hashes passwords, so many at once.
    pub passwords: Passwords,
}

/// The shared parts, as axum hands them to endpoints.
#[derive(Debug, Clone)]
pub struct AppState(Arc<Parts>);

impl AppState {
    /// Shares the parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for AppState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
