//! Between the retry loop and the choice of an endpoint: what it asks with, and what it tells afterwards.

pub(super) use super::affinity::Affinity;
use super::endpoint::Endpoint;
pub(super) use super::outcome::Outcome;
use smallvec::SmallVec;
use std::rc::Rc;

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
