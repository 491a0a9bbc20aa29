//! The health of one endpoint as a state machine: failures and probes go in, changes come out. Time is an argument.
//!
//! Probes say up and down. Failed requests eject: for `eject.time`, and for twice as long each further time until it
//! has been well. After an ejection it is on probation; a failure ends that at once. What comes back, and what is new
//! beside others, is ramped up over `slow_start`.

use crate::config::{Eject, Upstream};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// An ejection lasts at most `eject.time` times this.
const LONGER_MAX: u32 = 16;
/// Good answers that end a probation.
const TRIAL_REQUESTS: u32 = 3;
/// The rate of good answers is looked at over so many ticks of a second.
const WINDOW: usize = 10;
/// And only if there were so many answers.
const WINDOW_REQUESTS_MIN: u64 = 20;
/// What a ramp begins with.
pub(super) const SHARE_MIN: u32 = 10;

/// What the operator wants.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rules {
    rise: u32,
    fall: u32,
    /// `None`: nothing is ejected.
    pub(super) eject: Option<Eject>,
    slow_start: Duration,
}

impl Rules {
    pub(super) fn of(upstream: &Upstream) -> Self {
        let (rise, fall) = upstream.health.as_ref().map_or((1, 1), |health| (health.rise, health.fall));
        let slow_start = upstream.slow_start.unwrap_or_default();
        Self { rise, fall, eject: upstream.eject.clone(), slow_start }
    }
}

/// What has changed, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// Probes fail.
    Down { cause: String },
    /// Probes succeed again.
    Up,
    /// It gets no requests for a while.
    Ejected { cause: String, until: Duration },
    /// It gets single requests.
    OnTrial,
    /// It has stood its probation.
    Recovered,
}

#[derive(Debug)]
pub(super) struct State {
    /// What the probes say; `None`: none has ended.
    up: Option<bool>,
    /// Probes in a row that say otherwise.
    contrary: u32,
    /// Failed requests in a row.
    failures: u32,
    ejected_until: Option<Instant>,
    /// Ejections since it was well.
    ejections: u32,
    /// Good answers that are still wanted.
    trial: u32,
    ramp_since: Option<Instant>,
    cause: Option<String>,
    /// Good and bad answers in each of the last seconds.
    window: VecDeque<(u64, u64)>,
    /// Up to the last look.
    counted: (u64, u64),
    looked_at: Option<Instant>,
}

impl State {
    pub(super) fn new(ramp_since: Option<Instant>) -> Self {
        Self {
            up: None,
            contrary: 0,
            failures: 0,
            ejected_until: None,
            ejections: 0,
            trial: 0,
            ramp_since,
            cause: None,
            window: VecDeque::with_capacity(WINDOW),
            counted: (0, 0),
            looked_at: None,
        }
    }

    pub(super) fn is_down(&self) -> bool {
        self.up == Some(false)
    }

    pub(super) const fn is_ejected(&self) -> bool {
        self.ejected_until.is_some()
    }

    pub(super) const fn is_on_trial(&self) -> bool {
        self.trial > 0
    }

    pub(super) const fn is_failing(&self) -> bool {
        self.failures > 0
    }

    pub(super) fn cause(&self) -> Option<String> {
        self.cause.clone()
    }

    /// Percent of its weight.
    pub(super) fn share(&mut self, rules: &Rules, now: Instant) -> u32 {
        let Some(since) = self.ramp_since else { return 100 };
        let passed = now.saturating_duration_since(since);
        if passed >= rules.slow_start {
            self.ramp_since = None;
            return 100;
        }
        let percent = passed.as_millis() * u128::from(100 - SHARE_MIN) / rules.slow_start.as_millis().max(1);
        SHARE_MIN + u32::try_from(percent).unwrap_or(0)
    }

