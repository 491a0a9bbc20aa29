//! Every policy over zones: who gets what, and who moves when shares change.

use super::*;
use crate::config::{self, Balance, Endpoint, EndpointAddress};
use crate::upstream::affinity::mix;
use crate::upstream::balance::{Load, policy, tests::Table};
use proptest::prelude::*;

const ALL: [Balance; 4] = [Balance::RoundRobin, Balance::LeastRequests, Balance::PeakEwma, Balance::Hash];
const REQUESTS: u64 = 4000;

/// Endpoints of equal weight, zone after zone.
struct Rows {
    table: Table,
    zones: Arc<Zones>,
}

impl Rows {
    /// So many endpoints in each zone, and the process is in the first one.
    fn of(counts: &[usize], settings: config::Zones) -> Self {
        let names = counts.iter().enumerate().flat_map(|(zone, &count)| vec![format!("z{zone}"); count]);
        let endpoint = |zone| Endpoint { address: EndpointAddress::Srv(String::new()), weight: 1, zone: Some(zone) };
        let endpoints: Vec<_> = names.map(endpoint).collect();
        let zones = Zones::new(&settings, &endpoints, Some("z0")).expect("zones");
        let rows = Self { table: Table::of(&vec![1; endpoints.len()]), zones };
        rows.weigh();
        rows
    }

    /// One is lost.
    fn lose(&mut self, index: usize) {
        self.table.0[index].2 = false;
        self.weigh();
    }

    fn weigh(&self) {
        let well = self.table.0.iter().map(|row| if row.2 { 100 } else { 0 });
        self.zones.weigh(|| well.enumerate().map(|(part, well_percent)| Load { part, weight: 1, well_percent }));
    }

    /// Where so many requests go, each with a number of its own.
    fn homes(&self, balance: Balance) -> Vec<usize> {
        let policy = policy(balance, Some(&self.zones));
        let hash = |number: u64| (balance == Balance::Hash).then(|| mix(number + 1));
        let affinity = |number| Affinity { hash: hash(number), ..Affinity::default() };
        (0..REQUESTS).filter_map(|number| policy.choose(self, &affinity(number))).collect()
    }

    /// Parts of the whole that the zones get.
    fn parts(&self, balance: Balance) -> Vec<f64> {
        let homes = self.homes(balance);
        let part = |zone| homes.iter().filter(|&&home| self.zones.of(home) == zone).count() as f64 / REQUESTS as f64;
        (0..self.zones.count()).map(part).collect()
    }
}

impl Candidates for Rows {
    fn count(&self) -> usize {
        self.table.count()
    }

    fn may(&self, index: usize) -> bool {
        self.table.may(index)
    }

    fn weight(&self, index: usize) -> u32 {
        self.table.weight(index)
    }

    fn in_flight(&self, index: usize) -> usize {
        self.table.in_flight(index)
    }

    fn latency(&self, index: usize) -> f64 {
        self.table.latency(index)
    }

    fn key(&self, index: usize) -> u64 {
        self.table.key(index)
    }

    fn of_zone(&self, zone: usize) -> Range<usize> {
        let here = |index: &usize| self.zones.of(*index) == zone;
        let first = (0..self.count()).find(here).unwrap_or_default();
        first..first + (0..self.count()).filter(here).count()
    }
}

fn weighted(weights: &[u32], prefer_own: bool) -> config::Zones {
    let weights = weights.iter().enumerate().map(|(zone, &weight)| (format!("z{zone}"), weight)).collect();
    config::Zones { weights, prefer_own, ..config::Zones::DEFAULT }
}

fn close(found: &[f64], wanted: &[f64]) -> bool {
    found.len() == wanted.len() && found.iter().zip(wanted).all(|(found, wanted)| (found - wanted).abs() < 0.03)
}

#[test]
fn the_own_zone_keeps_what_it_can_take() {
    for balance in ALL {
        let mut rows = Rows::of(&[2, 3], config::Zones::DEFAULT);
        assert_eq!(rows.parts(balance), [1.0, 0.0], "{balance:?}: all are well");
        rows.lose(0);
        assert!(close(&rows.parts(balance), &[0.7, 0.3]), "{balance:?}: {:?}", rows.parts(balance));
        rows.lose(1);
        assert_eq!(rows.parts(balance), [0.0, 1.0], "{balance:?}: nobody is left");
        (2..5).for_each(|index| rows.lose(index));
        assert!(rows.homes(balance).is_empty(), "{balance:?}: nor is anybody elsewhere");
    }
}

