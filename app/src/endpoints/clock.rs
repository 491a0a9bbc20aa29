//! The moment of a request.

use jiff::Timestamp;

/// Now, as exactly as rows keep it: an answer names the same moment as every later one.
pub(super) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}
