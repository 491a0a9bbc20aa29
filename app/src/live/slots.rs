//! How many streams may be open: each costs memory for as long as it lives, and counts as a request in flight.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use uuid::Uuid;

/// Streams per user: some windows on some devices.
const STREAMS_PER_USER_MAX: usize = 16;

/// Why no other stream is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooManyStreams {
    /// The user has all the streams open that one user may have.
    #[error("at most {STREAMS_PER_USER_MAX} event streams of one user at a time")]
    OfUser,
    /// All users together have all the streams open that this process may have.
    #[error("too many event streams are open")]
    OfAll,
}

/// The count of each user who has a stream open.
#[derive(Debug, Clone)]
pub(super) struct Slots {
    streams_max: usize,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Debug, Default)]
struct Counts {
    of_all: usize,
    of_users: HashMap<Uuid, usize>,
}

impl Slots {
    /// Slots for `streams_max` streams of all users together.
    pub(super) fn new(streams_max: usize) -> Self {
        Self { streams_max, counts: Arc::default() }
    }

    /// Counts one stream more, until the [`Slot`] is dropped.
    pub(super) fn take(&self, user: Uuid) -> Result<Slot, TooManyStreams> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        // First: who holds too many himself is told so, whatever the others do.
        let of_user = counts.of_users.get(&user).copied().unwrap_or_default();
        if of_user >= STREAMS_PER_USER_MAX {
            return Err(TooManyStreams::OfUser);
        }
        if counts.of_all >= self.streams_max {
            return Err(TooManyStreams::OfAll);
        }
        counts.of_all += 1;
        counts.of_users.insert(user, of_user + 1);
        Ok(Slot { slots: self.clone(), user })
    }
}

/// One open stream.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Slots,
    user: Uuid,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.slots.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.of_all -= 1;
        if let Some(of_user) = counts.of_users.get_mut(&self.user) {
            *of_user -= 1;
            if *of_user == 0 {
                counts.of_users.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_counted_per_user_and_come_back() {
        let slots = Slots::new(STREAMS_PER_USER_MAX + 1);
        let taken: Vec<_> = (0..STREAMS_PER_USER_MAX).map(|_| slots.take(Uuid::nil()).expect("a slot")).collect();
        let other = slots.take(Uuid::from_u128(1)).expect("a slot");
        assert_eq!(slots.take(Uuid::nil()).err(), Some(TooManyStreams::OfUser));
        assert_eq!(slots.take(Uuid::from_u128(1)).err(), Some(TooManyStreams::OfAll));
        drop(taken);
        assert!(slots.take(Uuid::nil()).is_ok());
        drop(other);
        let counts = slots.counts.lock().expect("not poisoned");
        assert_eq!((counts.of_all, counts.of_users.len()), (0, 0));
    }
}
