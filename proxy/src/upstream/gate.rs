//! How much an upstream is given at once: places at the whole of it and at each endpoint, and the queue for them. All
//! workers share it.
//!
//! As long as there is room, a request costs two counters when it begins and two when it ends. Only who finds none takes
//! the lock.

use super::breaker::Breaker;
use super::queue::{Arrival, Queue, Wait};
use crate::config;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// How often one who waits is called on the chance that there is room.
const CALL_EVERY_MS: u64 = 10;

/// The newest answer has this share of what is known of how long answers take.
const NEWEST_SHARE: u64 = 8;

/// The places of one upstream.
#[derive(Debug)]
pub(super) struct Gate {
    in_flight: AtomicUsize,
    /// Seats taken in the queue: read by everybody who leaves.
    waiting: AtomicUsize,
    /// Turns on their way to those who are called.
    called: AtomicUsize,
    queue: Mutex<Queue<oneshot::Sender<Verdict>>>,
    /// Places that were given back.
    releases: AtomicU64,
    /// Microseconds that an answer takes.
    answer_us: AtomicU64,
    start: Instant,
    /// Milliseconds after `start`, when somebody who waits was last called without a place having become free.
    called_ms: AtomicU64,
    endpoints: Mutex<HashMap<Box<str>, Arc<Door>>>,
}

/// One endpoint as all workers see it.
#[derive(Debug)]
pub(super) struct Door {
    in_flight: AtomicUsize,
    pub(super) breaker: Breaker,
}

/// What one who waits is told.
#[derive(Debug)]
enum Verdict {
    /// There may be a place.
    Turn(Turn),
    /// There is no point in waiting.
    Hopeless,
    /// Somebody with more time has its seat.
    Displaced,
}

/// A place that has become free, on its way to somebody. Dropped, it goes to the next one.
#[derive(Debug)]
pub(super) struct Turn {
    gate: Arc<Gate>,
    spent: bool,
}

/// A place at an upstream and at one of its endpoints. Dropped, it is free.
#[derive(Debug)]
pub(super) struct Place {
    gate: Arc<Gate>,
    door: Arc<Door>,
}

/// Why a request waits no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// Its time is too short for an answer.
    Hopeless,
    /// All seats are taken by who has more time.
    Full,
    /// It has waited long enough.
    Late,
}

