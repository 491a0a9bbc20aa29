//! What of a request decides about its endpoint, as a number.

/// What of a request decides about its endpoint. Worth nothing where the upstream's balance does not ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Affinity {
    /// Requests of the same number go to the same endpoint, as long as it is there.
    pub hash: Option<u64>,
    /// The endpoint that answered its client before.
    pub sticky: Option<u64>,
}

/// A text as a number (FNV-1a, mixed). Whoever chooses his texts so that they meet gains nothing but one endpoint, whose
/// load is bounded; edges that don't know each other must agree, so there is no secret in it.
#[must_use]
pub fn number(text: &[u8]) -> u64 {
    let fold = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    mix(text.iter().fold(0xcbf2_9ce4_8422_2325, fold))
}

/// The finalizer of splitmix64: each bit of the number changes half of the bits of the outcome.
pub(super) const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
