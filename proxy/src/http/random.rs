//! Random bits for names that nobody should guess easily.

use std::cell::RefCell;

thread_local! {
    /// 64 names' worth of random bytes, so that not every request asks the kernel.
    static RANDOM: RefCell<([u8; 1024], usize)> = const { RefCell::new(([0; 1024], 1024)) };
}

/// 128 of them.
pub(super) fn bits() -> u128 {
    RANDOM.with_borrow_mut(|(bytes, used)| {
        if *used == bytes.len() {
            // Without entropy names would repeat, which costs only the joining of logs.
            let _ = getrandom::fill(bytes);
            *used = 0;
        }
        let mut name = [0; 16];
        name.copy_from_slice(&bytes[*used..*used + 16]);
        *used += 16;
        u128::from_ne_bytes(name)
    })
}