/// A zone that gets nothing is better than no answer: the request has been to everybody else, or they are full.
#[test]
fn a_zone_without_a_share_is_asked_when_no_other_can_be() {
    for balance in ALL {
        let mut rows = Rows::of(&[1, 1], config::Zones::DEFAULT);
        rows.table.0[0].2 = false;
        assert_eq!(rows.parts(balance), [0.0, 1.0], "{balance:?}");
    }
}

#[test]
fn within_a_zone_its_endpoints_share() {
    for balance in ALL {
        let homes = Rows::of(&[2, 2], config::Zones::DEFAULT).homes(balance);
        let first = homes.iter().filter(|&&home| home == 0).count() as f64 / REQUESTS as f64;
        assert!((first - 0.5).abs() < 0.05, "{balance:?}: {first}");
    }
}

#[test]
fn nothing_is_spread_without_an_own_zone_and_without_weights() {
    let endpoint = Endpoint { address: EndpointAddress::Srv(String::new()), weight: 1, zone: Some("a".to_owned()) };
    let (plain, endpoints) = (config::Zones::DEFAULT, [endpoint]);
    assert!(Zones::new(&plain, &endpoints, None).is_none() && Zones::new(&plain, &endpoints, Some("b")).is_none());
    assert!(Zones::new(&plain, &endpoints, Some("a")).is_some());
    let unwanted = config::Zones { prefer_own: false, ..plain };
    assert!(Zones::new(&unwanted, &endpoints, Some("a")).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn zones_get_shares_by_weight(zones in prop::collection::vec((1usize..4, 1u32..6), 2..5)) {
        let (counts, weights): (Vec<_>, Vec<_>) = zones.into_iter().unzip();
        let rows = Rows::of(&counts, weighted(&weights, false));
        let total: u32 = weights.iter().sum();
        let wanted: Vec<_> = weights.iter().map(|&weight| f64::from(weight) / f64::from(total)).collect();
        for balance in ALL {
            prop_assert!(close(&rows.parts(balance), &wanted), "{balance:?} {counts:?} {weights:?}");
        }
    }

    #[test]
    fn what_the_own_zone_cannot_take_goes_to_the_others_by_weight(
        own in 2usize..6, lost in 1usize..6, weights in prop::collection::vec(1u32..6, 1..4),
    ) {
        let lost = lost.min(own);
        let counts: Vec<_> = [own].into_iter().chain(weights.iter().map(|_| 2)).collect();
        let weights: Vec<_> = [1].into_iter().chain(weights).collect();
        let mut rows = Rows::of(&counts, weighted(&weights, true));
        (0..lost).for_each(|index| rows.lose(index));
        let stays = (1.4 * (own - lost) as f64 / own as f64).min(1.0);
        let total: u32 = weights[1..].iter().sum();
        let spilled = weights[1..].iter().map(|&weight| (1.0 - stays) * f64::from(weight) / f64::from(total));
        let wanted: Vec<_> = [stays].into_iter().chain(spilled).collect();
        for balance in ALL {
            prop_assert!(close(&rows.parts(balance), &wanted), "{balance:?} {wanted:?} {:?}", rows.parts(balance));
        }
    }

    /// Consistent hashing over zones: who does not have to move stays where he is.
    #[test]
    fn only_what_the_own_zone_gives_away_moves(own in 2usize..6, other in 1usize..6) {
        let mut rows = Rows::of(&[own, other], config::Zones::DEFAULT);
        let before = rows.homes(Balance::Hash);
        rows.lose(0);
        let stays = (1.4 * (own - 1) as f64 / own as f64).min(1.0);
        let after = rows.homes(Balance::Hash);
        let moved = before.iter().zip(&after).filter(|(before, after)| **before != 0 && before != after).count();
        prop_assert!(moved as f64 / REQUESTS as f64 <= 1.0 - stays + 0.03, "{moved} of {REQUESTS}");
    }
}
