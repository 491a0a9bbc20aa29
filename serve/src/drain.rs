//! Stopping without losing work: nothing new is accepted, what is under way finishes, and a deadline ends the rest.

use crate::timer;
use std::cell::Cell;
use std::rc::Rc;
use tokio::sync::Notify;

/// The drain of one worker.
#[derive(Debug, Default)]
pub struct Drain {
    begun: Cell<bool>,
    open: Cell<usize>,
    beginning: Notify,
    closed: Notify,
}

impl Drain {
    /// Nothing open, not begun.
    #[must_use]
    pub fn new() -> Rc<Self> {
        Rc::default()
    }

    /// Stops accepting, tells every connection, and wakes those that wait.
    pub fn begin(&self) {
        self.begun.set(true);
        self.beginning.notify_waiters();
        timer::wake_all();
    }

    /// Whether the drain has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.begun.get()
    }

    /// Waits until the drain begins.
    pub async fn begun(&self) {
        let mut beginning = std::pin::pin!(self.beginning.notified());
        // Registered before the look, so that a beginning between the two is not missed.
        beginning.as_mut().enable();
        if !self.has_begun() {
            beginning.await;
        }
    }

    /// Counts one connection (or other work that a stop waits for) as open until the value is dropped.
    #[must_use]
    pub fn open(self: &Rc<Self>) -> Open {
        self.open.set(self.open.get() + 1);
        Open(Rc::clone(self))
    }

    /// How many are open.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.open.get()
    }

    /// Waits until nothing is open.
    pub async fn all_closed(&self) {
        while self.open.get() > 0 {
            let mut closed = std::pin::pin!(self.closed.notified());
            closed.as_mut().enable();
            if self.open.get() == 0 {
                return;
            }
            closed.await;
        }
    }
}

/// Something that a stop waits for.
#[derive(Debug)]
pub struct Open(Rc<Drain>);

impl Open {
    /// The drain that waits for it.
    #[must_use]
    pub fn drain(&self) -> &Rc<Drain> {
        &self.0
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get().saturating_sub(1));
        if self.0.open.get() == 0 {
            self.0.closed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn a_drain_waits_for_all_that_is_open() {
        let drain = Drain::new();
        let (first, second) = (drain.open(), drain.open());
        drain.begin();
        drain.begun().await;
        let closing = async {
            drop(first);
            tokio::task::yield_now().await;
            assert_eq!(drain.open_count(), 1);
            drop(second);
        };
        tokio::join!(drain.all_closed(), closing);
    }
}
