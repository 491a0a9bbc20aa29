//! What a worker did with each upstream.

use serve::counters::Counter;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Why an attempt to get an answer from an upstream failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// An endpoint's name has no address.
    Resolve,
    /// An endpoint can't be connected to.
    Connect,
    /// An endpoint does not answer a connect in time.
    ConnectTimeout,
    /// The head of the response did not come in time.
    ResponseTimeout,
    /// The connection broke before the head of the response was complete.
    Reset,
    /// What came is no HTTP response.
    Malformed,
}

impl Failure {
    /// All of them with their names in metrics, in the order of the enum.
    pub(super) const ALL: [(Self, &'static str, &'static str); 6] = [
        (Self::Resolve, "resolve", "An endpoint's name has no address."),
        (Self::Connect, "connect", "An endpoint does not accept connections."),
        (Self::ConnectTimeout, "connect_timeout", "An endpoint does not answer a connect in time."),
        (Self::ResponseTimeout, "response_timeout", "The head of the response did not come in time."),
        (Self::Reset, "reset", "The connection broke before the head of the response was complete."),
        (Self::Malformed, "malformed", "What came is no HTTP response."),
    ];
}

/// The counters of one upstream.
#[derive(Debug, Default)]
pub struct UpstreamCounters {
    /// Connections opened.
    pub connects: Counter,
    /// Requests sent on a connection that had been used before.
    pub reuses: Counter,
    failures: [Counter; Failure::ALL.len()],
}

impl UpstreamCounters {
    /// Counts a failed attempt, whether or not another one followed.
    pub fn failed(&self, failure: Failure) {
        self.failures[failure as usize].increment();
    }

    pub(super) fn failures(&self, failure: Failure) -> u64 {
        self.failures[failure as usize].get()
    }
}

/// The counters of every upstream, by name.
#[derive(Debug, Default)]
pub struct Upstreams(Mutex<BTreeMap<String, Arc<UpstreamCounters>>>);

impl Upstreams {
    /// The counters of these upstreams, in this order. Those of others are forgotten, so that names do not gather over
    /// many configurations.
    #[must_use]
    pub fn of<'a>(&self, names: impl Iterator<Item = &'a str>) -> Vec<Arc<UpstreamCounters>> {
        let mut known = self.known();
        let mut previous = std::mem::take(&mut *known);
        let counters = names.map(|name| {
            let counters = previous.remove(name).unwrap_or_default();
            known.insert(name.to_owned(), Arc::clone(&counters));
            counters
        });
        counters.collect()
    }

    /// Calls `each` with every upstream.
    pub(super) fn each(&self, mut each: impl FnMut(&str, &UpstreamCounters)) {
        self.known().iter().for_each(|(name, counters)| each(name, counters));
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Arc<UpstreamCounters>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_listed_in_their_order() {
        for (index, (failure, label, _)) in Failure::ALL.into_iter().enumerate() {
            assert_eq!(failure as usize, index, "{label}");
        }
    }

    #[test]
    fn counters_outlive_a_reload_that_keeps_their_upstream() {
        let upstreams = Upstreams::default();
        upstreams.of(["a", "b"].into_iter()).iter().for_each(|counters| counters.connects.increment());
        let after = upstreams.of(["c", "b"].into_iter());
        assert_eq!(after.iter().map(|counters| counters.connects.get()).collect::<Vec<_>>(), [0, 1]);
        let mut names = Vec::new();
        upstreams.each(|name, _| names.push(name.to_owned()));
        assert_eq!(names, ["b", "c"]);
    }
}
