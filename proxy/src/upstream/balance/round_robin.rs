//! Each in turn, by weight and smoothly: `a a b a`, never `a a a b`.

use super::{Candidates, Policy};
use crate::upstream::affinity::Affinity;
use std::cell::RefCell;

/// As nginx does it: each choice gives every candidate credit of its weight; the richest is chosen and pays for all.
#[derive(Default)]
pub(super) struct RoundRobin {
    credits: RefCell<Vec<i64>>,
}

impl Policy for RoundRobin {
    fn choose(&self, among: &dyn Candidates, _: &Affinity) -> Option<usize> {
        let mut credits = self.credits.borrow_mut();
        if credits.len() != among.count() {
            // Endpoints have come or gone: all begin anew.
            credits.clear();
            credits.resize(among.count(), 0);
        }
        let (mut best, mut total) = (None, 0);
        for index in 0..credits.len() {
            // Who may not be chosen earns nothing either, so that it does not get all requests when it is back.
            if !among.may(index) {
                continue;
            }
            let weight = i64::from(among.weight(index));
            total += weight;
            credits[index] += weight;
            if best.is_none_or(|best: usize| credits[index] > credits[best]) {
                best = Some(index);
            }
        }
        credits[best?] -= total;
        best
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Table, choices};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn heavier_ones_come_more_often_and_spread_out() {
        for (weights, wanted) in
            [(&[1, 1, 1][..], &[0, 1, 2, 0][..]), (&[5, 1, 1], &[0, 0, 1, 0, 2, 0, 0]), (&[2, 1], &[0, 1, 0, 0, 1, 0])]
        {
            assert_eq!(choices(&RoundRobin::default(), &Table::of(weights), wanted.len()), wanted, "{weights:?}");
        }
    }

    #[test]
    fn one_that_was_away_does_not_catch_up() {
        let (policy, mut table) = (RoundRobin::default(), Table::of(&[1, 1]));
        table.0[1].2 = false;
        assert_eq!(choices(&policy, &table, 10), [0; 10]);
        table.0[1].2 = true;
        let back = choices(&policy, &table, 10);
        assert_eq!(back.iter().filter(|&&index| index == 1).count(), 5, "{back:?}");
    }

    proptest! {
        #[test]
        fn each_gets_exactly_its_share_of_a_round(weights in prop::collection::vec(1u32..20, 1..10), rounds in 1usize..5) {
            let round: usize = weights.iter().map(|&weight| weight as usize).sum();
            let chosen = choices(&RoundRobin::default(), &Table::of(&weights), round * rounds);
            for (index, &weight) in weights.iter().enumerate() {
                prop_assert_eq!(chosen.iter().filter(|&&one| one == index).count(), weight as usize * rounds);
            }
        }
    }
}
