//! The time of a log line. Only its milliseconds change from line to line, so the rest is formatted once a second.

use jiff::Timestamp;
use std::cell::{Ref, RefCell};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// `2026-07-01T12:00:00.000Z`.
pub(super) type TimeText = [u8; 24];
/// `01/Jul/2026:12:00:00 +0000`, as the combined format writes it, always in UTC.
pub(super) type LocalText = [u8; 26];
/// Where the milliseconds stand in a [`TimeText`].
const MILLISECONDS_AT: usize = 20;

/// Writes times in RFC 3339 with milliseconds, and as the combined format does.
#[derive(Debug, Default)]
pub(super) struct LogTime(RefCell<Second>);

#[derive(Debug, Default)]
struct Second {
    since_epoch: Option<u64>,
    text: TimeText,
    local: LocalText,
}

impl LogTime {
    /// The text of this moment.
    pub(super) fn text(&self, now: SystemTime) -> TimeText {
        let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut text = self.second(since_epoch).text;
        let mut milliseconds = since_epoch.subsec_millis();
        for digit in text[MILLISECONDS_AT..MILLISECONDS_AT + 3].iter_mut().rev() {
            *digit = b"0123456789"[milliseconds as usize % 10];
            milliseconds /= 10;
        }
        text
    }

    /// The text of this moment in the combined format.
    pub(super) fn local(&self, now: SystemTime) -> LocalText {
        self.second(now.duration_since(UNIX_EPOCH).unwrap_or_default()).local
    }

    fn second(&self, since_epoch: Duration) -> Ref<'_, Second> {
        if self.0.borrow().since_epoch != Some(since_epoch.as_secs()) {
            *self.0.borrow_mut() = Second::of(since_epoch);
        }
        self.0.borrow()
    }
}

impl Second {
    fn of(since_epoch: Duration) -> Self {
        let seconds = i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX);
        let time = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
        let local = time.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string();
        Self {
            since_epoch: Some(since_epoch.as_secs()),
            // Only a clock beyond the year 9999 needs another width.
            text: format!("{time:.3}").as_bytes().try_into().unwrap_or(*b"0000-00-00T00:00:00.000Z"),
            local: local.as_bytes().try_into().unwrap_or(*b"00/Jan/0000:00:00:00 +0000"),
        }
    }
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

    #[test]
    fn the_combined_format_has_its_own_spelling() {
        let time = LogTime::default();
        for (seconds, wanted) in [
            (0, "01/Jan/1970:00:00:00 +0000"),
            (971_211_336, "10/Oct/2000:20:55:36 +0000"),
            (1_782_907_200, "01/Jul/2026:12:00:00 +0000"),
            (253_402_300_799, "30/Dec/9999:22:00:00 +0000"),
        ] {
            let text = time.local(UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!(std::str::from_utf8(&text), Ok(wanted));
        }
    }
}
