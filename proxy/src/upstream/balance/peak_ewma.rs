//! Power of two choices over peak-EWMA latency: of two by chance, the one that would answer sooner.
//!
//! Comparing two finds a good one nearly always, and does not send everybody to the one that just looked best. Each
//! worker has its own estimates (`latency`): it takes what it sees itself.

use super::{Candidates, Policy};
use crate::upstream::affinity::Affinity;
use std::cell::Cell;

/// A small generator of its own: nobody gains from guessing what it says.
pub(super) struct PeakEwma {
    seed: Cell<u64>,
}

impl PeakEwma {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed: Cell::new(seed | 1) }
    }

    /// Below `bound`, which is not 0 (xorshift64*, Marsaglia and Vigna).
    fn below(&self, bound: usize) -> usize {
        let mut seed = self.seed.get();
        seed ^= seed >> 12;
        seed ^= seed << 25;
        seed ^= seed >> 27;
        self.seed.set(seed);
        let high = seed.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        usize::try_from((high * bound as u64) >> 32).unwrap_or(0)
    }
}

impl Policy for PeakEwma {
    fn choose(&self, among: &dyn Candidates, _: &Affinity) -> Option<usize> {
        let may = |index: &usize| among.may(*index);
        let count = (0..among.count()).filter(may).count();
        let nth = |nth| (0..among.count()).filter(may).nth(nth);
        if count < 2 {
            return nth(0);
        }
        let first = self.below(count);
        let second = (first + 1 + self.below(count - 1)) % count;
        let (first, second) = (nth(first)?, nth(second)?);
        Some(if cost(among, second) < cost(among, first) { second } else { first })
    }
}

/// How long one more request would take there, for its weight.
fn cost(among: &dyn Candidates, index: usize) -> f64 {
    among.latency(index) * (among.in_flight(index) as f64 + 1.0) / f64::from(among.weight(index).max(1))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Table, choices};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_sooner_of_two_wins() {
        let mut table = Table::of(&[1, 1]);
        table.1 = vec![0.001, 0.002];
        assert_eq!(choices(&PeakEwma::new(7), &table, 9), [0; 9]);
        table.0[0].1 = 2;
        assert_eq!(choices(&PeakEwma::new(7), &table, 9), [1; 9], "three in a row take longer than one");
        table.0[0].0 = 100;
        assert_eq!(choices(&PeakEwma::new(7), &table, 9), [0; 9], "but not at one that is as strong as a hundred");
    }

    proptest! {
        #[test]
        fn equals_get_equal_shares(count in 2usize..10, seed: u64) {
            let chosen = choices(&PeakEwma::new(seed), &Table::of(&vec![1; count]), 1000 * count);
            for index in 0..count {
                let times = chosen.iter().filter(|&&one| one == index).count();
                prop_assert!((800..1200).contains(&times), "{index} of {count}: {times}");
            }
        }

        #[test]
        fn the_slowest_of_many_is_never_chosen(count in 2usize..10, slow in 0usize..10, seed: u64) {
            let slow = slow % count;
            let mut table = Table::of(&vec![1; count]);
            table.1[slow] = 10.0;
            prop_assert!(!choices(&PeakEwma::new(seed), &table, 200).contains(&slow));
        }
    }
}
