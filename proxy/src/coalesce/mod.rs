//! Equal requests that arrive together become one upstream call, whose answer all of them get.
//!
//! Made for refresh tokens, which may be used once: an application that opens in five tabs, or a phone that sends again
//! what a lost connection swallowed, asks five times for the same successor. The first request *leads*: it makes the
//! call, which goes on when its client leaves, since the token may be used up by then. The others *wait* for its answer.
//! Nothing is kept beyond that: whoever comes after the answer makes a call of his own, and whether a token may be used
//! again is decided by the application alone.
//!
//! Workers share the table. Its lock is taken by routes that coalesce only, twice a call and once a waiting request, and
//! never while something is awaited.

mod begun;
mod key;
mod table;
mod take;
#[cfg(test)]
mod tests;

pub use begun::Begun;
pub use key::{CallKey, KeyWriter};
pub use table::{Answer, Coalescer, Lead, Outcome, Seat, Wait};
pub(crate) use take::take;
pub use take::{Held, Taken};

/// What one route coalesces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoalesceLimits {
    /// Bytes of a request's body.
    pub request_bytes_max: usize,
    /// Bytes of an answer's body.
    pub response_bytes_max: usize,
    /// Requests that wait for one call.
    pub waiting_max: usize,
}
