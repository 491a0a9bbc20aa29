//! The places of files that a worker holds open beside those of [`super::open_files`].

use std::cell::Cell;
use std::rc::Rc;

/// How many of them are taken.
#[derive(Debug, Default)]
pub(super) struct Places(Rc<Cell<usize>>);

/// The right to hold one more file open.
#[derive(Debug)]
pub(super) struct Place(Rc<Cell<usize>>);

impl Places {
    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        self.0.get()
    }

    /// Takes one.
    pub(super) fn take(&self) -> Place {
        self.0.set(self.0.get() + 1);
        Place(Rc::clone(&self.0))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_holder_is_gone() {
        let places = Places::default();
        let (first, second) = (places.take(), places.take());
        assert_eq!(places.taken(), 2);
        drop(first);
        assert_eq!(places.taken(), 1);
        drop(second);
        assert_eq!(places.taken(), 0);
    }
}
