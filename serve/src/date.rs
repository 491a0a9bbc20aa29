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

/// Hands the date to `read`.
pub(crate) fn with_date<T>(read: impl FnOnce(&HeaderValue) -> T) -> T {
    // The kernel's clock of its last tick, a few milliseconds old: a third of the price, and asked for every response.
    let second = u64::try_from(clock_gettime(ClockId::RealtimeCoarse).tv_sec).unwrap_or_default();
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
