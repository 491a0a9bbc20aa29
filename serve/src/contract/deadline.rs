//! How much time a request has left: the edge decides, the application heeds it.
//!
//! A server that works on for a client who was answered 504 long ago only keeps others waiting.

use http::{HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;

/// Milliseconds from now, in decimal, until nobody waits for the head of the response any more.
pub static X_REQUEST_TIMEOUT: HeaderName = HeaderName::from_static("x-request-timeout");

/// The longest that is believed or told: a day.
const LONGEST: Duration = Duration::from_secs(86_400);

/// What is told. `None`: nothing, or nothing that can be understood; of several fields the shortest counts.
#[must_use]
pub fn read(headers: &HeaderMap) -> Option<Duration> {
    let told = |value: &HeaderValue| {
        let text = value.to_str().ok()?.trim();
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // More digits than a number has are a long time.
        digits.then(|| Duration::from_millis(text.parse().unwrap_or(u64::MAX)).min(LONGEST))
    };
    headers.get_all(&X_REQUEST_TIMEOUT).iter().filter_map(told).min()
}

/// Tells that so much time is left; what was told before is replaced. Parts of a millisecond are rounded down.
pub fn write(headers: &mut HeaderMap, left: Duration) {
    let ms = u64::try_from(left.min(LONGEST).as_millis()).unwrap_or(u64::MAX);
    headers.insert(&X_REQUEST_TIMEOUT, HeaderValue::from(ms));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_in_decimal_are_understood() {
        for (values, wanted) in [
            (&["1500"][..], Some(1500)),
            (&[" 7 "], Some(7)),
            (&["0"], Some(0)),
            (&["300", "200", "x"], Some(200)),
            (&["99999999999999999999999"], Some(86_400_000)),
            (&["-1"], None),
            (&["+1"], None),
            (&["1.5"], None),
            (&["1s"], None),
            (&[""], None),
            (&[], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(&X_REQUEST_TIMEOUT, HeaderValue::from_static(value));
            }
            assert_eq!(read(&headers), wanted.map(Duration::from_millis), "{values:?}");
        }
    }

    #[test]
    fn what_is_told_replaces_what_was() {
        let mut headers = HeaderMap::new();
        headers.append(&X_REQUEST_TIMEOUT, HeaderValue::from_static("1"));
        write(&mut headers, Duration::from_micros(2_999_999));
        assert_eq!(headers.get_all(&X_REQUEST_TIMEOUT).iter().collect::<Vec<_>>(), ["2999"]);
        assert_eq!(read(&headers), Some(Duration::from_millis(2999)));
    }
}
