//! Between the retry loop and the choice of an endpoint: what it asks with, and what it tells afterwards.

use super::endpoint::Endpoint;
pub(super) use super::outcome::Outcome;
use smallvec::SmallVec;
use std::rc::Rc;

/// What of a request decides about its endpoint. Worth nothing where the upstream's balance does not ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Affinity {
    /// Requests of the same number go to the same endpoint, as long as it is there.
    pub hash: Option<u64>,
}

/// The endpoints that one request has been to. Few requests go to more than one.
#[derive(Default, Clone)]
pub(super) struct Tried(SmallVec<[Rc<Endpoint>; 4]>);

impl Tried {
    pub(super) fn note(&mut self, endpoint: &Rc<Endpoint>) {
        self.0.push(Rc::clone(endpoint));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn contains(&self, endpoint: &Rc<Endpoint>) -> bool {
        self.0.iter().any(|tried| Rc::ptr_eq(tried, endpoint))
    }
}
