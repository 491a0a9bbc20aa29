//! How many streams one user may hold open: each costs memory for as long as it lives.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use uuid::Uuid;

/// Streams per user: some windows on some devices.
const STREAMS_PER_USER_MAX: usize = 16;

/// The user has all the streams open that one user may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("at most {STREAMS_PER_USER_MAX} event streams at a time")]
pub struct TooManyStreams;

/// The count of each user who has a stream open.
#[derive(Debug, Clone, Default)]
pub(super) struct Slots(Arc<Mutex<HashMap<Uuid, usize>>>);

impl Slots {
    /// Counts one stream more, until the [`Slot`] is dropped.
    pub(super) fn take(&self, user: Uuid) -> Result<Slot, TooManyStreams> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(user).or_default();
        if *count == STREAMS_PER_USER_MAX {
            return Err(TooManyStreams);
        }
        *count += 1;
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
        let mut counts = self.slots.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_counted_per_user_and_come_back() {
        let slots = Slots::default();
        let taken: Vec<_> = (0..STREAMS_PER_USER_MAX).map(|_| slots.take(Uuid::nil()).expect("a slot")).collect();
        assert_eq!(slots.take(Uuid::nil()).err(), Some(TooManyStreams));
        assert!(slots.take(Uuid::from_u128(1)).is_ok());
        drop(taken);
        assert!(slots.take(Uuid::nil()).is_ok());
        assert!(slots.0.lock().expect("not poisoned").is_empty());
    }
}
