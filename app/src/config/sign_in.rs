//! How often a sign-in may be tried: per account and per address of the client.

use std::num::NonZeroU32;
use std::time::Duration;

/// The pace of sign-ins. Nothing here locks an account: whoever waits may try again.
#[derive(Debug, Clone, Copy)]
pub struct SignInConfig {
    /// Tries at one account that need no waiting.
    pub account_burst: NonZeroU32,
    /// One more try at an account each time this has passed.
    pub account_pause: Duration,
    /// Tries from one address (an IPv6 client is its /64) that need no waiting.
    pub address_burst: NonZeroU32,
    /// One more try from an address each time this has passed.
    pub address_pause: Duration,
    /// How many accounts and addresses are remembered at once.
    pub remembered_max: usize,
}

/// Ten tries at an account and then ten a minute; an address, which may be a whole office, a hundred and then one a
/// second.
impl Default for SignInConfig {
    fn default() -> Self {
        const fn count(number: u32) -> NonZeroU32 {
            match NonZeroU32::new(number) {
                Some(number) => number,
                None => NonZeroU32::MIN,
            }
        }
        Self {
            account_burst: count(10),
            account_pause: Duration::from_secs(6),
            address_burst: count(100),
            address_pause: Duration::from_secs(1),
            remembered_max: 64 * 1024,
        }
    }
}
