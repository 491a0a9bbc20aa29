//! Whether an endpoint is well: one state for the whole process, written when something changes, read by each choice.
//!
//! Requests pay one load while all is well. Everything else (failures, probes, the passing of time) goes through the
//! state machine (`health_state`) behind a lock, and what comes of it is published as a few bits.

use super::health_state::{Change, Rules, SHARE_MIN, State};
use serve::counters::Counter;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// Probes have failed.
const DOWN: u32 = 1;
/// It has failed requests, and gets none for a while.
const EJECTED: u32 = 2;
/// It is back on probation: one request at a time and worker.
const TRIAL: u32 = 4;
/// It gets less than its share for a while.
const RAMP: u32 = 8;
/// The last request failed.
const FAILING: u32 = 16;

/// What the process knows of one endpoint's health.
#[derive(Debug)]
pub(super) struct Health {
    bits: AtomicU32,
    /// Percent of its weight, while it is being ramped up.
    share: AtomicU32,
    state: Mutex<State>,
    ejections: AtomicU64,
    probe_failures: AtomicU64,
    workers: Mutex<Vec<Arc<Counts>>>,
}

/// What one worker counts of one endpoint.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Requests that were sent there.
    pub(super) begun: Counter,
    /// Those that have ended.
    pub(super) ended: Counter,
    /// Answers that say that it is well.
    pub(super) good: Counter,
    /// Failures.
    pub(super) bad: Counter,
}

impl Counts {
    pub(super) fn in_flight(&self) -> usize {
        usize::try_from(self.begun.get().wrapping_sub(self.ended.get())).unwrap_or(0)
    }
}

/// Whether an endpoint may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    In,
    /// With one request at a time.
    Trial,
    Out,
}

impl Health {
    /// Nothing bad is known. With `ramp` it has just appeared beside others and is used little by little.
    pub(super) fn new(ramp: Option<Instant>) -> Arc<Self> {
        let health = Self {
            bits: AtomicU32::new(0),
            share: AtomicU32::new(100),
            state: Mutex::new(State::new(ramp)),
            ejections: AtomicU64::new(0),
            probe_failures: AtomicU64::new(0),
            workers: Mutex::default(),
        };
        Arc::new(health)
    }

    pub(super) fn standing(&self) -> Standing {
        match self.bits.load(Relaxed) {
            bits if bits & (DOWN | EJECTED) != 0 => Standing::Out,
            bits if bits & TRIAL != 0 => Standing::Trial,
            _ => Standing::In,
        }
    }

    /// Whether probes fail.
    pub(super) fn is_down(&self) -> bool {
        self.bits.load(Relaxed) & DOWN != 0
    }

    /// Percent of its weight that it gets now.
    pub(super) fn share(&self) -> u32 {
        if self.bits.load(Relaxed) & RAMP == 0 { 100 } else { self.share.load(Relaxed) }
    }

    /// Percent of its weight that it can take now. On probation, a little: else a zone that has nobody else would never
    /// be asked again.
    pub(super) fn capacity(&self) -> u32 {
        match self.standing() {
            Standing::In => self.share(),
            Standing::Trial => SHARE_MIN,
            Standing::Out => 0,
        }
    }

    /// Whether a good answer changes anything.
    pub(super) fn is_troubled(&self) -> bool {
        self.bits.load(Relaxed) & (EJECTED | TRIAL | FAILING) != 0
    }

    /// A request was answered well.
    pub(super) fn succeeded(&self, rules: &Rules, now: Instant) -> Option<Change> {
        self.with(rules, now, |state| state.succeeded(rules, now))
    }

    /// A request failed. `may_eject`: enough others survive.
    pub(super) fn failed(&self, rules: &Rules, now: Instant, may_eject: bool) -> Option<Change> {
        self.with(rules, now, |state| state.failed(rules, now, may_eject))
    }

    /// A probe has ended.
    pub(super) fn probed(&self, outcome: Result<(), String>, rules: &Rules, now: Instant) -> Option<Change> {
        if outcome.is_err() {
            self.probe_failures.fetch_add(1, Relaxed);
        }
        self.with(rules, now, |state| state.probed(outcome, rules, now))
    }

    /// It is probed no more.
    pub(super) fn forget_probes(&self, rules: &Rules, now: Instant) {
        self.with(rules, now, |state| {
            state.forget_probes();
            None
        });
    }

    /// Time has passed.
    pub(super) fn tick(&self, rules: &Rules, now: Instant, may_eject: bool) -> Option<Change> {
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        // Workers that let go of it count no more.
        workers.retain(|counts| Arc::strong_count(counts) > 1);
        let sum = |number: fn(&Counts) -> u64| workers.iter().map(|counts| number(counts)).fold(0, u64::wrapping_add);
        let (good, bad) = (sum(|counts| counts.good.get()), sum(|counts| counts.bad.get()));
        drop(workers);
        self.with(rules, now, |state| state.tick(rules, now, (good, bad), may_eject))
    }

    /// The numbers of another worker.
    pub(super) fn counts(&self) -> Arc<Counts> {
        let counts = Arc::<Counts>::default();
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&counts));
        counts
    }

    /// Requests in flight, over all workers.
    pub(super) fn in_flight(&self) -> usize {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|counts| counts.in_flight()).sum()
    }

    /// How often it was ejected, and how many probes have failed.
    pub(super) fn counted(&self) -> (u64, u64) {
        (self.ejections.load(Relaxed), self.probe_failures.load(Relaxed))
    }

    /// In one word, and why.
    pub(super) fn said(&self) -> (&'static str, Option<String>) {
        let state = self.lock();
        let bits = self.bits.load(Relaxed);
        let word = match self.standing() {
            Standing::Out if bits & DOWN != 0 => "down",
            Standing::Out => "ejected",
            Standing::Trial => "trial",
            Standing::In if bits & RAMP != 0 => "slow_start",
            Standing::In => return ("up", None),
        };
        (word, state.cause())
    }

    fn with(&self, rules: &Rules, now: Instant, act: impl FnOnce(&mut State) -> Option<Change>) -> Option<Change> {
        let mut state = self.lock();
        let change = act(&mut state);
        let share = state.share(rules, now);
        self.share.store(share, Relaxed);
        let flag = |set: bool, bit: u32| if set { bit } else { 0 };
        let bits = flag(state.is_down(), DOWN)
            | flag(state.is_ejected(), EJECTED)
            | flag(state.is_on_trial(), TRIAL)
            | flag(share < 100, RAMP)
            | flag(state.is_failing(), FAILING);
        self.bits.store(bits, Relaxed);
        if matches!(change, Some(Change::Ejected { .. })) {
            self.ejections.fetch_add(1, Relaxed);
        }
        change
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
