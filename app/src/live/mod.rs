//! Live changes inside one process: whoever changes a note publishes it, whoever may see the note and listens hears
//! of it. Works across runtimes: only wakers cross threads.
//!
//! Nothing here waits for a slow listener. One that falls behind is told so and loads everything again.

mod ring;
mod slots;

pub use ring::{Numbered, Replay};
pub use slots::TooManyStreams;

use crate::domain::event::NoteEvent;
use jiff::Timestamp;
use ring::Ring;
use slots::{Slot, Slots};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast;
use uuid::Uuid;

/// How many events are kept for clients that reconnect.
const REPLAY_EVENTS_MAX: usize = 4096;
/// How many events a listener may be behind.
const BACKLOG_EVENTS_MAX: usize = 256;

/// The place where events are published and heard. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Hub {
    ring: Arc<Mutex<Ring>>,
    sender: broadcast::Sender<Signal>,
    slots: Slots,
}

#[derive(Debug, Clone)]
enum Signal {
    Event(Numbered),
    Dismiss(Uuid),
}

/// One user's ear.
#[derive(Debug)]
pub struct Subscription {
    /// What the user missed since the event that it saw last.
    pub missed: Replay,
    /// The number that the client is up to date with once it got `missed`.
    pub up_to_id: u64,
    user: Uuid,
    receiver: broadcast::Receiver<Signal>,
    _slot: Slot,
}

/// What a listener hears.
#[derive(Debug)]
pub enum Heard {
    /// Something happened to a note that concerns the user.
    Event(Numbered),
    /// The listener was too slow and some events are lost to it.
    Lagged,
    /// The user may not listen any more, or the hub is gone.
    Closed,
}

impl Hub {
    /// A hub for a process that starts `now`, with at most `streams_max` listeners at a time. Numbers go on from the clock, in microseconds, so that a number of an
    /// earlier process is never taken for one of this.
    #[must_use]
    pub fn new(now: Timestamp, streams_max: usize) -> Self {
        let first_id = u64::try_from(now.as_microsecond()).unwrap_or_default() + 1;
        Self {
            ring: Arc::new(Mutex::new(Ring::new(first_id, REPLAY_EVENTS_MAX))),
            sender: broadcast::Sender::new(BACKLOG_EVENTS_MAX),
            slots: Slots::new(streams_max),
        }
    }

    /// Tells everybody concerned. Call it only after the change is committed.
    pub fn publish(&self, event: NoteEvent) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let numbered = ring.push(event);
        // Under the ring's lock, so that everybody hears in the order of the numbers. No listener is no error.
        drop(self.sender.send(Signal::Event(numbered)));
    }

    /// Ends all streams of a user: the account was disabled, or sessions of his have ended.
    pub fn dismiss(&self, user: Uuid) {
        drop(self.sender.send(Signal::Dismiss(user)));
    }

    /// Listens on behalf of a user from now on, and says what was missed since `seen`.
    ///
    /// # Errors
    /// When the user, or all users together, have too many streams open already.
    pub fn subscribe(&self, user: Uuid, seen: Option<u64>) -> Result<Subscription, TooManyStreams> {
        let slot = self.slots.take(user)?;
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let missed = match seen.map_or_else(|| Replay::Events(Vec::new()), |seen| ring.since(seen)) {
            Replay::Events(mut events) => {
                events.retain(|numbered| numbered.event.concerns(user));
                Replay::Events(events)
            }
            Replay::Gap => Replay::Gap,
        };
        // Under the ring's lock too: no event falls between what was missed and what will be heard, none is both.
        Ok(Subscription { missed, up_to_id: ring.last_id(), user, receiver: self.sender.subscribe(), _slot: slot })
    }
}

impl Subscription {
    /// The next thing that concerns the user. Dropping the future loses nothing.
    pub async fn hear(&mut self) -> Heard {
        loop {
            return match self.receiver.recv().await {
                Ok(Signal::Event(numbered)) if numbered.event.concerns(self.user) => Heard::Event(numbered),
                Ok(Signal::Dismiss(user)) if user == self.user => Heard::Closed,
                Ok(_) => continue,
                Err(broadcast::error::RecvError::Lagged(_)) => Heard::Lagged,
                Err(broadcast::error::RecvError::Closed) => Heard::Closed,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::EventKind;

    fn event(version: i64, audience: &[u128]) -> NoteEvent {
        let audience = audience.iter().map(|&id| Uuid::from_u128(id)).collect();
        NoteEvent { kind: EventKind::Updated, note_id: Uuid::nil(), version, by: "ann".into(), audience }
    }

    fn hub() -> Hub {
        Hub::new(Timestamp::UNIX_EPOCH, 2)
    }

    #[tokio::test]
    async fn only_those_concerned_hear() {
        let hub = hub();
        let mut ann = hub.subscribe(Uuid::from_u128(1), None).expect("a slot");
        for (version, audience) in [(1, &[2][..]), (2, &[1, 2]), (3, &[]), (4, &[1])] {
            hub.publish(event(version, audience));
        }
        for version in [2, 4] {
            let Heard::Event(numbered) = ann.hear().await else { panic!("an event") };
            assert_eq!((numbered.event.version, numbered.id), (version, u64::try_from(version).expect("positive")));
        }
    }

    #[tokio::test]
    async fn what_was_missed_is_told_once() {
        let hub = hub();
        for version in 1..=3 {
            hub.publish(event(version, &[1]));
        }
        hub.publish(event(4, &[2]));
        let mut ann = hub.subscribe(Uuid::from_u128(1), Some(1)).expect("a slot");
        hub.publish(event(5, &[1]));
        let Replay::Events(missed) = &ann.missed else { panic!("known") };
        assert_eq!(missed.iter().map(|numbered| numbered.id).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(ann.up_to_id, 4);
        let Heard::Event(numbered) = ann.hear().await else { panic!("an event") };
        assert_eq!(numbered.id, 5);
        assert!(matches!(hub.subscribe(Uuid::nil(), Some(77)).expect("a slot").missed, Replay::Gap));
    }

    #[tokio::test]
    async fn a_slow_listener_is_told_that_it_lost_events() {
        let hub = hub();
        let mut ann = hub.subscribe(Uuid::from_u128(1), None).expect("a slot");
        for version in 0..=i64::try_from(BACKLOG_EVENTS_MAX).expect("small") {
            hub.publish(event(version, &[1]));
        }
        assert!(matches!(ann.hear().await, Heard::Lagged));
        assert!(matches!(ann.hear().await, Heard::Event(_)));
    }

    #[tokio::test]
    async fn a_dismissed_user_hears_the_end() {
        let hub = hub();
        let mut ann = hub.subscribe(Uuid::from_u128(1), None).expect("a slot");
        hub.dismiss(Uuid::from_u128(2));
        hub.publish(event(1, &[1]));
        hub.dismiss(Uuid::from_u128(1));
        assert!(matches!(ann.hear().await, Heard::Event(_)));
        assert!(matches!(ann.hear().await, Heard::Closed));
    }

    #[test]
    fn events_cross_runtimes() {
        let hub = hub();
        let runtime = || tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let mut ann = hub.subscribe(Uuid::from_u128(1), None).expect("a slot");
        let listener = std::thread::spawn(move || runtime().block_on(async move { ann.hear().await }));
        runtime().block_on(async { hub.publish(event(1, &[1])) });
        assert!(matches!(listener.join().expect("no panic"), Heard::Event(_)));
    }
}
