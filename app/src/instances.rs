//! What the other instances on the same database have done, at once: revocations go on to the edges and end event
//! streams, changes of notes go to the event streams, keys are read again.
//!
//! A notice may get lost with its connection, and nobody repeats it. So after each connecting, the first one too,
//! everything is looked at that could have been told meanwhile: the log of revocations from the place that was reached,
//! the keys; event streams are told that they may have missed something, and their clients load anew.

use crate::domain::revocation::{Revocation, RevocationKind};
use crate::state::AppState;
use crate::store::{Announced, Ear, LogPlace, Notice, RevocationStore, StoreError};
use jiff::Timestamp;
use std::error::Error;
use std::time::Duration;

/// How long to wait before connecting again: at first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Revocations that are read at once.
const PAGE: u32 = 500;

/// Follows the other instances.
#[derive(Debug)]
pub struct Follower {
    state: AppState,
    /// Everything in the log up to here has been seen.
    place: LogPlace,
    ear: Option<Ear>,
}

impl Follower {
    /// Listens from now on, before the first request comes, if that can be done; `place` is the end of the log.
    pub async fn new(state: AppState, place: LogPlace) -> Self {
        let mut follower = Self { state, place, ear: None };
        match follower.connect().await {
            Ok(ear) => follower.ear = ear,
            Err(error) => follower.is_deaf(&error),
        }
        follower
    }

    /// Takes what is told, until the database is closed. Returns at once where nobody tells (SQLite).
    pub async fn run(mut self) {
        let state = self.state.clone();
        tokio::select! {
            () = state.store.closed() => {}
            () = self.follow() => {}
        }
    }

    async fn follow(&mut self) {
        let mut pause = PAUSE.0;
        loop {
            let connected = match self.ear.take() {
                Some(ear) => Ok(Some(ear)),
                None => self.connect().await,
            };
            let error = match connected {
                Ok(None) => return,
                Ok(Some(ear)) => {
                    pause = PAUSE.0;
                    self.hear(ear).await
                }
                Err(error) => error,
            };
            self.is_deaf(&error);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    /// Listens, then looks at what was missed until then: in this order nothing falls between.
    async fn connect(&mut self) -> Result<Option<Ear>, StoreError> {
        let Some(ear) = self.state.store.listen().await? else { return Ok(None) };
        self.catch_up().await?;
        self.state.link.set_told(true);
        tracing::info!("the other instances are heard");
        Ok(Some(ear))
    }

    /// Hears on one connection until it fails; says why.
    async fn hear(&mut self, mut ear: Ear) -> StoreError {
        loop {
            let done = match ear.hear().await {
                Ok(notice) => self.take(notice).await,
                Err(error) => Err(error),
            };
            if let Err(error) = done {
                return error;
            }
        }
    }

    /// The streams to the edges look by themselves until the next connection.
    fn is_deaf(&self, error: &StoreError) {
        self.state.link.set_told(false);
        self.state.link.changed();
        tracing::warn!(error = error as &dyn Error, "the other instances are not heard");
    }

    /// Everything that could have been told while nobody listened.
    async fn catch_up(&mut self) -> Result<(), StoreError> {
        // A backup that was restored meanwhile has another log: all that it has in force is news.
        if !self.state.store.knows(&self.place).await? {
            self.place = LogPlace::default();
        }
        self.state.link.changed();
        self.state.keys_turned.notify_one();
        self.state.live.missed();
        self.end_streams().await
    }

    async fn take(&mut self, notice: Notice) -> Result<(), StoreError> {
        match notice {
            // Of several in one transaction the first has led to all.
            Notice::Revoked(sequence) if sequence <= self.place.sequence => Ok(()),
            Notice::Revoked(_) => {
                self.state.link.changed();
                self.end_streams().await
            }
            Notice::KeysTurned => {
                self.state.keys_turned.notify_one();
                Ok(())
            }
            Notice::Changed(Announced { id, event }) => {
                self.state.live.publish_as(id, event);
                Ok(())
            }
            // An instance of a later version.
            Notice::Unknown => self.catch_up().await,
        }
    }

    /// Ends the event streams of the sessions that the log says have ended, from the place on.
    async fn end_streams(&mut self) -> Result<(), StoreError> {
        loop {
            let page = self.state.store.revocations_after(self.place.sequence, Timestamp::now(), PAGE).await?;
            for recorded in page.entries {
                let Revocation { kind, value, .. } = recorded.revocation;
                if let (RevocationKind::Session, Ok(session)) = (kind, value.parse()) {
                    self.state.live.dismiss_session(session);
                }
                self.place = recorded.place;
            }
            if !page.more {
                return Ok(());
            }
        }
    }
}
