//! Between the retry loop and the choice of an endpoint: what it asks with, and what it tells afterwards.

pub(super) use super::affinity::Affinity;
use super::endpoint::Endpoint;
pub(super) use super::outcome::Outcome;
use smallvec::SmallVec;
use std::cell::RefCell;
use std::rc::Rc;
use tokio::time::Instant;

/// The endpoints that one request has been to, and the one that it is at. Few requests go to more than one. Who waits
/// beside an attempt looks here where that is.
#[derive(Default, Clone)]
pub(super) struct Tried {
    been: RefCell<SmallVec<[Rc<Endpoint>; 4]>>,
    at: RefCell<Option<Stay>>,
}

/// Where an attempt is.
#[derive(Clone)]
pub(super) struct Stay {
    pub(super) endpoint: Rc<Endpoint>,
    pub(super) since: Instant,
}

impl Tried {
    /// It has been there, and does not go there again.
    pub(super) fn note(&self, endpoint: &Rc<Endpoint>) {
        if !self.contains(endpoint) {
            self.been.borrow_mut().push(Rc::clone(endpoint));
        }
    }

    /// It may go everywhere again.
    pub(super) fn forget(&self) {
        self.been.borrow_mut().clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.been.borrow().is_empty()
    }

    pub(super) fn contains(&self, endpoint: &Rc<Endpoint>) -> bool {
        self.been.borrow().iter().any(|tried| Rc::ptr_eq(tried, endpoint))
    }

    /// Calls `each` with all of them.
    pub(super) fn each(&self, each: impl FnMut(&Rc<Endpoint>)) {
        self.been.borrow().iter().for_each(each);
    }

    /// An attempt begins there.
    pub(super) fn arrive(&self, endpoint: &Rc<Endpoint>, since: Instant) {
        *self.at.borrow_mut() = Some(Stay { endpoint: Rc::clone(endpoint), since });
    }

    /// It is nowhere.
    pub(super) fn leave(&self) {
        *self.at.borrow_mut() = None;
    }

    /// Where the last attempt is or was; `None`: nowhere yet.
    pub(super) fn at(&self) -> Option<Stay> {
        self.at.borrow().clone()
    }
}
