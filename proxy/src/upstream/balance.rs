//! How an endpoint is chosen: a pure function of the loads and a turn.

use crate::config::Balance;

/// Chooses among `loads` (requests in flight, by endpoint), without those for which `skip` holds. `turn` counts
/// choices: ties rotate with it, because always taking the first of equals would leave the others idle.
pub(super) fn choose(balance: Balance, loads: &[usize], turn: usize, skip: impl Fn(usize) -> bool) -> Option<usize> {
    let count = loads.len();
    let in_turn = (0..count).map(|step| (turn.wrapping_add(step)) % count).filter(|&index| !skip(index));
    match balance {
        Balance::RoundRobin => { in_turn }.next(),
        Balance::LeastRequests => { in_turn }.min_by_key(|&index| loads[index]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ties_rotate() {
        for balance in [Balance::RoundRobin, Balance::LeastRequests] {
            let chosen: Vec<_> = (0..4).filter_map(|turn| choose(balance, &[0, 0, 0], turn, |_| false)).collect();
            assert_eq!(chosen, [0, 1, 2, 0], "{balance:?}");
        }
    }

    #[test]
    fn the_least_loaded_wins_and_the_skipped_never() {
        assert_eq!(choose(Balance::LeastRequests, &[3, 1, 2], 0, |_| false), Some(1));
        assert_eq!(choose(Balance::LeastRequests, &[3, 1, 2], 0, |index| index == 1), Some(2));
        assert_eq!(choose(Balance::RoundRobin, &[0, 0], 1, |index| index == 1), Some(0));
        assert_eq!(choose(Balance::RoundRobin, &[0], 7, |_| true), None);
        assert_eq!(choose(Balance::LeastRequests, &[], 7, |_| false), None);
    }

    proptest! {
        #[test]
        fn round_robin_is_fair(count in 1usize..20, rounds in 1usize..20) {
            let mut chosen = vec![0; count];
            for turn in 0..count * rounds {
                chosen[choose(Balance::RoundRobin, &vec![0; count], turn, |_| false).expect("one")] += 1;
            }
            prop_assert!(chosen.iter().all(|&times| times == rounds));
        }
    }
}
