//! What is known of sockets, by descriptor: the kernel keeps those small, and finding one is an index.

use std::os::fd::AsRawFd;

/// A value for each open socket.
pub(super) struct Table<T>(Vec<Option<T>>);

/// The number of a descriptor.
pub(super) fn number(socket: &impl AsRawFd) -> usize {
    usize::try_from(socket.as_raw_fd()).unwrap_or(usize::MAX)
}

impl<T> Table<T> {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn insert(&mut self, number: usize, value: T) {
        if self.0.len() <= number {
            self.0.resize_with(number + 1, || None);
        }
        self.0[number] = Some(value);
    }

    pub(super) fn get(&self, number: usize) -> Option<&T> {
        self.0.get(number)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, number: usize) -> Option<&mut T> {
        self.0.get_mut(number)?.as_mut()
    }

    pub(super) fn remove(&mut self, number: usize) -> Option<T> {
        self.0.get_mut(number)?.take()
    }
}
