//! How requests ask for newer keys: one shared fetch, at most once in ten seconds, and a bounded wait.
//!
//! Anybody can send a token with an unknown `kid`, so what one request may cause is bounded three times: in fetches,
//! in waiting time and in waiting requests.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

/// The shortest time between two fetches that requests cause.
pub(crate) const FETCH_INTERVAL: Duration = Duration::from_secs(10);

/// For how long one request waits.
pub(crate) const WAIT_MAX: Duration = Duration::from_millis(500);

/// How many requests wait at once, for one issuer.
pub(crate) const WAITERS_MAX: usize = 256;

/// What became of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A fetch that this request started has ended: what is not there now does not exist.
    Fetched,
    /// A fetch that was already under way has ended. It may have read the set before it changed: ask again.
    Shared,
    /// Requests caused a fetch a moment ago: decide with what is there.
    TooSoon,
    /// The fetch takes too long, or too many wait already: nobody knows.
    Unfinished,
}

/// The meeting point of the requests that wait and the task that fetches.
#[derive(Debug)]
pub(crate) struct Demand {
    state: Mutex<State>,
    wanted: Notify,
    finished: watch::Sender<u64>,
    waiters: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    in_flight: bool,
    last: Option<Instant>,
}

impl Demand {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::default(),
            wanted: Notify::new(),
            finished: watch::Sender::new(0),
            waiters: AtomicUsize::new(0),
        }
    }

    /// Asks for a fetch, or joins the one under way, and waits for its end until `deadline`.
    pub(crate) async fn fetch(&self, deadline: Instant) -> Outcome {
        let Some(_seat) = Seat::take(&self.waiters) else { return Outcome::Unfinished };
        let (mut finished, outcome) = {
            let mut state = self.lock();
            let now = Instant::now();
            let outcome = if state.in_flight {
                Outcome::Shared
            } else if state.last.is_some_and(|last| now.duration_since(last) < FETCH_INTERVAL) {
                return Outcome::TooSoon;
            } else {
                *state = State { in_flight: true, last: Some(now) };
                self.wanted.notify_one();
                Outcome::Fetched
            };
            // Within the lock: an end in between must not be missed, nor an earlier one taken for ours.
            (self.finished.subscribe(), outcome)
        };
        match timeout_at(deadline, finished.changed()).await {
            Ok(Ok(())) => outcome,
            _ => Outcome::Unfinished,
        }
    }

    /// For the task: resolves when a request wants a fetch.
    pub(crate) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// For the task: a fetch begins. It ends, for all who wait, when the guard is dropped: also when the task is.
    pub(crate) fn begin(&self) -> InFlight<'_> {
        self.lock().in_flight = true;
        InFlight { demand: self, complete: false }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The critical sections can't panic, and the state is sound at any point.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A fetch under way.
pub(crate) struct InFlight<'a> {
    demand: &'a Demand,
    complete: bool,
}

impl InFlight<'_> {
    /// The fetch has ended, well or badly.
    pub(crate) fn complete(mut self) {
        self.complete = true;
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let mut state = self.demand.lock();
        state.in_flight = false;
        if !self.complete {
            // Cut off by a reload: it answered nobody's question, so the next request may ask again at once.
            state.last = None;
        }
        self.demand.finished.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// One of the places for requests that wait.
struct Seat<'a>(&'a AtomicUsize);

impl<'a> Seat<'a> {
    fn take(waiters: &'a AtomicUsize) -> Option<Self> {
        let seat = Self(waiters);
        // On refusal the seat is dropped, which takes the count back.
        (waiters.fetch_add(1, Ordering::Relaxed) < WAITERS_MAX).then_some(seat)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join_all;
    use std::sync::Arc;

    #[tokio::test(start_paused = true)]
    async fn many_requests_share_one_fetch_and_the_next_waits_ten_seconds() {
        let demand = Arc::new(Demand::new());
        let deadline = Instant::now() + WAIT_MAX;
        let waiting = join_all((0..20).map(|_| demand.fetch(deadline)));
        let task = async {
            demand.wanted().await;
            demand.begin().complete();
        };
        let (mut outcomes, ()) = tokio::join!(waiting, task);
        outcomes.sort_by_key(|outcome| *outcome != Outcome::Fetched);
        assert_eq!(outcomes[0], Outcome::Fetched);
        assert!(outcomes[1..].iter().all(|outcome| *outcome == Outcome::Shared));

        assert_eq!(demand.fetch(Instant::now() + WAIT_MAX).await, Outcome::TooSoon);
        tokio::time::advance(FETCH_INTERVAL).await;
        let again = async {
            demand.wanted().await;
            demand.begin().complete();
        };
        let (outcome, ()) = tokio::join!(demand.fetch(Instant::now() + WAIT_MAX), again);
        assert_eq!(outcome, Outcome::Fetched);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_is_bounded_in_time_and_in_number() {
        let demand = Demand::new();
        let start = Instant::now();
        let outcomes = join_all((0..WAITERS_MAX + 1).map(|_| demand.fetch(start + WAIT_MAX))).await;
        assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Unfinished));
        assert_eq!(start.elapsed(), WAIT_MAX, "nobody fetches, nobody waits longer");

        let waiting = join_all((0..WAITERS_MAX).map(|_| demand.fetch(Instant::now() + WAIT_MAX)));
        let one_more = async {
            let asked = Instant::now();
            assert_eq!(demand.fetch(asked + WAIT_MAX).await, Outcome::Unfinished);
            assert_eq!(asked.elapsed(), Duration::ZERO, "no seat, no wait");
        };
        tokio::join!(biased; waiting, one_more);
    }

    #[tokio::test(start_paused = true)]
    async fn a_fetch_that_is_cut_off_does_not_use_up_the_interval() {
        let demand = Demand::new();
        let cut_off = async {
            demand.wanted().await;
            drop(demand.begin());
        };
        tokio::join!(demand.fetch(Instant::now() + WAIT_MAX), cut_off);
        let next = async {
            demand.wanted().await;
            demand.begin().complete();
        };
        let (outcome, ()) = tokio::join!(demand.fetch(Instant::now() + WAIT_MAX), next);
        assert_eq!(outcome, Outcome::Fetched);
    }
}
