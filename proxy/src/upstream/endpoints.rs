//! The endpoints of one upstream as one worker knows them, and the choice among them.

use super::balance;
use super::choice::{Affinity, Tried};
use super::endpoint::Endpoint;
use super::error::UpstreamError;
use crate::config::Balance;
use smallvec::SmallVec;
use std::cell::Cell;
use std::io;
use std::rc::Rc;

/// An upstream has seldom more endpoints than this; to choose among more, memory is allocated.
const ENDPOINTS_INLINE: usize = 8;

pub(super) struct Endpoints {
    balance: Balance,
    all: Vec<Rc<Endpoint>>,
    turn: Cell<usize>,
}

impl Endpoints {
    pub(super) fn new(balance: Balance, all: Vec<Rc<Endpoint>>) -> Self {
        Self { balance, all, turn: Cell::new(0) }
    }

    /// The endpoint for the next attempt of a request, never one that it has been to. One that is better not asked is
    /// asked when no other is left.
    pub(super) fn choose(&self, _: &Affinity, tried: &Tried) -> Option<Rc<Endpoint>> {
        let turn = self.turn.replace(self.turn.get().wrapping_add(1));
        let loads: SmallVec<[_; ENDPOINTS_INLINE]> = self.all.iter().map(|endpoint| endpoint.in_flight()).collect();
        let is_tried = |index: usize| tried.contains(&self.all[index]);
        let good = balance::choose(self.balance, &loads, turn, |index| self.all[index].is_avoided() || is_tried(index));
        let chosen = good.or_else(|| balance::choose(self.balance, &loads, turn, is_tried))?;
        Some(Rc::clone(&self.all[chosen]))
    }

    /// Whether this holds for any of them. It is no choice: what is chosen next stays as it is.
    pub(super) fn any(&self, holds: impl FnMut(&Rc<Endpoint>) -> bool) -> bool {
        self.all.iter().any(holds)
    }

    /// Those for which it holds.
    pub(super) fn those(&self, holds: impl Fn(&Endpoint) -> bool) -> Tried {
        let mut those = Tried::default();
        self.all.iter().filter(|endpoint| holds(endpoint)).for_each(|endpoint| those.note(endpoint));
        those
    }

    /// Why there is nothing to choose from, for a request that has been nowhere.
    pub(super) fn none(&self) -> UpstreamError {
        UpstreamError::Connect(io::Error::other("the upstream has no endpoint"))
    }
}