    pub(super) fn probed(&mut self, outcome: Result<(), String>, rules: &Rules, now: Instant) -> Option<Change> {
        let good = outcome.is_ok();
        if self.up.is_none() {
            // The first one decides alone, so that nothing that is dead is used for `fall` rounds.
            self.up = Some(true);
            self.contrary = if good { 0 } else { rules.fall.saturating_sub(1) };
        }
        if self.up == Some(good) {
            self.contrary = 0;
            return None;
        }
        self.contrary += 1;
        if self.contrary < if good { rules.rise } else { rules.fall } {
            return None;
        }
        (self.up, self.contrary) = (Some(good), 0);
        match outcome {
            Ok(()) => {
                self.ramp_since = Some(now);
                Some(Change::Up)
            }
            Err(cause) => {
                self.cause = Some(cause.clone());
                Some(Change::Down { cause })
            }
        }
    }

    /// Nobody probes any more: what probes have said would stay for good.
    pub(super) fn forget_probes(&mut self) {
        (self.up, self.contrary) = (None, 0);
    }

    pub(super) fn succeeded(&mut self, _: &Rules, now: Instant) -> Option<Change> {
        self.failures = 0;
        if self.trial == 0 {
            return None;
        }
        self.trial -= 1;
        if self.trial > 0 {
            return None;
        }
        self.ejections = 0;
        self.ramp_since = Some(now);
        Some(Change::Recovered)
    }

    pub(super) fn failed(&mut self, rules: &Rules, now: Instant, may_eject: bool) -> Option<Change> {
        self.failures = self.failures.saturating_add(1);
        let eject = rules.eject.as_ref()?;
        let on_trial = self.is_on_trial();
        if !may_eject || self.is_ejected() || !(on_trial || self.failures >= eject.failures) {
            return None;
        }
        let cause =
            if on_trial { "it failed on probation".to_owned() } else { format!("{} failures in a row", self.failures) };
        Some(self.eject(eject, cause, now))
    }

    /// Each second or so, with what was counted up to now.
    pub(super) fn tick(&mut self, rules: &Rules, now: Instant, counted: (u64, u64), may_eject: bool) -> Option<Change> {
        if self.ejected_until.is_some_and(|until| until <= now) {
            self.ejected_until = None;
            self.trial = TRIAL_REQUESTS;
            return Some(Change::OnTrial);
        }
        if self.looked_at.is_some_and(|at| now.saturating_duration_since(at) < Duration::from_secs(1)) {
            return None;
        }
        self.looked_at = Some(now);
        if self.window.len() == WINDOW {
            self.window.pop_front();
        }
        self.window.push_back((counted.0.saturating_sub(self.counted.0), counted.1.saturating_sub(self.counted.1)));
        self.counted = counted;
        let eject = rules.eject.as_ref()?;
        let (good, bad) = self.window.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let all = good + bad;
        let is_bad = all >= WINDOW_REQUESTS_MIN && good * 100 < all * u64::from(eject.success_percent_min);
        if !is_bad || !may_eject || self.is_ejected() || self.is_on_trial() {
            return None;
        }
        Some(self.eject(eject, format!("{bad} of {all} requests failed"), now))
    }

