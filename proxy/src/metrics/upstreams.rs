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
    /// TLS to an endpoint fails.
    Tls,
    /// An endpoint takes no more requests at once.
    Busy,
    /// The head of the response did not come in time.
    ResponseTimeout,
    /// The connection broke before the head of the response was complete.
    Reset,
    /// What came is no HTTP response.
    Malformed,
    /// No endpoint came back while the request waited for one.
    NotBack,
    /// Too many requests waited for an endpoint to come back.
    ParkFull,
    /// Too many requests waited for a place.
    QueueFull,
    /// There was no place in time.
    QueueTimeout,
    /// What was left of the request's time was too short.
    Shed,
    /// Every endpoint has failed too often.
    CircuitOpen,
}

impl Failure {
    /// Its name.
    #[must_use]
    pub const fn label(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// All of them with their names in metrics, in the order of the enum.
    pub(super) const ALL: [(Self, &'static str, &'static str); 14] = [
        (Self::Resolve, "resolve", "An endpoint's name has no address."),
        (Self::Connect, "connect", "An endpoint does not accept connections."),
        (Self::ConnectTimeout, "connect_timeout", "An endpoint does not answer a connect in time."),
        (Self::Tls, "tls", "The endpoint is not who it must be, or does not accept the proxy."),
        (Self::Busy, "busy", "An endpoint takes no more requests at once."),
        (Self::ResponseTimeout, "response_timeout", "The head of the response did not come in time."),
        (Self::Reset, "reset", "The connection broke before the head of the response was complete."),
        (Self::Malformed, "malformed", "What came is no HTTP response."),
        (Self::NotBack, "not_back", "No endpoint came back while the request waited for one (`park`)."),
        (Self::ParkFull, "park_full", "Too many requests waited for an endpoint to come back."),
        (Self::QueueFull, "queue_full", "Too many requests waited for a place (`limits`)."),
        (Self::QueueTimeout, "queue_timeout", "No place became free in time."),
        (Self::Shed, "shed", "What was left of a request's time was too short for an answer."),
        (Self::CircuitOpen, "circuit_open", "Every endpoint had failed too often and was left alone (`breaker`)."),
    ];
}

/// The counters of one upstream.
#[derive(Debug, Default)]
pub struct UpstreamCounters {
    /// Connections opened.
    pub connects: Counter,
    /// Connects that took so long that another address of the name was tried beside them.
    pub races: Counter,
    /// Connects that were given up because another address had taken the connection.
    pub outrun: Counter,
    /// Requests sent on a connection that had been used before.
    pub reuses: Counter,
    /// Attempts that followed a failure because their route says so.
    pub retries: Counter,
    /// Failures that no attempt followed, because the budget was spent.
    pub retries_denied: Counter,
    /// Requests that were sent once more beside an attempt that took long, because their route says so.
    pub hedges: Counter,
    /// Those of them that were answered first.
    pub hedges_won: Counter,
    /// How often an endpoint has failed too often, and was left alone from then on.
    pub breaks: Counter,
    /// Requests that have waited for a place.
    pub queued: Counter,
    /// How often one of them sat down to, and rose again.
    pub queue_waits: Waits,
    /// Requests that have waited for an endpoint to come back.
    pub parked: Counter,
    /// How often one of them sat down to, and rose again.
    pub park_waits: Waits,
    failures: [Counter; Failure::ALL.len()],
}

impl UpstreamCounters {
    /// Counts a request that waits for an endpoint to come back, until the value is dropped.
    #[must_use]
    pub fn park(self: &Arc<Self>, waited: &mut HasWaited) -> Waiting {
        if !std::mem::replace(&mut waited.parked, true) {
            self.parked.increment();
        }
        Waiting::begin(self, |counters| &counters.park_waits)
    }

    /// Counts a request that waits for a place, until the value is dropped.
    #[must_use]
    pub fn queue(self: &Arc<Self>, waited: &mut HasWaited) -> Waiting {
        if !std::mem::replace(&mut waited.queued, true) {
            self.queued.increment();
        }
        Waiting::begin(self, |counters| &counters.queue_waits)
    }

    /// Counts a failed attempt, whether or not another one followed.
    pub fn failed(&self, failure: Failure) {
        self.failures[failure as usize].increment();
    }

    pub(crate) fn failures(&self, failure: Failure) -> u64 {
        self.failures[failure as usize].get()
    }
}

/// How often a wait began and ended: a request whose place was gone when it came to it waits again.
#[derive(Debug, Default)]
pub struct Waits {
    /// How often it began.
    pub begun: Counter,
    /// How often it ended.
    pub ended: Counter,
}

/// For what one request has waited up to now. It is counted once for each, however often it sits down again.
#[derive(Debug, Clone, Copy, Default)]
pub struct HasWaited {
    queued: bool,
    parked: bool,
}

/// A request that waits. Dropped on the worker that it was made on.
#[derive(Debug)]
pub struct Waiting(Arc<UpstreamCounters>, fn(&UpstreamCounters) -> &Waits);

impl Waiting {
    fn begin(counters: &Arc<UpstreamCounters>, waits: fn(&UpstreamCounters) -> &Waits) -> Self {
        waits(counters).begun.increment();
        Self(Arc::clone(counters), waits)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        (self.1)(&self.0).ended.increment();
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
