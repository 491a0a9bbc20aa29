//! What every endpoint may use. One shared value; a clone is one counter.

use crate::config::Config;
use crate::domain::account::User;
use crate::domain::event::NoteEvent;
use crate::edge::Edge;
use crate::link::Link;
use crate::live::Hub;
use crate::passwords::Passwords;
use crate::store::{Database, Files};
use crate::throttle::Throttle;
use crate::tokens::Tokens;
use std::error::Error;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

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
    /// Another instance has changed the signing keys.
    pub keys_turned: Notify,
    /// Live changes of notes.
    pub live: Hub,
    /// Cancelled when the drain begins: streams that would never end by themselves end then.
    pub draining: CancellationToken,
    /// Another process serves at this one's address: edges are not told to look elsewhere.
    pub handed_over: AtomicBool,
    /// What a caller of introspection must show.
    pub introspection_secret: Option<String>,
    /// The pace of sign-ins.
    pub throttle: Throttle,
    /// Since when the application counts what passes with time.
    pub started: Instant,
    /// Signs and reads our own tokens.
    pub tokens: Tokens,
    /// Hashes passwords, so many at once.
    pub passwords: Passwords,
}

impl Parts {
    /// Whether an account may be used.
    #[must_use]
    pub const fn may_sign_in(&self, user: &User) -> bool {
        user.active || !self.config.tokens.check_user_active
    }

    /// Milliseconds since the start, on a clock that never jumps.
    #[must_use]
    pub fn uptime_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Tells everybody concerned, at this instance and the others, that a note has changed. Call it after the commit.
    pub async fn publish(&self, event: NoteEvent) {
        match self.store.announce(&event).await {
            // It comes back from the database, in the order that all instances see.
            Ok(true) => {}
            Ok(false) => self.live.publish(event),
            Err(error) => {
                tracing::warn!(note_id = %event.note_id, error = &error as &dyn Error, "a change is announced here only");
                self.live.publish(event);
            }
        }
    }

    /// Told after the commit that has ended sessions of a user: edges hear of it, and open streams end. Those of
    /// sessions that go on come back by themselves.
    pub fn sessions_ended(&self, user: Uuid) {
        self.link.changed();
        self.live.dismiss(user);
    }
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
