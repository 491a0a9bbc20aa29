//! Buffers for the pieces of large files, reused by the worker that filled them.
//!
//! 64 KiB is measured: with 256 KiB the bytes leave the second-level cache between the read and the write.

use bytes::Bytes;
use std::cell::RefCell;

/// The size of a piece in bytes.
pub(super) const PIECE_BYTES: usize = 64 * 1024;

/// Idle buffers that a worker keeps: 1 MiB.
const IDLE_MAX: usize = 16;

thread_local! {
    // Fetched and given back within one poll each time; the last one used is the warmest.
    static IDLE: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer of [`PIECE_BYTES`], a warm one if the worker has one.
pub(super) fn take() -> Box<[u8]> {
    IDLE.try_with(|idle| idle.borrow_mut().pop())
        .ok()
        .flatten()
        .unwrap_or_else(|| vec![0; PIECE_BYTES].into_boxed_slice())
}

/// Takes back a buffer that [`take`] gave, unless there are enough.
pub(super) fn give_back(buffer: Box<[u8]>) {
    if buffer.len() != PIECE_BYTES {
        return;
    }
    // Fails only while the thread ends: then the buffer goes with it.
    let _ended = IDLE.try_with(|idle| {
        let mut idle = idle.borrow_mut();
        if idle.len() < IDLE_MAX {
            idle.push(buffer);
        }
    });
}

/// The first `filled` bytes of a buffer, which comes back to the pool when the last user drops them.
pub(super) fn freeze(buffer: Box<[u8]>, filled: usize) -> Bytes {
    Bytes::from_owner(Filled { buffer, filled })
}

struct Filled {
    buffer: Box<[u8]>,
    filled: usize,
}

impl AsRef<[u8]> for Filled {
    fn as_ref(&self) -> &[u8] {
        self.buffer.get(..self.filled).unwrap_or(&self.buffer)
    }
}

impl Drop for Filled {
    fn drop(&mut self) {
        give_back(std::mem::take(&mut self.buffer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_piece_gives_its_buffer_to_the_next() {
        let mut buffer = take();
        buffer[0] = 7;
        let address = buffer.as_ptr();
        let bytes = freeze(buffer, 1);
        assert_eq!(bytes, [7][..]);
        let shared = bytes.clone();
        drop(bytes);
        let other = take();
        assert_ne!(other.as_ptr(), address, "still in use");
        drop(shared);
        let again = take();
        assert_eq!(again.as_ptr(), address);
    }

    #[test]
    fn no_more_are_kept_than_allowed() {
        let pieces: Vec<_> = (0..IDLE_MAX * 2).map(|_| freeze(take(), 1)).collect();
        drop(pieces);
        assert_eq!(IDLE.with(|idle| idle.borrow().len()), IDLE_MAX);
    }
}
