//! How much of the traffic each zone gets: the own one first, and what it can't take by the weights of the others.

/// All of the traffic. A share is so many parts of it.
pub(super) const WHOLE: u32 = 10_000;

/// One zone as it is now. Weights of endpoints are in one unit within a zone; nobody compares those of two zones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Capacity {
    /// Its share beside the other zones.
    pub(super) weight: u64,
    /// The weights of its endpoints, those that are lost included.
    pub(super) all: u64,
    /// The weights of those that are well, less where they are being ramped up.
    pub(super) well: u64,
}

impl Capacity {
    /// The part of its usual share that it can take, of [`WHOLE`]: what is well of it, times `overprovision_percent`.
    fn availability(self, overprovision_percent: u32) -> u64 {
        let able = self.well.saturating_mul(overprovision_percent.into()).saturating_mul(u64::from(WHOLE) / 100);
        able.checked_div(self.all).unwrap_or(0).min(WHOLE.into())
    }
}

/// The shares of the zones, in their order. `own`: the one that gets all that it is able to take.
///
/// As with priorities in Envoy: what the own zone can't take goes to the others in proportion to their weights times what
/// is available of each. Where both together are not able to take everything, each gets its part of what they are. When
/// nobody is well, nothing is known of who would answer, and all count as well.
pub(super) fn shares(zones: &[Capacity], own: Option<usize>, overprovision_percent: u32) -> Vec<u32> {
    let nobody = zones.iter().all(|zone| zone.well == 0);
    let available: Vec<u64> = zones
        .iter()
        .map(|zone| Capacity { well: if nobody { zone.all } else { zone.well }, ..*zone })
        .map(|zone| zone.availability(overprovision_percent))
        .collect();
    let others = || (0..zones.len()).filter(|&zone| Some(zone) != own);
    let able = |zone: usize| u128::from(zones[zone].weight) * u128::from(available[zone]);
    let weights: u128 = others().map(|zone| u128::from(zones[zone].weight)).sum();
    let all_able: u128 = others().map(able).sum();
    let here = own.map_or(0, |own| u128::from(available[own]));
    let elsewhere = all_able.checked_div(weights).unwrap_or(0);
    let whole = u128::from(WHOLE);
    // Who is able to take a little only, however little, is there.
    let kept = if here + elsewhere >= whole { here } else { (here * whole).checked_div(here + elsewhere).unwrap_or(0) };
    let kept = if all_able == 0 { whole } else { kept };
    let share = |zone: usize| {
        if Some(zone) == own {
            return u32::try_from(kept).unwrap_or(WHOLE);
        }
        let part = ((whole - kept) * able(zone)).checked_div(all_able).unwrap_or(0);
        let some = able(zone) > 0 && kept < whole;
        u32::try_from(part).unwrap_or(WHOLE).max(some.into())
    };
    (0..zones.len()).map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn zone(weight: u64, all: u64, well: u64) -> Capacity {
        Capacity { weight, all, well }
    }

    #[test]
    fn the_own_zone_comes_first_and_spills_by_weight() {
        for (zones, own, wanted) in [
            // All are well.
            (vec![zone(2, 2, 2), zone(2, 2, 2)], Some(0), vec![10_000, 0]),
            // One of four is lost: 1.4 * 3/4 is more than all.
            (vec![zone(4, 4, 3), zone(1, 1, 1)], Some(0), vec![10_000, 0]),
            // One of two is lost: 1.4 * 1/2.
            (vec![zone(2, 2, 1), zone(2, 2, 2)], Some(0), vec![7000, 3000]),
            (vec![zone(2, 2, 1), zone(2, 2, 2), zone(1, 2, 2)], Some(0), vec![7000, 2000, 1000]),
            // Of the two others one is weakened too.
            (vec![zone(2, 2, 0), zone(1, 2, 1), zone(1, 2, 2)], Some(0), vec![0, 4117, 5882]),
            // Both together are not able to take everything.
            (vec![zone(1, 10, 5), zone(1, 10, 1)], Some(0), vec![8333, 1667]),
            (vec![zone(1, 1, 1), zone(1, 1, 0)], Some(1), vec![10_000, 0]),
            // Nobody else is left.
            (vec![zone(1, 10, 1), zone(1, 10, 0)], Some(0), vec![10_000, 0]),
            (vec![zone(1, 10, 1)], Some(0), vec![10_000]),
            // Nobody is well: as if all were.
            (vec![zone(1, 2, 0), zone(1, 2, 0)], Some(1), vec![0, 10_000]),
            // No own zone.
            (vec![zone(3, 1, 1), zone(1, 9, 9)], None, vec![7500, 2500]),
            (vec![zone(3, 2, 1), zone(1, 9, 9)], None, vec![6774, 3225]),
        ] {
            assert_eq!(shares(&zones, own, 140), wanted, "{zones:?} {own:?}");
        }
    }

    #[test]
    fn a_zone_that_is_able_to_take_a_little_gets_some() {
        let zones = [zone(1_000_000, 1, 1), zone(1, 1000, 1)];
        assert_eq!(shares(&zones, None, 140)[1], 1);
    }

    prop_compose! {
        fn any_zone()(weight in 1u64..100, all in 1u64..100_000, well in 0u64..=100) -> Capacity {
            zone(weight, all, all * well / 100)
        }
    }

    proptest! {
        #[test]
        fn all_of_the_traffic_goes_somewhere(
            zones in prop::collection::vec(any_zone(), 1..8), own: Option<usize>, percent in 100u32..=1000,
        ) {
            let own = own.map(|own| own % zones.len());
            let total: u32 = shares(&zones, own, percent).iter().sum();
            // What is rounded is less than a part a zone.
            prop_assert!(total.abs_diff(WHOLE) <= 8, "{zones:?} {own:?}: {total}");
        }

        #[test]
        fn who_has_nobody_well_gets_nothing_while_others_have(
            zones in prop::collection::vec(any_zone(), 1..8), own: Option<usize>,
        ) {
            let own = own.map(|own| own % zones.len());
            prop_assume!(zones.iter().any(|zone| zone.well > 0));
            for (zone, share) in zones.iter().zip(shares(&zones, own, 140)) {
                prop_assert!(zone.well > 0 || share == 0, "{zones:?} {own:?}");
            }
        }

        /// The part that stays is what is well times the factor, and the rest is spread as the weights are.
        #[test]
        fn the_spill_is_proportional(well in 0u64..=100, weights in prop::collection::vec(1u64..20, 1..6)) {
            let mut zones = vec![zone(1, 100, well)];
            zones.extend(weights.iter().map(|&weight| zone(weight, 10, 10)));
            let shares = shares(&zones, Some(0), 140);
            let stays = (well * 140).min(WHOLE.into());
            prop_assert_eq!(u64::from(shares[0]), stays);
            let total: u64 = weights.iter().sum();
            for (&weight, &share) in weights.iter().zip(&shares[1..]) {
                prop_assert_eq!(u64::from(share), (u64::from(WHOLE) - stays) * weight / total);
            }
        }

        /// A zone that loses an endpoint never gets more for it.
        #[test]
        fn weaker_never_gets_more(
            mut zones in prop::collection::vec(any_zone(), 2..6), own: Option<usize>, which: usize,
        ) {
            let (own, which) = (own.map(|own| own % zones.len()), which % zones.len());
            zones[0].well = zones[0].all;
            zones[1].well = zones[1].all;
            let before = shares(&zones, own, 140)[which];
            zones[which].well /= 2;
            prop_assert!(shares(&zones, own, 140)[which] <= before + 1, "{zones:?} {own:?} {which}");
        }
    }
}
