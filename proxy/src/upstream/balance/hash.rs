//! Consistent hash: requests of the same number go to the same endpoint, and when one comes or goes only its share moves.
//!
//! Rendezvous hashing: each endpoint draws a score from its own name and the number, stretched by its weight, and the
//! best one wins. It needs no table that would have to be built anew, and weights are exact. Who is best does not depend
//! on the others, so the second best takes over what an unwell one had, and gives it back. It costs one multiplication
//! and one logarithm an endpoint, which is less than a table costs for the tens of endpoints that an upstream has.

use super::least_requests::LeastRequests;
use super::{Candidates, Policy};
use crate::upstream::affinity::{Affinity, mix};

/// An endpoint with more than this many times its share of what is in flight is passed over (bounded loads).
const LOAD_PERCENT_MAX: u64 = 200;
/// Below it everybody is idle, and no share says anything.
const IN_FLIGHT_MIN: u64 = 8;

/// Requests without a number go to the least loaded.
#[derive(Default)]
pub(super) struct Hash {
    others: LeastRequests,
}

impl Policy for Hash {
    fn choose(&self, among: &dyn Candidates, affinity: &Affinity) -> Option<usize> {
        let Some(hash) = affinity.hash else { return self.others.choose(among, affinity) };
        let (mut in_flight, mut weight) = (1, 0);
        for index in (0..among.count()).filter(|&index| among.may(index)) {
            in_flight += among.in_flight(index) as u64;
            weight += u64::from(among.weight(index));
        }
        let fits = |index: usize| {
            let (load, share) = (among.in_flight(index) as u64 + 1, u64::from(among.weight(index)));
            in_flight < IN_FLIGHT_MIN || load * weight * 100 <= in_flight * share * LOAD_PERCENT_MAX
        };
        let best = |fits: &dyn Fn(usize) -> bool| {
            let may = (0..among.count()).filter(|&index| among.may(index) && fits(index));
            may.map(|index| (score(hash, among.key(index), among.weight(index)), index))
                .max_by(|one, other| one.0.total_cmp(&other.0))
                .map(|(_, index)| index)
        };
        best(&fits).or_else(|| best(&|_| true))
    }
}

/// The weighted score of one endpoint (Wang et al., "Weighted Distributed Hash Tables"): `-weight / ln(u)` for a `u`
/// that is spread evenly over (0, 1).
fn score(hash: u64, key: u64, weight: u32) -> f64 {
    let mixed = mix(hash ^ mix(key));
    // 53 bits are what a double holds; a half more keeps it off 0.
    let even = ((mixed >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    -f64::from(weight) / even.ln()
}

#[cfg(test)]
mod tests {
    use super::super::tests::Table;
    use super::*;
    use proptest::prelude::*;

    const NUMBERS: u64 = 4000;

    fn homes(table: &Table) -> Vec<usize> {
        let affinity = |number: u64| Affinity { hash: Some(mix(number + 1)), ..Affinity::default() };
        (0..NUMBERS).filter_map(|number| Hash::default().choose(table, &affinity(number))).collect()
    }

    proptest! {
        #[test]
        fn each_number_has_one_home_and_shares_follow_weights(weights in prop::collection::vec(1u32..5, 2..8)) {
            let table = Table::of(&weights);
            let (once, again) = (homes(&table), homes(&table));
            prop_assert_eq!(&once, &again);
            let total: u32 = weights.iter().sum();
            for (index, &weight) in weights.iter().enumerate() {
                let found = once.iter().filter(|&&home| home == index).count() as f64 / NUMBERS as f64;
                let wanted = f64::from(weight) / f64::from(total);
                prop_assert!((found - wanted).abs() < 0.05, "{index} of {weights:?}: {found}");
            }
        }

        #[test]
        fn only_what_was_at_home_there_moves(weights in prop::collection::vec(1u32..5, 2..8), gone in 0usize..8) {
            let (mut table, gone) = (Table::of(&weights), gone % weights.len());
            let before = homes(&table);
            table.0[gone].2 = false;
            for (before, after) in before.into_iter().zip(homes(&table)) {
                prop_assert!(after != gone && (before == gone || before == after));
            }
        }
    }

    #[test]
    fn one_that_has_far_more_than_its_share_is_passed_over() {
        let affinity = Affinity { hash: Some(42), ..Affinity::default() };
        let mut table = Table::of(&[1, 1, 1]);
        let home = Hash::default().choose(&table, &affinity).expect("one");
        table.0[home].1 = 6;
        assert_eq!(Hash::default().choose(&table, &affinity), Some(home), "few are no crowd");
        table.0[home].1 = 30;
        assert_ne!(Hash::default().choose(&table, &affinity), Some(home));
    }
}
