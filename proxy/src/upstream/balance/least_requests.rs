//! The one with the fewest requests in flight for its weight.

use super::{Candidates, Policy, in_turn};
use crate::upstream::affinity::Affinity;
use std::cell::Cell;
use std::cmp::Ordering;

/// Ties rotate: always taking the first of equals would leave the others idle.
#[derive(Default)]
pub(super) struct LeastRequests {
    turn: Cell<usize>,
}

impl Policy for LeastRequests {
    fn choose(&self, among: &dyn Candidates, _: &Affinity) -> Option<usize> {
        let turn = self.turn.replace(self.turn.get().wrapping_add(1));
        in_turn(among, turn).min_by(|&one, &other| compare(among, one, other))
    }
}

/// Which has more to do for its weight, the request to come included: of two idle ones the heavier has less.
fn compare(among: &dyn Candidates, one: usize, other: usize) -> Ordering {
    let load = |index| among.in_flight(index) as u64 + 1;
    let weight = |index| u64::from(among.weight(index));
    load(one).saturating_mul(weight(other)).cmp(&load(other).saturating_mul(weight(one)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Table, choices};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ties_rotate() {
        assert_eq!(choices(&LeastRequests::default(), &Table::of(&[1, 1, 1]), 4), [0, 1, 2, 0]);
    }

    #[test]
    fn the_least_loaded_for_its_weight_wins() {
        for (table, wanted) in [
            (vec![(1, 3, true), (1, 1, true), (1, 2, true)], 1),
            (vec![(1, 3, true), (1, 1, false), (1, 2, true)], 2),
            (vec![(1, 0, true), (2, 0, true)], 1),
            (vec![(1, 0, true), (2, 2, true)], 0),
            (vec![(10, 8, true), (1, 0, true)], 0),
        ] {
            assert_eq!(choices(&LeastRequests::default(), &Table::with(table.clone()), 1), [wanted], "{table:?}");
        }
    }

    proptest! {
        /// Requests that never end: the loads come to be as the weights are.
        #[test]
        fn loads_follow_weights(weights in prop::collection::vec(1u32..20, 1..10)) {
            let (policy, mut table) = (LeastRequests::default(), Table::of(&weights));
            let total: u32 = weights.iter().sum();
            for _ in 0..total * 10 {
                let chosen = policy.choose(&table, &Affinity::default()).expect("one");
                table.0[chosen].1 += 1;
            }
            for &(weight, in_flight, _) in &table.0 {
                prop_assert!(in_flight.abs_diff(weight as usize * 10) <= 10, "{:?}", table);
            }
        }
    }
}
