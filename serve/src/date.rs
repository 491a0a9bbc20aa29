//! The `Date` of responses (RFC 9110 section 6.6.1), made once a second.

use bytes::Bytes;
use http::HeaderValue;
use rustix::time::{ClockId, clock_gettime};
use std::cell::RefCell;
use std::time::{Duration, UNIX_EPOCH};

thread_local! {
    /// The second, and its date (RFC 9110 section 5.6.7).
    static DATE: RefCell<(u64, HeaderValue)> = const { RefCell::new((u64::MAX, HeaderValue::from_static(""))) };
}

/// The time since 1970 as of the kernel's last tick, a few milliseconds ago: a third of the price of the exact one, for
/// what is asked with every response.
#[must_use]
pub fn tick_time() -> Duration {
    let now = clock_gettime(ClockId::RealtimeCoarse);
    let (seconds, nanoseconds) = (u64::try_from(now.tv_sec), u32::try_from(now.tv_nsec));
    // Before 1970 it is 1970.
    Duration::new(seconds.unwrap_or_default(), nanoseconds.unwrap_or_default())
}

/// Hands the date to `read`.
pub(crate) fn with_date<T>(read: impl FnOnce(&HeaderValue) -> T) -> T {
    let second = tick_time().as_secs();
    DATE.with_borrow_mut(|(last, date)| {
        // A date is text without control characters, so this can't fail.
        if *last != second
            && let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(httpdate::fmt_http_date(
                UNIX_EPOCH + Duration::from_secs(second),
            )))
        {
            *last = second;
            *date = value;
        }
        read(date)
    })
}
