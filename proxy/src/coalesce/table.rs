//! The calls under way, and who leads and who waits.

use super::key::CallKey;
use super::take::Held;
use crate::budget::Budget;
use http::{HeaderMap, StatusCode};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Calls at once in the whole process. More are made alone.
const CALLS_MAX: usize = 4096;

/// Bytes of bodies, of requests and answers, that all routes together hold.
const ROOM_BYTES: u64 = 32 * 1024 * 1024;

/// The calls under way, shared by all workers. `E` says why a call failed.
pub struct Coalescer<E> {
    calls: Mutex<HashMap<CallKey, Call<E>>>,
    room: Arc<Budget>,
}

struct Call<E> {
    outcome: watch::Receiver<Option<Outcome<E>>>,
    leader: Arc<str>,
    /// One clone for each request that waits.
    seats: Arc<()>,
}

/// What a call came to.
#[derive(Debug, Clone)]
pub enum Outcome<E> {
    /// The upstream's answer.
    Answered(Answer),
    /// The upstream gave none.
    Failed(E),
    /// There is an answer, but only its own client can have it: it is long, or streams.
    NotShared,
}

/// An answer as it can be given several times.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its fields.
    pub headers: HeaderMap,
    /// Its whole content.
    pub body: Held,
}

/// What a request is to do.
pub enum Seat<E> {
    /// Make the call, and say what it came to.
    Lead(Lead<E>),
    /// Wait for the call of another.
    Wait(Wait<E>),
    /// Make a call of its own: there are too many at once. A request is never refused for it.
    Alone,
}

/// The duty to make a call. Dropped without an outcome (the call was given up, or made the proxy panic), it lets those
/// who wait make their own.
pub struct Lead<E> {
    table: Arc<Coalescer<E>>,
    key: CallKey,
    outcome: watch::Sender<Option<Outcome<E>>>,
}

/// A request that waits. Dropped, it gives its seat back.
pub struct Wait<E> {
    outcome: watch::Receiver<Option<Outcome<E>>>,
    leader: Arc<str>,
    _seat: Arc<()>,
}

impl<E: Clone> Coalescer<E> {
    /// No call yet.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self { calls: Mutex::default(), room: Budget::new(ROOM_BYTES) })
    }

    /// What is left for bodies.
    pub(crate) const fn room(&self) -> &Arc<Budget> {
        &self.room
    }

    /// Takes part in the call of this key, or begins it as `leader`, the id of the request.
    #[must_use]
    pub fn join(self: &Arc<Self>, key: CallKey, leader: &str, waiting_max: usize) -> Seat<E> {
        let mut calls = self.calls();
        let full = calls.len() >= CALLS_MAX;
        match calls.entry(key) {
            Entry::Occupied(call) => {
                let call = call.get();
                // One is the table's own.
                if Arc::strong_count(&call.seats) > waiting_max {
                    return Seat::Alone;
                }
                Seat::Wait(Wait {
                    outcome: call.outcome.clone(),
                    leader: Arc::clone(&call.leader),
                    _seat: Arc::clone(&call.seats),
                })
            }
            Entry::Vacant(_) if full => Seat::Alone,
            Entry::Vacant(place) => {
                let (sender, receiver) = watch::channel(None);
                place.insert(Call { outcome: receiver, leader: leader.into(), seats: Arc::default() });
                Seat::Lead(Lead { table: Arc::clone(self), key, outcome: sender })
            }
        }
    }
}

impl<E> Coalescer<E> {
    fn calls(&self) -> MutexGuard<'_, HashMap<CallKey, Call<E>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn under_way(&self) -> usize {
        self.calls().len()
    }
}

impl<E> Lead<E> {
    /// Tells everybody who waits. Whoever comes from now on begins a new call.
    pub fn finish(self, outcome: Outcome<E>) {
        // First: nobody may join a call whose outcome is known.
        self.leave();
        self.outcome.send_replace(Some(outcome));
    }

    /// The key has no other call before this one is out of the table.
    fn leave(&self) {
        let call = self.table.calls().remove(&self.key);
        // Outside of the lock.
        drop(call);
    }
}

impl<E> Drop for Lead<E> {
    fn drop(&mut self) {
        // After `finish` there may be a new call of the same key, which is not ours to end.
        if self.outcome.borrow().is_none() {
            self.leave();
        }
    }
}

impl<E: Clone> Wait<E> {
    /// The id of the request that makes the call.
    #[must_use]
    pub fn leader(&self) -> &Arc<str> {
        &self.leader
    }

    /// Waits until the call has come to something.
    pub async fn outcome(mut self) -> Outcome<E> {
        match self.outcome.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or(Outcome::NotShared),
            // The leader is gone without a word.
            Err(_) => Outcome::NotShared,
        }
    }
}
