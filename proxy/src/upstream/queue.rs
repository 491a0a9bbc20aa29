//! Who waits for a place, and who is served next: a pure state machine.
//!
//! In the order of arrival as long as nobody waits long. Once the oldest has waited for [`CALM`], there is more to do
//! than can be done, and the newest goes first: in that order those who are served are served soon, while in the order
//! of arrival everybody would wait nearly as long as anybody does, and most answers would come too late. Whoever has too
//! little time left for an answer is sent away instead of being served in vain; and when all seats are taken, it is the
//! one with the least time left who goes.

use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// Waiting for longer is a sign that more comes than can be served.
const CALM: Duration = Duration::from_millis(100);

/// Those who wait, each with a seat.
#[derive(Debug)]
pub(super) struct Queue<T> {
    seats: VecDeque<Seat<T>>,
    next: u64,
}

#[derive(Debug)]
struct Seat<T> {
    number: u64,
    since: Instant,
    /// Until when there must be an answer.
    deadline: Option<Instant>,
    /// Until when it waits.
    until: Instant,
    who: T,
}

/// Since when and for how long a request waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait {
    pub(super) since: Instant,
    pub(super) until: Instant,
    pub(super) deadline: Option<Instant>,
}

/// What came of an arrival.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival<T> {
    /// A seat with this number.
    Seated(u64),
    /// The same, and for it somebody had to go.
    InPlaceOf(u64, T),
    /// All seats are taken by who has more time.
    Refused,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { seats: VecDeque::new(), next: 0 }
    }
}

impl<T> Queue<T> {
    pub(super) fn len(&self) -> usize {
        self.seats.len()
    }

    /// Takes a seat among `max`.
    pub(super) fn enter(&mut self, max: usize, wait: Wait, who: T) -> Arrival<T> {
        let Wait { since, until, deadline } = wait;
        let number = self.next;
        let seat = Seat { number, since, deadline, until, who };
        if self.seats.len() < max {
            self.sit(seat);
            return Arrival::Seated(number);
        }
        let shortest = self.seats.iter().enumerate().min_by_key(|(_, seat)| seat.left_at());
        match shortest.map(|(index, seat)| (index, seat.left_at())) {
            Some((index, left_at)) if max > 0 && left_at < seat.left_at() => {
                let gone = self.seats.remove(index);
                self.sit(seat);
                gone.map_or(Arrival::Seated(number), |gone| Arrival::InPlaceOf(number, gone.who))
            }
            _ => Arrival::Refused,
        }
    }

    fn sit(&mut self, seat: Seat<T>) {
        self.next += 1;
        // Who comes back, because the place was gone, has the place that it had.
        let at = self.seats.iter().rposition(|other| other.since <= seat.since).map_or(0, |index| index + 1);
        self.seats.insert(at, seat);
    }

    /// Leaves.
    pub(super) fn leave(&mut self, number: u64) {
        self.seats.retain(|seat| seat.number != number);
    }

    /// Who is served next. Those to whom an answer that takes `need` would come too late are handed to `hopeless`.
    pub(super) fn next(&mut self, now: Instant, need: Duration, mut hopeless: impl FnMut(T)) -> Option<T> {
        let mut index = 0;
        while let Some(seat) = self.seats.get(index) {
            if seat.deadline.is_some_and(|deadline| deadline.saturating_duration_since(now) < need) {
                self.seats.remove(index).into_iter().for_each(|seat| hopeless(seat.who));
            } else {
                index += 1;
            }
        }
        let oldest = self.seats.front()?;
        let is_calm = now.saturating_duration_since(oldest.since) < CALM;
        if is_calm { self.seats.pop_front() } else { self.seats.pop_back() }.map(|seat| seat.who)
    }
}