    fn eject(&mut self, eject: &Eject, cause: String, now: Instant) -> Change {
        let longer = 1 << self.ejections.min(LONGER_MAX.ilog2());
        let until = eject.time * longer;
        self.ejections += 1;
        (self.failures, self.trial) = (0, 0);
        self.window.clear();
        self.ejected_until = Some(now + until);
        self.cause = Some(cause.clone());
        Change::Ejected { cause, until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn rules() -> Rules {
        let eject = Eject { failures: 3, success_percent_min: 50, time: 10 * SECOND, survivors_percent_min: 50 };
        Rules { rise: 2, fall: 3, eject: Some(eject), slow_start: 20 * SECOND }
    }

    fn bad() -> Result<(), String> {
        Err("503".to_owned())
    }

    #[test]
    fn probes_rise_and_fall() {
        let (mut state, now) = (State::new(None), Instant::now());
        let mut told = Vec::new();
        for good in [true, false, false, true, false, false, false, true, false, true, true, true] {
            told.push(state.probed(if good { Ok(()) } else { bad() }, &rules(), now));
        }
        let wanted = |index| match index {
            6 => Some(Change::Down { cause: "503".to_owned() }),
            10 => Some(Change::Up),
            _ => None,
        };
        assert_eq!(told, (0..told.len()).map(wanted).collect::<Vec<_>>());
    }

    #[test]
    fn the_first_probe_decides_alone() {
        let (mut state, now) = (State::new(None), Instant::now());
        assert_eq!(state.probed(bad(), &rules(), now), Some(Change::Down { cause: "503".to_owned() }));
        assert!(state.is_down());
    }

    #[test]
    fn failures_in_a_row_eject_and_a_good_answer_between_them_does_not() {
        let (mut state, now) = (State::new(None), Instant::now());
        for _ in 0..2 {
            assert_eq!(state.failed(&rules(), now, true), None);
        }
        state.succeeded(&rules(), now);
        for _ in 0..2 {
            assert_eq!(state.failed(&rules(), now, true), None);
        }
        assert_eq!(state.failed(&rules(), now, false), None, "too few would survive");
        assert!(
            matches!(state.failed(&rules(), now, true), Some(Change::Ejected { until, .. }) if until == 10 * SECOND)
        );
        assert_eq!(state.failed(&rules(), now, true), None, "what was under way counts no more");
    }

    #[test]
    fn probation_ends_well_or_in_a_longer_ejection() {
        let (mut state, mut now) = (State::new(None), Instant::now());
        (0..3).for_each(|_| drop(state.failed(&rules(), now, true)));
        for (fails, until) in [(true, 20), (true, 40), (false, 0)] {
            now += Duration::from_secs(300);
            assert_eq!(state.tick(&rules(), now, (0, 0), true), Some(Change::OnTrial));
            if fails {
                let again = state.failed(&rules(), now, true);
                assert!(
                    matches!(again, Some(Change::Ejected { until: found, .. }) if found == until * SECOND),
                    "{again:?}"
                );
            }
        }
        assert_eq!(state.succeeded(&rules(), now), None);
        assert_eq!(state.succeeded(&rules(), now), None);
        assert_eq!(state.succeeded(&rules(), now), Some(Change::Recovered));
        (0..2).for_each(|_| drop(state.failed(&rules(), now, true)));
        assert!(
            matches!(state.failed(&rules(), now, true), Some(Change::Ejected { until, .. }) if until == 10 * SECOND)
        );
    }

    #[test]
    fn a_bad_rate_ejects_also_without_a_row_of_failures() {
        for (good, bad, wanted) in [(9, 10, false), (10, 10, false), (9, 11, true), (90, 110, true), (1, 0, false)] {
            let (mut state, mut now) = (State::new(None), Instant::now());
            let mut ejected = false;
            for share in 1..=10 {
                now += SECOND;
                let change = state.tick(&rules(), now, (good * share / 10, bad * share / 10), true);
                ejected |= matches!(change, Some(Change::Ejected { .. }));
            }
            assert_eq!(ejected, wanted, "{good} {bad}");
        }
    }

    #[test]
    fn what_failed_long_ago_counts_no_more() {
        let (mut state, mut now) = (State::new(None), Instant::now());
        assert_eq!(state.tick(&rules(), now, (0, 19), true), None);
        for _ in 0..WINDOW {
            now += SECOND;
            assert_eq!(state.tick(&rules(), now, (0, 19), true), None);
        }
        now += SECOND;
        assert_eq!(state.tick(&rules(), now, (0, 20), true), None);
    }

    #[test]
    fn what_comes_back_is_ramped_up() {
        let (mut state, now) = (State::new(None), Instant::now());
        state.probed(bad(), &rules(), now);
        (0..2).for_each(|_| drop(state.probed(Ok(()), &rules(), now)));
        for (seconds, percent) in [(0, 10), (10, 55), (20, 100), (0, 100)] {
            assert_eq!(state.share(&rules(), now + seconds * SECOND), percent, "{seconds}");
        }
        assert_eq!(State::new(Some(now)).share(&rules(), now), 10, "as what is new");
        assert_eq!(State::new(None).share(&rules(), now), 100, "but not what was there at the start");
    }
}
