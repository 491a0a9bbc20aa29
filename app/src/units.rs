//! Sizes and times as operators write them: a number and its unit.

use std::time::Duration;

/// Why a text is no size or time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadUnit {
    /// No size.
    #[error("expected a size such as \"512KiB\" or \"25MiB\"")]
    Bytes,
    /// No time.
    #[error("expected a time such as \"500ms\", \"30s\" or \"5min\"")]
    Duration,
}

/// Reads `25MiB`; units are B, KiB, MiB and GiB.
///
/// # Errors
/// The text has no number, no unit or another one, or is too large.
pub fn parse_bytes(text: &str) -> Result<u64, BadUnit> {
    let (number, unit) = split(text).ok_or(BadUnit::Bytes)?;
    let factor: u64 = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(BadUnit::Bytes),
    };
    number.checked_mul(factor).ok_or(BadUnit::Bytes)
}

/// Reads `30s`; units are ms, s, min, h and d.
///
/// # Errors
/// The text has no number, no unit or another one, or is too large.
pub fn parse_duration(text: &str) -> Result<Duration, BadUnit> {
    let (number, unit) = split(text).ok_or(BadUnit::Duration)?;
    let factor_ms = match unit {
        "ms" => 1,
        "s" => 1000,
        "min" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        "d" => 24 * 60 * 60 * 1000,
        _ => return Err(BadUnit::Duration),
    };
    number.checked_mul(factor_ms).map(Duration::from_millis).ok_or(BadUnit::Duration)
}

fn split(text: &str) -> Option<(u64, &str)> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    Some((number.parse().ok()?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_needs_its_unit() {
        for (text, bytes) in [("1B", 1), ("512KiB", 524_288), ("25 MiB", 26_214_400), ("2GiB", 2_147_483_648)] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for (text, ms) in
            [("500ms", 500), ("30s", 30_000), ("5min", 300_000), ("1h", 3_600_000), ("30d", 2_592_000_000)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "25", "MiB", "-1s", "1.5s", "25MB", "99999999999999999999s", "99999999999999999h", "30 days"] {
            assert_eq!(parse_bytes(text), Err(BadUnit::Bytes), "{text}");
            assert_eq!(parse_duration(text), Err(BadUnit::Duration), "{text}");
        }
    }
}
