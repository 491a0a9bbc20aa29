//! The zones of one upstream as the whole process knows them: who is in which, and how much each gets now.
//!
//! Shares are computed when something has changed (the members, the health of one, what one tells of itself) and by the
//! tick that moves slow starts on. A request reads them.

use super::zone_shares::{Capacity, WHOLE, shares};
use crate::config;
use crate::upstream::affinity::number;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// The zones of an upstream whose requests are spread over them.
#[derive(Debug)]
pub(in crate::upstream) struct Zones {
    all: Vec<Zone>,
    /// Of each written endpoint.
    of_part: Vec<usize>,
    own: Option<usize>,
    overprovision_percent: u32,
    /// Held while shares are computed, so that the last word is about the last change.
    weighing: Mutex<()>,
}

#[derive(Debug)]
struct Zone {
    /// As configured; `None`: the sum of the weights of its endpoints.
    weight: Option<u32>,
    /// Of its name: all edges see the same.
    key: u64,
    share: AtomicU32,
}

/// What a written endpoint, or one of its addresses, adds to its zone.
#[derive(Debug, Clone, Copy)]
pub(in crate::upstream) struct Load {
    /// Which of the written endpoints.
    pub(in crate::upstream) part: usize,
    pub(in crate::upstream) weight: u32,
    /// Percent of it that is there.
    pub(in crate::upstream) well_percent: u32,
}

impl Zones {
    /// As configured, in a process that runs in this zone. `None`: there is nothing to spread by: neither does one of them
    /// come first, nor have they weights.
    pub(in crate::upstream) fn new(
        settings: &config::Zones,
        endpoints: &[config::Endpoint],
        own: Option<&str>,
    ) -> Option<Arc<Self>> {
        let config::Zones { weights, prefer_own, overprovision_percent } = settings;
        let names = endpoints.iter().map(|endpoint| endpoint.zone.as_deref().unwrap_or_default());
        let mut sorted: Vec<_> = names.clone().collect();
        sorted.sort_unstable();
        sorted.dedup();
        let own = own.filter(|_| *prefer_own).and_then(|own| sorted.binary_search(&own).ok());
        if own.is_none() && weights.is_empty() {
            return None;
        }
        let zone = |name: &&str| Zone {
            weight: weights.iter().find(|(of, _)| of == name).map(|(_, weight)| *weight),
            key: number(name.as_bytes()),
            share: AtomicU32::new(0),
        };
        Some(Arc::new(Self {
            of_part: names.map(|name| sorted.binary_search(&name).unwrap_or(0)).collect(),
            all: sorted.iter().map(zone).collect(),
            own,
            overprovision_percent: *overprovision_percent,
            weighing: Mutex::default(),
        }))
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    /// The zone of a written endpoint.
    pub(in crate::upstream) fn of(&self, part: usize) -> usize {
        self.of_part.get(part).copied().unwrap_or(0)
    }

    /// A number that it has in every process.
    pub(super) fn key(&self, zone: usize) -> u64 {
        self.all[zone].key
    }

    /// Its share of the requests beside those of the others; 0: none while others can.
    pub(super) fn share(&self, zone: usize) -> u32 {
        self.all[zone].share.load(Relaxed)
    }

    /// Percent of the requests that the zone of a written endpoint gets.
    pub(in crate::upstream) fn percent_of(&self, part: usize) -> u32 {
        (self.share(self.of(part)) * 100 + WHOLE / 2) / WHOLE
    }

    /// Computes the shares anew. `loads` is asked for only when it is its turn: what it says is true then.
    pub(in crate::upstream) fn weigh<L: Iterator<Item = Load>>(&self, loads: impl FnOnce() -> L) {
        let _weighing = self.weighing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut zones = vec![Capacity::default(); self.all.len()];
        for Load { part, weight, well_percent } in loads() {
            let zone = &mut zones[self.of(part)];
            // In hundredths, because a part of a small one counts too.
            zone.all += u64::from(weight) * 100;
            zone.well += u64::from(weight) * u64::from(well_percent);
        }
        for (capacity, zone) in zones.iter_mut().zip(&self.all) {
            capacity.weight = zone.weight.map_or(capacity.all, |weight| u64::from(weight) * 100);
        }
        for (zone, share) in self.all.iter().zip(shares(&zones, self.own, self.overprovision_percent)) {
            zone.share.store(share, Relaxed);
        }
    }
}
