//! How an endpoint is chosen: one small trait, one policy a file.
//!
//! A policy belongs to one worker and one upstream and knows only what [`Candidates`] shows: places by number, with
//! their shares and loads. Choosing allocates nothing.

mod hash;
mod latency;
mod least_requests;
mod peak_ewma;
mod round_robin;
mod zone_shares;
mod zoned;
mod zones;

pub(super) use latency::Latency;
pub(super) use zones::{Load, Zones};

use super::affinity::Affinity;
use crate::config;
use std::ops::Range;
use std::sync::Arc;

/// What there is to choose from.
pub(super) trait Candidates {
    /// How many there are, those that may not be chosen included.
    fn count(&self) -> usize;

    /// Whether this one may be chosen.
    fn may(&self, index: usize) -> bool;

    /// Its share of the requests beside that of the others; at least 1.
    fn weight(&self, index: usize) -> u32;

    /// Requests in flight there.
    fn in_flight(&self, index: usize) -> usize;

    /// How long it takes to answer, in seconds.
    fn latency(&self, index: usize) -> f64;

    /// A number that it has wherever it is asked for, and after every restart.
    fn key(&self, index: usize) -> u64;

    /// Those of one zone, where there are several: they stand together.
    fn of_zone(&self, _zone: usize) -> Range<usize> {
        0..self.count()
    }
}

/// One way of choosing.
pub(super) trait Policy {
    /// The best of those that may be chosen.
    fn choose(&self, among: &dyn Candidates, affinity: &Affinity) -> Option<usize>;
}

/// The policy as configured, within each of these zones where there are any.
pub(super) fn policy(balance: config::Balance, zones: Option<&Arc<Zones>>) -> Box<dyn Policy> {
    match zones {
        Some(zones) => Box::new(zoned::Zoned::new(Arc::clone(zones), || plain(balance))),
        None => plain(balance),
    }
}

fn plain(balance: config::Balance) -> Box<dyn Policy> {
    match balance {
        config::Balance::RoundRobin => Box::new(round_robin::RoundRobin::default()),
        config::Balance::LeastRequests => Box::new(least_requests::LeastRequests::default()),
        config::Balance::PeakEwma => Box::new(peak_ewma::PeakEwma::new(getrandom::u64().unwrap_or(1))),
        config::Balance::Hash => Box::new(hash::Hash::default()),
    }
}

/// Those that may be chosen, beginning with the one whose turn it is.
fn in_turn(among: &dyn Candidates, turn: usize) -> impl Iterator<Item = usize> {
    let count = among.count();
    (0..count).map(move |step| turn.wrapping_add(step) % count).filter(|&index| among.may(index))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Weight, requests in flight, and whether it may be chosen.
    #[derive(Debug, Clone)]
    pub(in crate::upstream) struct Table(
        pub(in crate::upstream) Vec<(u32, usize, bool)>,
        pub(in crate::upstream) Vec<f64>,
    );

    impl Table {
        /// Idle ones with these weights.
        pub(in crate::upstream) fn of(weights: &[u32]) -> Self {
            Self::with(weights.iter().map(|&weight| (weight, 0, true)).collect())
        }

        /// As fast as each other.
        pub(in crate::upstream) fn with(rows: Vec<(u32, usize, bool)>) -> Self {
            let latencies = vec![0.001; rows.len()];
            Self(rows, latencies)
        }
    }

    impl Candidates for Table {
        fn count(&self) -> usize {
            self.0.len()
        }

        fn may(&self, index: usize) -> bool {
            self.0[index].2
        }

        fn weight(&self, index: usize) -> u32 {
            self.0[index].0
        }

        fn in_flight(&self, index: usize) -> usize {
            self.0[index].1
        }

        fn latency(&self, index: usize) -> f64 {
            self.1[index]
        }

        fn key(&self, index: usize) -> u64 {
            index as u64
        }
    }

    /// So many choices in a row, without any of them being noted as in flight.
    pub(in crate::upstream) fn choices(policy: &dyn Policy, table: &Table, count: usize) -> Vec<usize> {
        (0..count).filter_map(|_| policy.choose(table, &Affinity::default())).collect()
    }

    #[test]
    fn no_policy_chooses_what_it_may_not() {
        use config::Balance::{Hash, LeastRequests, PeakEwma, RoundRobin};
        for balance in [RoundRobin, LeastRequests, PeakEwma, Hash] {
            let policy = policy(balance, None);
            assert!(choices(&*policy, &Table::with(Vec::new()), 1).is_empty(), "{balance:?}");
            assert!(choices(&*policy, &Table::with(vec![(1, 0, false); 3]), 1).is_empty(), "{balance:?}");
            let table = Table::with(vec![(9, 0, false), (1, 7, true), (9, 0, false)]);
            assert_eq!(choices(&*policy, &table, 3), [1, 1, 1], "{balance:?}");
        }
    }
}
