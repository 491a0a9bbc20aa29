//! One coarse timer a worker: deadlines that cost nothing while they do not fire.
//!
//! A server sets and clears a deadline several times a request and hardly ever sees one fire. A precise timer pays
//! for each of these changes; measured, hyper's own header timer costs 4-5 % of a small request. Here a deadline is
//! one number in a table of its worker, changed by a store, and one task looks through the table every
//! [`TICK`]. Ten thousand entries are read in a few microseconds.
//!
//! A deadline fires at most [`TICK`] late and belongs to the thread that made it.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};

/// How often the table is looked through: the precision of every deadline.
pub const TICK: Duration = Duration::from_millis(100);

const UNSET: u64 = u64::MAX;

/// A tick later than this means that the worker stood still.
const LATE_MS: u64 = 500;

thread_local! {
    static TABLE: RefCell<Table> = const { RefCell::new(Table::new()) };
}

struct Table {
    slots: Vec<Slot>,
    free: Vec<usize>,
    epoch: Option<Instant>,
    /// Milliseconds since `epoch`, as of the last tick.
    now_ms: u64,
    ticking: bool,
}

struct Slot {
    at_ms: u64,
    waker: Option<Waker>,
}

impl Table {
    const fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), epoch: None, now_ms: 0, ticking: false }
    }

    fn epoch(&mut self) -> Instant {
        *self.epoch.get_or_insert_with(Instant::now)
    }

    fn advance(&mut self) {
        self.now_ms = u64::try_from(self.epoch().elapsed().as_millis()).unwrap_or(UNSET - 1);
    }

    fn in_use(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

/// A moment after which something has taken too long. Unset when made; dropping it frees its place.
pub struct Deadline {
    index: usize,
    // The table is the thread's own.
    _thread: PhantomData<Rc<()>>,
}

impl Deadline {
    /// An unset deadline.
    ///
    /// Starts the worker's ticker if none runs, so it must be called within a local runtime
    /// ([`tokio::runtime::LocalRuntime`] or a `LocalSet`).
    #[must_use]
    pub fn unset() -> Self {
        Self::made(|table| {
            // A worker that was busy for long is behind; a deadline made now must not have passed already.
            table.advance();
            UNSET
        })
    }

    /// A deadline at this moment. Unlike one so far from now it needs no clock.
    #[must_use]
    pub fn at(moment: Instant) -> Self {
        Self::made(|table| {
            let since = moment.saturating_duration_since(table.epoch());
            u64::try_from(since.as_millis()).unwrap_or(UNSET).min(UNSET - 1)
        })
    }

    fn made(at_ms: impl FnOnce(&mut Table) -> u64) -> Self {
        let (index, start) = TABLE.with_borrow_mut(|table| {
            let at_ms = at_ms(table);
            let index = table.free.pop().unwrap_or_else(|| {
                table.slots.push(Slot { at_ms: UNSET, waker: None });
                table.slots.len() - 1
            });
            table.slots[index].at_ms = at_ms;
            let start = !std::mem::replace(&mut table.ticking, true);
            if start {
                // Nobody stood still since the last tick: there was none.
                table.advance();
            }
            (index, start)
        });
        if start {
            tokio::task::spawn_local(tick());
        }
        Self { index, _thread: PhantomData }
    }

    /// A deadline this far from now.
    #[must_use]
    pub fn after(duration: Duration) -> Self {
        let deadline = Self::unset();
        deadline.set(duration);
        deadline
    }

    /// Moves the deadline to this far from now.
    pub fn set(&self, duration: Duration) {
        let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(UNSET);
        TABLE.with_borrow_mut(|table| {
            let at_ms = table.now_ms.saturating_add(duration_ms).min(UNSET - 1);
            table.slots[self.index].at_ms = at_ms;
        });
    }

    /// Takes the deadline off. It never fires until it is set again.
    pub fn clear(&self) {
        TABLE.with_borrow_mut(|table| table.slots[self.index].at_ms = UNSET);
    }

    /// Ready once the deadline has passed; otherwise the task is woken when it does.
    pub fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        TABLE.with_borrow_mut(|table| {
            let now_ms = table.now_ms;
            let slot = &mut table.slots[self.index];
            if slot.at_ms <= now_ms {
                return Poll::Ready(());
            }
            match &mut slot.waker {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            Poll::Pending
        })
    }

    /// Waits until the deadline has passed.
    pub async fn passed(&self) {
        std::future::poll_fn(|cx| self.poll(cx)).await;
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        // At the end of a thread the table may be gone before its last deadline.
        let _ = TABLE.try_with(|table| {
            let mut table = table.borrow_mut();
            table.slots[self.index] = Slot { at_ms: UNSET, waker: None };
            table.free.push(self.index);
        });
    }
}

/// Runs a future with an upper limit of time.
///
/// # Errors
/// [`Elapsed`] when the limit passes first; the future is dropped then.
pub async fn timeout<F: Future>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    within(Deadline::after(limit), future).await
}

