//! A zone first, by its share, and then an endpoint of it by any other policy.
//!
//! Requests that belong together (`hash`) stay in one zone: when shares change, only so many of them move as the shares
//! have changed by. All others go to the zones in turn, smoothly, which gives each exactly its share.

use super::hash::Hash;
use super::round_robin::RoundRobin;
use super::zones::Zones;
use super::{Candidates, Policy};
use crate::upstream::affinity::Affinity;
use std::ops::Range;
use std::sync::Arc;

/// One worker's way through the zones.
pub(super) struct Zoned {
    zones: Arc<Zones>,
    in_turn: RoundRobin,
    by_hash: Hash,
    /// One for each zone: what it keeps in mind is about its own endpoints.
    within: Vec<Box<dyn Policy>>,
}

impl Zoned {
    pub(super) fn new(zones: Arc<Zones>, within: impl Fn() -> Box<dyn Policy>) -> Self {
        let within = (0..zones.count()).map(|_| within()).collect();
        Self { zones, in_turn: RoundRobin::default(), by_hash: Hash::default(), within }
    }

    /// The zone of the next request: one with a share, and when none of these has anybody who may be chosen, any.
    fn zone(&self, among: &dyn Candidates, affinity: &Affinity) -> Option<usize> {
        let by: &dyn Policy = if affinity.hash.is_some() { &self.by_hash } else { &self.in_turn };
        let choose = |share_min| by.choose(&ByShare { zones: &self.zones, among, share_min }, affinity);
        choose(1).or_else(|| choose(0))
    }
}

impl Policy for Zoned {
    fn choose(&self, among: &dyn Candidates, affinity: &Affinity) -> Option<usize> {
        let zone = self.zone(among, affinity)?;
        let within = Within { among, zone: among.of_zone(zone) };
        self.within[zone].choose(&within, affinity).map(|index| within.among(index))
    }
}

/// The zones as something to choose from.
struct ByShare<'a> {
    zones: &'a Zones,
    among: &'a dyn Candidates,
    share_min: u32,
}

impl Candidates for ByShare<'_> {
    fn count(&self) -> usize {
        self.zones.count()
    }

    fn may(&self, zone: usize) -> bool {
        self.zones.share(zone) >= self.share_min && self.among.of_zone(zone).any(|index| self.among.may(index))
    }

    fn weight(&self, zone: usize) -> u32 {
        self.zones.share(zone).max(1)
    }

    fn in_flight(&self, _: usize) -> usize {
        0
    }

    fn latency(&self, _: usize) -> f64 {
        0.0
    }

    fn key(&self, zone: usize) -> u64 {
        self.zones.key(zone)
    }
}

/// The endpoints of one zone, counted from 0: a policy that goes through them in turn must not meet others on its way.
struct Within<'a> {
    among: &'a dyn Candidates,
    zone: Range<usize>,
}

impl Within<'_> {
    /// The place of one among all.
    const fn among(&self, index: usize) -> usize {
        self.zone.start + index
    }
}

impl Candidates for Within<'_> {
    fn count(&self) -> usize {
        self.zone.len()
    }

    fn may(&self, index: usize) -> bool {
        self.among.may(self.among(index))
    }

    fn weight(&self, index: usize) -> u32 {
        self.among.weight(self.among(index))
    }

    fn in_flight(&self, index: usize) -> usize {
        self.among.in_flight(self.among(index))
    }

    fn latency(&self, index: usize) -> f64 {
        self.among.latency(self.among(index))
    }

    fn key(&self, index: usize) -> u64 {
        self.among.key(self.among(index))
    }
}

#[cfg(test)]
mod tests;
