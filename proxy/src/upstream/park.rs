//! Requests that wait for an upstream none of whose endpoints takes any, but which is expected back: a single instance
//! that is restarted loses nothing then.
//!
//! Each worker has its own. One of those that wait, whoever it is, knocks at the endpoints from time to time; when one
//! opens, all go on, the first at once and ever more from then on, so that what has just started is not run over.

use crate::config;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How often it is knocked. The first time only after this long: an application that says it is about to stop closes its
/// door a moment later.
pub(super) const KNOCK_EVERY: Duration = Duration::from_millis(100);

/// So many go on at once when a door opens; after each [`STEP`] twice as many have gone as before.
const FIRST: u64 = 8;

const STEP: Duration = Duration::from_millis(50);

/// The requests of one worker that wait for one upstream.
#[derive(Debug)]
pub(super) struct Parking {
    settings: config::Park,
    next: Cell<u64>,
    /// Who goes on first when a door opens.
    first: Cell<u64>,
    waiting: Cell<usize>,
    opened: Cell<Option<Instant>>,
    knocking: Cell<bool>,
    changed: Notify,
}

/// What to do next.
pub(super) enum Turn {
    /// To go on, at this moment.
    Go(Instant),
    /// To knock, until somebody opens.
    Knock(Knocker),
    /// To wait until something has changed.
    Wait,
}

impl Parking {
    pub(super) fn new(settings: config::Park) -> Rc<Self> {
        Rc::new(Self {
            settings,
            next: Cell::new(0),
            first: Cell::new(0),
            waiting: Cell::new(0),
            opened: Cell::new(None),
            knocking: Cell::new(false),
            changed: Notify::new(),
        })
    }

    pub(super) const fn settings(&self) -> config::Park {
        self.settings
    }

    /// Whether anybody waits: who comes now must not overtake.
    pub(super) fn has_waiting(&self) -> bool {
        self.waiting.get() > 0
    }

    /// One more waits.
    pub(super) fn enter(self: &Rc<Self>) -> Ticket {
        if self.waiting.get() == 0 {
            self.first.set(self.next.get());
            self.opened.set(None);
        }
        let number = self.next.replace(self.next.get() + 1);
        self.waiting.set(self.waiting.get() + 1);
        Ticket { parking: Rc::clone(self), number }
    }

    /// A door has opened.
    pub(super) fn open(&self, now: Instant) {
        self.opened.set(Some(now));
        self.changed.notify_waiters();
    }

    /// Waits until something has changed.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

/// A request that waits. Dropped, its place is free.
pub(super) struct Ticket {
    parking: Rc<Parking>,
    number: u64,
}

impl Ticket {
    /// What this request is to do next.
    pub(super) fn turn(&self) -> Turn {
        let parking = &self.parking;
        if let Some(opened) = parking.opened.get() {
            return Turn::Go(opened + delay(self.number.saturating_sub(parking.first.get())));
        }
        if parking.knocking.replace(true) { Turn::Wait } else { Turn::Knock(Knocker(Rc::clone(parking))) }
    }

    /// The door has closed again before this request came to it. Nobody behind it goes on before it.
    pub(super) fn found_it_shut(&self) {
        // Some may be on their way already; the first to find it shut is the one that counts.
        if self.parking.opened.take().is_some() {
            self.parking.first.set(self.number);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.parking.waiting.set(self.parking.waiting.get().saturating_sub(1));
    }
}

/// Who knocks. Dropped, another one does.
pub(super) struct Knocker(Rc<Parking>);

impl Drop for Knocker {
    fn drop(&mut self) {
        self.0.knocking.set(false);
        self.0.changed.notify_one();
    }
}

/// How long after the door has opened a request goes on before which `rank` others do.
fn delay(rank: u64) -> Duration {
    let rounds = (rank / FIRST + 1).ilog2();
    STEP * rounds + if rank / FIRST + 1 > 1 << rounds { STEP } else { Duration::ZERO }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parking() -> Rc<Parking> {
        Parking::new(config::Park {
            requests_max: 1000,
            bytes_max: 1000,
            timeout: Duration::from_secs(10),
            expected_for: Duration::from_secs(30),
        })
    }

    fn going(ticket: &Ticket) -> Option<Instant> {
        match ticket.turn() {
            Turn::Go(at) => Some(at),
            Turn::Knock(_) | Turn::Wait => None,
        }
    }

    #[test]
    fn ever_more_go_on() {
        let ms = |rank| delay(rank).as_millis();
        assert_eq!(
            [ms(0), ms(7), ms(8), ms(15), ms(16), ms(23), ms(24), ms(31), ms(32)],
            [0, 0, 50, 50, 100, 100, 100, 100, 150]
        );
        assert!((0..10_000).all(|rank| delay(rank) <= delay(rank + 1)));
        assert!(delay(1000) <= Duration::from_millis(400));
        assert!(delay(u64::MAX) <= Duration::from_secs(4));
    }

    #[test]
    fn one_knocks_and_hands_over_when_it_leaves() {
        let parking = parking();
        let (first, second) = (parking.enter(), parking.enter());
        let Turn::Knock(knocker) = first.turn() else { panic!("somebody knocks") };
        assert!(matches!(second.turn(), Turn::Wait));
        drop((first, knocker));
        assert!(matches!(second.turn(), Turn::Knock(_)));
        assert!(parking.has_waiting());
        drop(second);
        assert!(!parking.has_waiting());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_hears_of_an_open_door() {
        let parking = parking();
        let ticket = parking.enter();
        let _knocker = ticket.turn();
        tokio::join!(parking.changed(), async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            parking.open(Instant::now());
        });
        assert_eq!(going(&ticket), Some(Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn in_the_order_in_which_they_came_also_when_the_door_closes_again() {
        let parking = parking();
        let tickets: Vec<_> = (0..20).map(|_| parking.enter()).collect();
        let opened = Instant::now();
        parking.open(opened);
        let at = |ticket: &Ticket| going(ticket).map(|at| (at - opened).as_millis());
        assert_eq!((at(&tickets[0]), at(&tickets[8]), at(&tickets[19])), (Some(0), Some(50), Some(100)));
        tickets[3].found_it_shut();
        tickets[4].found_it_shut();
        assert_eq!(at(&tickets[19]), None);
        parking.open(opened);
        assert_eq!((at(&tickets[2]), at(&tickets[10]), at(&tickets[11])), (Some(0), Some(0), Some(50)));
        drop(tickets);
        let again = parking.enter();
        assert_eq!(at(&again), None, "another time begins anew");
    }
}
