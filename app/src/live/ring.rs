//! The last events, numbered, so that a client that lost its connection for a moment misses nothing.

use crate::domain::event::NoteEvent;
use std::collections::VecDeque;
use std::sync::Arc;

/// An event with its place in the order of all events.
#[derive(Debug, Clone)]
pub struct Numbered {
    /// Its number; each event's is one higher than the one before.
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

/// A bounded run of events.
#[derive(Debug)]
pub(super) struct Ring {
    events: VecDeque<Numbered>,
    events_max: usize,
    next_id: u64,
}

impl Ring {
    /// An empty ring that numbers from `first_id`.
    #[must_use]
    pub(super) fn new(first_id: u64, events_max: usize) -> Self {
        Self { events: VecDeque::with_capacity(events_max), events_max, next_id: first_id }
    }

    /// Numbers an event and keeps it, forgetting the oldest when full.
    pub(super) fn push(&mut self, event: NoteEvent) -> Numbered {
        let numbered = Numbered { id: self.next_id, event: Arc::new(event) };
        self.next_id += 1;
        if self.events.len() == self.events_max {
            self.events.pop_front();
        }
        self.events.push_back(numbered.clone());
        numbered
    }

    /// The number of the newest event, or the one before the first.
    #[must_use]
    pub(super) const fn last_id(&self) -> u64 {
        self.next_id - 1
    }

    /// What came after `seen`.
    #[must_use]
    pub(super) fn since(&self, seen: u64) -> Replay {
        let oldest = self.next_id - self.events.len() as u64;
        if seen >= self.next_id || seen + 1 < oldest {
            return Replay::Gap;
        }
        Replay::Events(self.events.iter().filter(|numbered| numbered.id > seen).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::EventKind;

    fn ring(first_id: u64, events: i64) -> Ring {
        let mut ring = Ring::new(first_id, 3);
        for version in 0..events {
            ring.push(NoteEvent {
                kind: EventKind::Updated,
                note_id: uuid::Uuid::nil(),
                version,
                by: "ann".into(),
                audience: vec![],
            });
        }
        ring
    }

    #[test]
    fn what_is_replayed() {
        // Numbers from 10; three are kept.
        for (events, seen, ids) in [
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
            let found = match ring(10, events).since(seen) {
                Replay::Events(events) => Some(events.iter().map(|numbered| numbered.id).collect::<Vec<_>>()),
                Replay::Gap => None,
            };
            assert_eq!(found, ids, "{events} events, {seen} seen");
        }
    }
}