impl Gate {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            in_flight: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            called: AtomicUsize::new(0),
            queue: Mutex::default(),
            releases: AtomicU64::new(0),
            answer_us: AtomicU64::new(0),
            start: Instant::now(),
            called_ms: AtomicU64::new(0),
            endpoints: Mutex::default(),
        })
    }

    /// The endpoint of this name.
    pub(super) fn door(&self, label: &str) -> Arc<Door> {
        let mut doors = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(door) = doors.get(label) {
            return Arc::clone(door);
        }
        // Those that nobody holds are of addresses that are gone.
        doors.retain(|_, door| Arc::strong_count(door) > 1);
        let door = Arc::new(Door { in_flight: AtomicUsize::new(0), breaker: Breaker::new(Instant::now()) });
        doors.insert(label.into(), Arc::clone(&door));
        door
    }

    /// Whether anybody waits.
    pub(super) fn has_waiting(&self) -> bool {
        self.waiting.load(SeqCst) > 0
    }

    /// Whether there is a place beside those that are on their way to who was called: who sees one need not wait behind
    /// those who saw none.
    pub(super) fn has_room(&self, door: &Door, room: Room) -> bool {
        let called = self.called.load(SeqCst);
        let fits = |taken: &AtomicUsize, max: usize| taken.load(SeqCst).saturating_add(called) < max;
        fits(&self.in_flight, room.upstream) && fits(&door.in_flight, room.endpoint)
    }

    /// A place, where there is one.
    pub(super) fn take(self: &Arc<Self>, door: &Arc<Door>, limits: Room) -> Option<Place> {
        let below = |max: usize| move |taken: usize| (taken < max).then_some(taken + 1);
        self.in_flight.fetch_update(SeqCst, SeqCst, below(limits.upstream)).ok()?;
        if door.in_flight.fetch_update(SeqCst, SeqCst, below(limits.endpoint)).is_err() {
            self.in_flight.fetch_sub(1, SeqCst);
            return None;
        }
        let place = Place { gate: Arc::clone(self), door: Arc::clone(door) };
        if self.has_waiting() {
            self.call_another();
        }
        Some(place)
    }

    /// Those who wait are called one by one, as places become free. Where there is more room than before, because an
    /// endpoint is back or a limit was raised, nobody would be called for it; so from time to time one is on the chance.
    fn call_another(self: &Arc<Self>) {
        let now_ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        if now_ms.saturating_sub(self.called_ms.load(Relaxed)) >= CALL_EVERY_MS {
            self.called_ms.store(now_ms, Relaxed);
            self.call_next();
        }
    }

    /// Requests in flight at the upstream, of those that were given places.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    /// How many places were given back up to now.
    pub(super) fn releases(&self) -> u64 {
        self.releases.load(SeqCst)
    }

    /// Takes in how long an answer took.
    pub(super) fn answered(&self, after: Duration) {
        let after = u64::try_from(after.as_micros()).unwrap_or(u64::MAX).min(u64::MAX / NEWEST_SHARE);
        let known = self.answer_us.load(Relaxed);
        let now = if known == 0 { after } else { known - known / NEWEST_SHARE + after / NEWEST_SHARE };
        self.answer_us.store(now, Relaxed);
    }

    /// How long an answer takes.
    fn need(&self) -> Duration {
        Duration::from_micros(self.answer_us.load(Relaxed))
    }

    /// Takes a seat in the queue. `releases` is what [`Self::releases`] was before the request looked for a place: what
    /// was given back since then was given to nobody.
    pub(super) fn enter(self: &Arc<Self>, settings: config::Limits, wait: Wait, releases: u64) -> Result<Seat, Sent> {
        if wait.deadline.is_some_and(|deadline| deadline.saturating_duration_since(Instant::now()) < self.need()) {
            return Err(Sent::Hopeless);
        }
        let (sender, verdict) = oneshot::channel();
        let mut queue = self.queue();
        let arrival = queue.enter(settings.queue_max, wait, sender);
        self.waiting.store(queue.len(), SeqCst);
        drop(queue);
        let number = match arrival {
            Arrival::Refused => return Err(Sent::Full),
            Arrival::Seated(number) => number,
            Arrival::InPlaceOf(number, gone) => {
                // Whoever has left needs no word.
                let _ = gone.send(Verdict::Displaced);
                number
            }
        };
        let seat = Seat { gate: Arc::clone(self), number, verdict };
        if self.releases() != releases {
            self.call_next();
        }
        Ok(seat)
    }

    /// Calls the next one.
    fn call_next(self: &Arc<Self>) {
        let mut gone = Vec::new();
        let mut queue = self.queue();
        let next = queue.next(Instant::now(), self.need(), |hopeless| gone.push(hopeless));
        self.waiting.store(queue.len(), SeqCst);
        // A turn that comes back calls the next one, which takes the lock.
        drop(queue);
        for hopeless in gone {
            let _ = hopeless.send(Verdict::Hopeless);
        }
        if let Some(next) = next {
            // To whom has left it is not sent, and goes on to the next.
            self.called.fetch_add(1, SeqCst);
            drop(next.send(Verdict::Turn(Turn { gate: Arc::clone(self), spent: false })));
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue<oneshot::Sender<Verdict>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many places there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) upstream: usize,
    pub(super) endpoint: usize,
}

