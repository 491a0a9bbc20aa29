//! The application's end of the link: the control stream on which every edge hears of keys and revocations.
//!
//! What is told lies in the store and in the signing keys. Here is only what open streams share: that something has
//! changed, and how many of them there may be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Streams at once. Each edge opens one to each process of the application.
pub const STREAMS_MAX: usize = 256;

/// Wakes open link streams. A clone is the same.
#[derive(Debug, Clone)]
pub struct Link {
    changes: watch::Sender<u64>,
    is_told: Arc<AtomicBool>,
    slots: Arc<Semaphore>,
}

/// An open stream's ear, and its place among all.
#[derive(Debug)]
pub struct Ear {
    changes: watch::Receiver<u64>,
    _slot: OwnedSemaphorePermit,
}

/// Every place is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many link streams are open")]
pub struct TooManyEdges;

impl Default for Link {
    fn default() -> Self {
        Self { changes: watch::Sender::new(0), is_told: Arc::default(), slots: Arc::new(Semaphore::new(STREAMS_MAX)) }
    }
}

impl Link {
    /// Says that revocations or keys have changed. Call it after the commit, or nothing new is found. A call that is
    /// forgotten costs time, not a revocation: streams look by themselves too.
    pub fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Says whether this process is told at once of what others write into the database. Streams look more often by
    /// themselves while it is not.
    pub fn set_told(&self, is_told: bool) {
        self.is_told.store(is_told, Relaxed);
    }

    /// What [`Link::set_told`] was told last; no at the start.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.is_told.load(Relaxed)
    }

    /// Listens from now on.
    ///
    /// # Errors
    /// [`STREAMS_MAX`] streams are open.
    pub fn listen(&self) -> Result<Ear, TooManyEdges> {
        let slot = Arc::clone(&self.slots).try_acquire_owned().map_err(|_| TooManyEdges)?;
        Ok(Ear { changes: self.changes.subscribe(), _slot: slot })
    }
}

impl Ear {
    /// Waits until something has changed since the last call. Dropping the future loses nothing.
    pub async fn change(&mut self) {
        if self.changes.changed().await.is_err() {
            // The application is gone, and with it whatever could change.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn a_change_wakes_every_stream_once() {
        let link = Link::default();
        let (mut one, mut two) = (link.listen().expect("a place"), link.listen().expect("a place"));
        assert!(one.change().now_or_never().is_none());
        for same in [&link, &link.clone()] {
            same.changed();
        }
        assert!(one.change().now_or_never().is_some(), "two changes are one look");
        assert!(one.change().now_or_never().is_none());
        assert!(two.change().now_or_never().is_some());
    }

    #[test]
    fn places_are_bounded_and_come_back() {
        let link = Link::default();
        let mut ears: Vec<_> = (0..STREAMS_MAX).map(|_| link.listen().expect("a place")).collect();
        assert_eq!(link.listen().err(), Some(TooManyEdges));
        ears.pop();
        assert!(link.listen().is_ok());
    }
}
