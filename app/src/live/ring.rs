//! The last events, numbered, so that a client that lost its connection for a moment misses nothing.

use crate::domain::event::NoteEvent;
use std::collections::VecDeque;
use std::sync::Arc;

/// An event with its number.
#[derive(Debug, Clone)]
pub struct Numbered {
    /// Its number, which no other event has. The order of events is that in which they are heard, not that of numbers.
    pub id: u64,
    /// What happened.
    pub event: Arc<NoteEvent>,
}

/// The events since a number, or the news that nobody knows them any more.
#[derive(Debug)]
pub enum Replay {
    /// All events after the number that the client saw last.
    Events(Vec<Numbered>),
    /// Some are forgotten, or the number is not ours: the client has to load everything again.
    Gap,
}

/// A bounded run of events, without a hole.
#[derive(Debug)]
pub(super) struct Ring {
    events: VecDeque<Numbered>,
    events_max: usize,
    /// The number that a client has seen last who lacks exactly what is kept.
    before: u64,
    /// The next number that nobody has.
    free: u64,
}

impl Ring {
    /// An empty ring that numbers from `first_id`.
    #[must_use]
    pub(super) fn new(first_id: u64, events_max: usize) -> Self {
        Self { events: VecDeque::with_capacity(events_max), events_max, before: first_id - 1, free: first_id }
    }

    /// Numbers an event that has no number yet.
    pub(super) fn number(&mut self, event: NoteEvent) -> Numbered {
        Numbered { id: self.take_free(), event: Arc::new(event) }
    }

    /// Keeps an event, forgetting the oldest when full.
    pub(super) fn keep(&mut self, numbered: Numbered) {
        if self.events.len() == self.events_max
            && let Some(oldest) = self.events.pop_front()
        {
            self.before = oldest.id;
        }
        self.events.push_back(numbered);
    }

    /// Forgets everything: something was missed here, so no client can be told what it has missed.
    pub(super) fn forget(&mut self) {
        self.events.clear();
        self.before = self.take_free();
    }

    /// The number of the newest event, or that of the time before the first.
    #[must_use]
    pub(super) fn last_id(&self) -> u64 {
        self.events.back().map_or(self.before, |newest| newest.id)
    }

    /// What came after `seen`.
    #[must_use]
    pub(super) fn since(&self, seen: u64) -> Replay {
        if seen == self.before {
            return Replay::Events(self.events.iter().cloned().collect());
        }
        // From the end, where most clients are.
        match self.events.iter().rposition(|numbered| numbered.id == seen) {
            Some(place) => Replay::Events(self.events.iter().skip(place + 1).cloned().collect()),
            None => Replay::Gap,
        }
    }

    fn take_free(&mut self) -> u64 {
        let id = self.free;
        self.free += 1;
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::EventKind;

    fn ring(first_id: u64, events: i64) -> Ring {
        let mut ring = Ring::new(first_id, 3);
        for version in 0..events {
            let numbered = ring.number(event(version));
            ring.keep(numbered);
        }
        ring
    }

    fn event(version: i64) -> NoteEvent {
        NoteEvent { kind: EventKind::Updated, note_id: uuid::Uuid::nil(), version, by: "ann".into(), audience: vec![] }
    }

    fn ids(replay: Replay) -> Option<Vec<u64>> {
        match replay {
            Replay::Events(events) => Some(events.iter().map(|numbered| numbered.id).collect()),
            Replay::Gap => None,
        }
    }

    #[test]
    fn what_is_replayed() {
        // Numbers from 10; three are kept.
        for (events, seen, wanted) in [
            (0, 9, Some(vec![])),
            (0, 8, None),
            (0, 10, None),
            (2, 9, Some(vec![10, 11])),
            (2, 10, Some(vec![11])),
            (2, 11, Some(vec![])),
            (2, 12, None),
            (5, 10, None),
            (5, 11, Some(vec![12, 13, 14])),
            (5, u64::MAX, None),
            (5, 0, None),
        ] {
            assert_eq!(ids(ring(10, events).since(seen)), wanted, "{events} events, {seen} seen");
        }
    }

    #[test]
    fn numbers_of_others_are_found_in_any_order() {
        let mut ring = ring(10, 0);
        for id in [900, 3, 70, 41] {
            ring.keep(Numbered { id, event: Arc::new(event(1)) });
        }
        for (seen, wanted) in [(900, Some(vec![3, 70, 41])), (3, Some(vec![70, 41])), (41, Some(vec![])), (9, None)] {
            assert_eq!(ids(ring.since(seen)), wanted, "{seen}");
        }
        assert_eq!(ring.last_id(), 41);
    }

    #[test]
    fn who_was_there_before_a_hole_is_told_of_it() {
        let mut ring = ring(10, 2);
        let last = ring.last_id();
        ring.forget();
        assert_eq!((ids(ring.since(last)), ids(ring.since(9))), (None, None));
        assert_eq!(ids(ring.since(ring.last_id())), Some(vec![]), "who came afterwards has missed nothing");
    }
}