impl<T> Seat<T> {
    fn left_at(&self) -> Instant {
        self.deadline.map_or(self.until, |deadline| deadline.min(self.until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: Duration = Duration::from_millis(1);

    fn wait(now: Instant, deadline: Option<u32>) -> Wait {
        Wait { since: now, until: now + 1000 * MS, deadline: deadline.map(|ms| now + ms * MS) }
    }

    fn all(queue: &mut Queue<u32>, now: Instant, need: Duration) -> (Vec<u32>, Vec<u32>) {
        let (mut served, mut gone) = (Vec::new(), Vec::new());
        while let Some(who) = queue.next(now, need, |who| gone.push(who)) {
            served.push(who);
        }
        (served, gone)
    }

    #[test]
    fn in_order_while_it_is_calm_and_the_newest_first_when_it_is_not() {
        let now = Instant::now();
        for (later, served) in [(99 * MS, vec![1, 2, 3]), (100 * MS, vec![3, 2, 1])] {
            let mut queue = Queue::default();
            for who in [1, 2, 3] {
                assert!(matches!(queue.enter(3, wait(now, None), who), Arrival::Seated(_)));
            }
            assert_eq!(all(&mut queue, now + later, Duration::ZERO), (served, vec![]));
        }
    }

    #[test]
    fn who_has_too_little_time_is_not_served_in_vain() {
        let now = Instant::now();
        let mut queue = Queue::default();
        for (who, deadline) in [(1, Some(50)), (2, None), (3, Some(500)), (4, Some(49))] {
            queue.enter(9, wait(now, deadline), who);
        }
        assert_eq!(all(&mut queue, now, 50 * MS), (vec![1, 2, 3], vec![4]));
    }

    #[test]
    fn when_all_seats_are_taken_the_one_with_the_least_time_goes() {
        let now = Instant::now();
        let mut queue = Queue::default();
        queue.enter(2, wait(now, Some(300)), 1);
        queue.enter(2, wait(now, Some(200)), 2);
        assert_eq!(queue.enter(2, wait(now, Some(100)), 3), Arrival::Refused);
        assert_eq!(queue.enter(2, wait(now, Some(400)), 4), Arrival::InPlaceOf(2, 2));
        assert_eq!(queue.enter(2, wait(now, None), 5), Arrival::InPlaceOf(3, 1), "a second is longer than 300 ms");
        assert_eq!(queue.enter(0, wait(now, None), 6), Arrival::Refused);
        assert_eq!(queue.len(), 2);
        queue.leave(2);
        assert_eq!(all(&mut queue, now, Duration::ZERO), (vec![5], vec![]));
    }

    #[test]
    fn who_comes_back_has_its_old_place() {
        let now = Instant::now();
        let mut queue = Queue::default();
        queue.enter(9, wait(now, None), 1);
        queue.enter(9, wait(now + MS, None), 2);
        assert_eq!(queue.next(now + MS, Duration::ZERO, drop), Some(1));
        queue.enter(9, wait(now, None), 1);
        assert_eq!(queue.next(now + MS, Duration::ZERO, drop), Some(1));
    }

    proptest! {
        #[test]
        fn nobody_is_lost_and_seats_are_bounded(deadlines in prop::collection::vec(prop::option::of(0u32..500), 1..50), max in 0usize..20, later in 0u32..300) {
            let now = Instant::now();
            let mut queue = Queue::default();
            let mut seen = Vec::new();
            for (who, deadline) in deadlines.iter().enumerate() {
                let who = u32::try_from(who).expect("few");
                match queue.enter(max, wait(now, *deadline), who) {
                    Arrival::Seated(_) => {}
                    Arrival::InPlaceOf(_, gone) => seen.push(gone),
                    Arrival::Refused => seen.push(who),
                }
                prop_assert!(queue.len() <= max);
            }
            let (served, gone) = all(&mut queue, now + later * MS, 100 * MS);
            seen.extend(served.iter().chain(&gone));
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..u32::try_from(deadlines.len()).expect("few")).collect::<Vec<_>>());
        }
    }
}