/// As [`timeout`], up to this moment.
///
/// # Errors
/// [`Elapsed`] when it has passed first.
pub async fn timeout_at<F: Future>(moment: Instant, future: F) -> Result<F::Output, Elapsed> {
    within(Deadline::at(moment), future).await
}

async fn within<F: Future>(deadline: Deadline, future: F) -> Result<F::Output, Elapsed> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Ok(output)),
        Poll::Pending => deadline.poll(cx).map(|()| Err(Elapsed)),
    })
    .await
}

/// The limit of [`timeout`] has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("took too long")]
pub struct Elapsed;

/// Wakes every task of this worker that waits with a deadline, so that it looks at the world again. Used when the
/// worker starts to drain.
pub fn wake_all() {
    let wakers: Vec<Waker> =
        TABLE.with_borrow_mut(|table| table.slots.iter_mut().filter_map(|slot| slot.waker.take()).collect());
    wakers.into_iter().for_each(Waker::wake);
}

/// Milliseconds since this thread's first deadline, as of the last tick: for what may be [`TICK`] off.
pub(crate) fn coarse_ms() -> u64 {
    TABLE.with_borrow(|table| table.now_ms)
}

async fn tick() {
    struct Stopped;
    impl Drop for Stopped {
        fn drop(&mut self) {
            let _ = TABLE.try_with(|table| table.borrow_mut().ticking = false);
        }
    }
    let _stopped = Stopped;
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut due = Vec::new();
    loop {
        interval.tick().await;
        let idle = TABLE.with_borrow_mut(|table| {
            let before_ms = table.now_ms;
            table.advance();
            let now_ms = table.now_ms;
            // What was set while the worker stood still counts from before that: nobody else has used up the time.
            let late_ms = (now_ms - before_ms).saturating_sub(LATE_MS);
            if late_ms > 0 {
                let set = table.slots.iter_mut().filter(|slot| slot.at_ms != UNSET);
                set.for_each(|slot| slot.at_ms = slot.at_ms.saturating_add(late_ms).min(UNSET - 1));
            }
            due.extend(table.slots.iter_mut().filter(|slot| slot.at_ms <= now_ms).filter_map(|slot| slot.waker.take()));
            table.in_use() == 0
        });
        // Outside of the borrow: a waker may run code of its own.
        due.drain(..).for_each(Waker::wake);
        if idle {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(test: impl Future<Output = ()>) {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
        tokio::task::LocalSet::new().block_on(&runtime, test);
    }

    #[test]
    fn a_deadline_fires_after_its_time_and_at_most_a_tick_late() {
        run(async {
            let start = Instant::now();
            Deadline::after(Duration::from_secs(3)).passed().await;
            let late = start.elapsed().checked_sub(Duration::from_secs(3));
            assert!(late.is_some_and(|late| late <= TICK), "{late:?}");
        });
    }

    #[test]
    fn a_deadline_at_a_moment_fires_then_and_one_that_is_past_with_the_next_tick() {
        run(async {
            drop(Deadline::after(Duration::from_secs(1)));
            // The ticker has ended meanwhile, and the table does not know how late it is.
            tokio::time::sleep(Duration::from_secs(60)).await;
            let start = Instant::now();
            for (moment, most) in [
                (start + Duration::from_secs(3), Duration::from_secs(3)),
                (start, Duration::from_secs(3)),
                (start + Duration::from_millis(3250), Duration::from_millis(3250)),
            ] {
                let passed = timeout_at(moment, std::future::pending::<()>()).await;
                assert_eq!(passed, Err(Elapsed));
                let now = start.elapsed();
                assert!(Instant::now() >= moment && now <= most + TICK * 2, "{now:?}");
            }
            assert_eq!(timeout_at(start + Duration::from_secs(9), async { 7 }).await, Ok(7));
        });
    }

    #[test]
    fn a_cleared_deadline_never_fires_and_one_moved_fires_later() {
        run(async {
            let moved = Deadline::after(Duration::from_secs(1));
            let cleared = Deadline::after(Duration::from_secs(1));
            cleared.clear();
            moved.set(Duration::from_secs(5));
            let start = Instant::now();
            tokio::select! {
                () = cleared.passed() => panic!("fired"),
                () = moved.passed() => assert!(start.elapsed() >= Duration::from_secs(5)),
            }
        });
    }

    #[test]
    fn places_are_used_again_and_the_ticker_ends_with_the_last() {
        run(async {
            for _ in 0..100 {
                drop(Deadline::after(Duration::from_secs(1)));
            }
            assert_eq!(TABLE.with_borrow(|table| table.slots.len()), 1);
            tokio::time::sleep(TICK * 3).await;
            assert!(!TABLE.with_borrow(|table| table.ticking));
        });
    }

    #[test]
    fn a_new_runtime_on_the_same_thread_ticks_again() {
        for _ in 0..2 {
            run(async {
                assert_eq!(timeout(Duration::from_secs(1), std::future::pending::<()>()).await, Err(Elapsed));
            });
        }
    }
}