impl Turn {
    /// Its bearer looks for the place now, and calls the next one, or waits again, by what it finds.
    pub(super) fn spend(mut self) {
        self.spent = true;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.gate.called.fetch_sub(1, SeqCst);
        if !self.spent && self.gate.has_waiting() {
            self.gate.call_next();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.door.in_flight.fetch_sub(1, SeqCst);
        self.gate.in_flight.fetch_sub(1, SeqCst);
        self.gate.releases.fetch_add(1, SeqCst);
        if self.gate.has_waiting() {
            self.gate.call_next();
        }
    }
}

/// A seat in the queue. Dropped, it is free.
pub(super) struct Seat {
    gate: Arc<Gate>,
    number: u64,
    verdict: oneshot::Receiver<Verdict>,
}

impl Seat {
    /// Waits for its turn.
    pub(super) async fn turn(&mut self) -> Result<Turn, Sent> {
        match (&mut self.verdict).await {
            Ok(Verdict::Turn(turn)) => Ok(turn),
            Ok(Verdict::Hopeless) => Err(Sent::Hopeless),
            Ok(Verdict::Displaced) | Err(_) => Err(Sent::Full),
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut queue = self.gate.queue();
        queue.leave(self.number);
        self.gate.waiting.store(queue.len(), SeqCst);
        drop(queue);
        // A turn may have come that nobody has heard of.
        self.verdict.close();
        drop(self.verdict.try_recv());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room { upstream: 2, endpoint: 1 };

    fn settings(queue_max: usize) -> config::Limits {
        config::Limits {
            in_flight_max: None,
            in_flight_per_endpoint_max: None,
            queue_max,
            queue_timeout: Duration::from_secs(1),
        }
    }

    fn wait() -> Wait {
        let now = Instant::now();
        Wait { since: now, until: now + Duration::from_secs(1), deadline: None }
    }

    #[test]
    fn places_are_those_of_the_upstream_and_of_the_endpoint() {
        let gate = Gate::new();
        let (a, b, c) = (gate.door("a"), gate.door("b"), gate.door("c"));
        assert!(Arc::ptr_eq(&a, &gate.door("a")));
        let first = gate.take(&a, ROOM).expect("room");
        assert!(gate.take(&a, ROOM).is_none(), "one an endpoint");
        let _second = gate.take(&b, ROOM).expect("room");
        assert!(gate.take(&c, ROOM).is_none(), "two in all");
        drop(first);
        assert!(gate.take(&c, ROOM).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_becomes_free_goes_to_one_who_waits_and_lives() {
        let gate = Gate::new();
        let door = gate.door("a");
        let place = gate.take(&door, ROOM).expect("room");
        let gone = gate.enter(settings(3), wait(), 0).expect("a seat");
        let heard = gate.enter(settings(3), wait(), 0).expect("a seat");
        let mut last = gate.enter(settings(3), wait(), 0).expect("a seat");
        assert_eq!(gate.enter(settings(3), wait(), 0).err(), Some(Sent::Full));
        drop(gone);
        drop(place);
        // The turn is on its way to one who leaves without having heard of it.
        drop(heard);
        let turn = last.turn().await.expect("its turn");
        assert!(gate.take(&door, ROOM).is_some());
        turn.spend();
        drop(last);
        assert!(!gate.has_waiting());
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_became_free_on_the_way_to_the_queue_is_not_lost() {
        let gate = Gate::new();
        let place = gate.take(&gate.door("a"), ROOM).expect("room");
        let seen = gate.releases();
        drop(place);
        gate.enter(settings(3), wait(), seen).expect("a seat").turn().await.expect("its turn").spend();
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_too_little_time_for_an_answer_does_not_wait() {
        let gate = Gate::new();
        gate.answered(Duration::from_millis(100));
        gate.answered(Duration::from_millis(100));
        let now = Instant::now();
        let late = Wait { deadline: Some(now + Duration::from_millis(50)), ..wait() };
        assert_eq!(gate.enter(settings(3), late, 0).err(), Some(Sent::Hopeless));
        let soon = Wait { deadline: Some(now + Duration::from_millis(150)), ..wait() };
        let place = gate.take(&gate.door("a"), ROOM).expect("room");
        let mut seat = gate.enter(settings(3), soon, 0).expect("a seat");
        tokio::time::advance(Duration::from_millis(100)).await;
        drop(place);
        assert_eq!(seat.turn().await.err(), Some(Sent::Hopeless));
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_on_its_way_to_somebody_is_no_room() {
        let gate = Gate::new();
        let (a, b, all) = (gate.door("a"), gate.door("b"), Room { upstream: 2, endpoint: 1 });
        let place = gate.take(&a, all).expect("room");
        assert!(!gate.has_room(&a, all) && gate.has_room(&b, all));
        let mut seat = gate.enter(settings(3), wait(), 0).expect("a seat");
        drop(place);
        assert!(!gate.has_room(&a, all), "it has been called, and has not been there yet");
        seat.turn().await.expect("its turn").spend();
        assert!(gate.has_room(&a, all));
    }
}
