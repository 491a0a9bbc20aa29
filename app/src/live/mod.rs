//! Live changes: what is published here is heard by whoever listens in this process and may see the note. Works across
//! runtimes: only wakers cross threads. What other instances publish comes in by `crate::instances`.
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
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    Missed,
    DismissUser(Uuid),
    DismissSession(Uuid),
}

/// One user's ear.
#[derive(Debug)]
pub struct Subscription {
    /// What the user missed since the event that it saw last.
    pub missed: Replay,
    /// The number that the client is up to date with once it got `missed`.
    pub up_to_id: u64,
    user: Uuid,
    session: Option<Uuid>,
    receiver: broadcast::Receiver<Signal>,
    _slot: Slot,
}

/// What a listener hears.
#[derive(Debug)]
pub enum Heard {
    /// Something happened to a note that concerns the user.
    Event(Numbered),
    /// Some events are lost to the listener: it was too slow, or this process did not hear them.
    Lagged,
    /// The user may not listen any more, or the hub is gone.
    Closed,
}

impl Hub {
    /// A hub for a process that starts `now`, with at most `streams_max` listeners at a time. Its own numbers go on from
    /// the clock, in microseconds, so that a number of an earlier process is never taken for one of this.
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
        let mut ring = self.ring();
        let numbered = ring.number(event);
        self.tell(&mut ring, numbered);
    }

    /// As [`Hub::publish`], an event that has the number `id` in every instance: a client that goes on at another one
    /// misses nothing.
    pub fn publish_as(&self, id: u64, event: NoteEvent) {
        self.tell(&mut self.ring(), Numbered { id, event: Arc::new(event) });
    }

    /// Tells everybody that events were missed here, nobody knows which.
    pub fn missed(&self) {
        let mut ring = self.ring();
        ring.forget();
        drop(self.sender.send(Signal::Missed));
    }

    /// Ends all streams of a user: the account was disabled, or sessions of his have ended.
    pub fn dismiss(&self, user: Uuid) {
        drop(self.sender.send(Signal::DismissUser(user)));
    }

    /// Ends the streams of a session that has ended.
    pub fn dismiss_session(&self, session: Uuid) {
        drop(self.sender.send(Signal::DismissSession(session)));
    }

    /// Under the ring's lock, so that everybody hears in the order of the ring. No listener is no error.
    fn tell(&self, ring: &mut Ring, numbered: Numbered) {
        ring.keep(numbered.clone());
        drop(self.sender.send(Signal::Event(numbered)));
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens on behalf of a user, in a session of his, from now on, and says what was missed since `seen`.
    ///
    /// # Errors
    /// When the user, or all users together, have too many streams open already.
    pub fn subscribe(
        &self,
        user: Uuid,
        session: Option<Uuid>,
        seen: Option<u64>,
    ) -> Result<Subscription, TooManyStreams> {
        let slot = self.slots.take(user)?;
        let ring = self.ring();
        let missed = match seen.map_or_else(|| Replay::Events(Vec::new()), |seen| ring.since(seen)) {
            Replay::Events(mut events) => {
                events.retain(|numbered| numbered.event.concerns(user));
                Replay::Events(events)
            }
            Replay::Gap => Replay::Gap,
        };
        // Under the ring's lock too: no event falls between what was missed and what will be heard, none is both.
        let receiver = self.sender.subscribe();
        Ok(Subscription { missed, up_to_id: ring.last_id(), user, session, receiver, _slot: slot })
    }
}

impl Subscription {
    /// The next thing that concerns the user. Dropping the future loses nothing.
    pub async fn hear(&mut self) -> Heard {
        loop {
            return match self.receiver.recv().await {
                Ok(Signal::Event(numbered)) if numbered.event.concerns(self.user) => Heard::Event(numbered),
                Ok(Signal::DismissUser(user)) if user == self.user => Heard::Closed,
                Ok(Signal::DismissSession(session)) if self.session == Some(session) => Heard::Closed,
                Ok(Signal::Missed) => Heard::Lagged,
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
        let mut ann = hub.subscribe(Uuid::from_u128(1), None, None).expect("a slot");
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
        let mut ann = hub.subscribe(Uuid::from_u128(1), None, Some(1)).expect("a slot");
        hub.publish(event(5, &[1]));
        let Replay::Events(missed) = &ann.missed else { panic!("known") };
        assert_eq!(missed.iter().map(|numbered| numbered.id).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(ann.up_to_id, 4);
        let Heard::Event(numbered) = ann.hear().await else { panic!("an event") };
        assert_eq!(numbered.id, 5);
        assert!(matches!(hub.subscribe(Uuid::nil(), None, Some(77)).expect("a slot").missed, Replay::Gap));
    }

    #[tokio::test]
    async fn a_slow_listener_is_told_that_it_lost_events() {
        let hub = hub();
        let mut ann = hub.subscribe(Uuid::from_u128(1), None, None).expect("a slot");
        for version in 0..=i64::try_from(BACKLOG_EVENTS_MAX).expect("small") {
            hub.publish(event(version, &[1]));
        }
        assert!(matches!(ann.hear().await, Heard::Lagged));
        assert!(matches!(ann.hear().await, Heard::Event(_)));
    }

    #[tokio::test]
    async fn a_dismissed_user_hears_the_end() {
        let hub = hub();
        let mut ann = hub.subscribe(Uuid::from_u128(1), None, None).expect("a slot");
        hub.dismiss(Uuid::from_u128(2));
        hub.publish(event(1, &[1]));
        hub.dismiss(Uuid::from_u128(1));
        assert!(matches!(ann.hear().await, Heard::Event(_)));
        assert!(matches!(ann.hear().await, Heard::Closed));
    }

    #[tokio::test]
    async fn a_session_that_has_ended_hears_the_end_and_its_sibling_does_not() {
        let (hub, user) = (Hub::new(Timestamp::UNIX_EPOCH, 2), Uuid::from_u128(1));
        let subscribe = |session| hub.subscribe(user, Some(Uuid::from_u128(session)), None).expect("a slot");
        let (mut ended, mut sibling) = (subscribe(7), subscribe(8));
        hub.dismiss_session(Uuid::from_u128(7));
        hub.publish(event(1, &[1]));
        assert!(matches!(ended.hear().await, Heard::Closed));
        assert!(matches!(sibling.hear().await, Heard::Event(_)));
    }

    #[tokio::test]
    async fn what_nobody_heard_here_is_a_gap_for_those_who_listen_and_those_who_come_back() {
        let hub = hub();
        hub.publish(event(1, &[1]));
        let mut ann = hub.subscribe(Uuid::from_u128(1), None, None).expect("a slot");
        hub.missed();
        assert!(matches!(ann.hear().await, Heard::Lagged));
        hub.publish_as(77, event(3, &[1]));
        assert!(matches!(ann.hear().await, Heard::Event(Numbered { id: 77, .. })));
        let back = hub.subscribe(Uuid::from_u128(1), None, Some(ann.up_to_id)).expect("a slot");
        assert!(matches!(back.missed, Replay::Gap));
    }

    #[test]
    fn events_cross_runtimes() {
        let hub = hub();
        let runtime = || tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let mut ann = hub.subscribe(Uuid::from_u128(1), None, None).expect("a slot");
        let listener = std::thread::spawn(move || runtime().block_on(async move { ann.hear().await }));
        runtime().block_on(async { hub.publish(event(1, &[1])) });
        assert!(matches!(listener.join().expect("no panic"), Heard::Event(_)));
    }
}
