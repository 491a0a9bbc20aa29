//! The time of a log line. Only its milliseconds change from line to line, so the rest is formatted once a second.

use jiff::Timestamp;
use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// `2026-07-01T12:00:00.000Z`, in bytes.
const TEXT_BYTES: usize = 24;
/// Where the milliseconds stand in it.
const MILLISECONDS_AT: usize = 20;

/// Writes times in RFC 3339 with milliseconds.
#[derive(Debug, Default)]
pub(super) struct LogTime(RefCell<Second>);

#[derive(Debug, Default)]
struct Second {
    since_epoch: Option<u64>,
    text: [u8; TEXT_BYTES],
}

impl LogTime {
    /// The text of this moment.
    pub(super) fn text(&self, now: SystemTime) -> [u8; TEXT_BYTES] {
        let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut second = self.0.borrow_mut();
        if second.since_epoch != Some(since_epoch.as_secs()) {
            *second = Second { since_epoch: Some(since_epoch.as_secs()), text: format(since_epoch) };
        }
        let mut text = second.text;
        let mut milliseconds = since_epoch.subsec_millis();
        for digit in text[MILLISECONDS_AT..MILLISECONDS_AT + 3].iter_mut().rev() {
            *digit = b"0123456789"[milliseconds as usize % 10];
            milliseconds /= 10;
        }
        text
    }
}

fn format(since_epoch: Duration) -> [u8; TEXT_BYTES] {
    let seconds = i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX);
    let text = format!("{:.3}", Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX));
    // Only a clock beyond the year 9999 needs another width.
    text.as_bytes().try_into().unwrap_or(*b"0000-00-00T00:00:00.000Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_moment_has_its_own_text() {
        let time = LogTime::default();
        for (milliseconds, wanted) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (7, "1970-01-01T00:00:00.007Z"),
            (999, "1970-01-01T00:00:00.999Z"),
            (1_782_907_200_120, "2026-07-01T12:00:00.120Z"),
            (1_000, "1970-01-01T00:00:01.000Z"),
            // The last second that jiff knows, and one beyond.
            (253_402_207_200_000, "9999-12-30T22:00:00.000Z"),
            (253_402_300_799_000, "9999-12-30T22:00:00.000Z"),
        ] {
            let text = time.text(UNIX_EPOCH + Duration::from_millis(milliseconds));
            assert_eq!(std::str::from_utf8(&text), Ok(wanted));
        }
    }
}
