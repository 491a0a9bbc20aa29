//! Durations, sizes and numbers with their bounds in the type: what can be read is in range.

use super::node::{Kind, Node};
use super::read::{Context, Written};
use serde_json::{Value, json};
use std::time::Duration;

/// How a value is written in the configuration.
pub(super) trait Spelled {
    /// The word.
    fn spelled(&self) -> &'static str;
}

const DURATION_UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
const SIZE_UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// The longest duration: 365 days.
pub(super) const YEAR_MS: u64 = 365 * 86_400_000;

/// A duration from `MIN` to `MAX` milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time<const MIN: u64, const MAX: u64>(pub(super) Duration);

/// A duration that something waits: 1 ms to a day.
pub(super) type Timeout = Time<1, 86_400_000>;

/// A size from `MIN` to `MAX` bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size<const MIN: u64, const MAX: u64>(pub(super) u64);

/// A number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number<const MIN: u32, const MAX: u32>(pub(super) u32);

/// A duration in the largest unit that needs no fraction. Whole milliseconds are all that can be written.
pub(super) fn duration(value: Duration) -> String {
    spell(u64::try_from(value.as_millis()).unwrap_or(u64::MAX), &DURATION_UNITS, "s")
}

/// A size in the largest unit that needs no fraction.
pub(super) fn size(bytes: u64) -> String {
    spell(bytes, &SIZE_UNITS, "B")
}

fn spell(amount: u64, units: &[(&str, u64)], zero: &str) -> String {
    let unit = units.iter().find(|(_, factor)| amount > 0 && amount.is_multiple_of(*factor));
    unit.map_or_else(|| format!("0{zero}"), |(unit, factor)| format!("{}{unit}", amount / factor))
}

/// Reads `30s`. The error is help.
fn parse(text: &str, units: &[(&str, u64)]) -> Result<u64, String> {
    let words = || units.iter().rev().map(|(unit, _)| *unit).collect::<Vec<_>>().join(", ");
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(format!("write a whole number and a unit: {}", words()));
    }
    let Some((_, factor)) = units.iter().find(|(known, _)| *known == unit) else {
        let meant = match unit.trim() {
            "" => return Err(format!("add a unit: {}", words())),
            "sec" | "secs" | "second" | "seconds" | "S" => "s",
            "min" | "mins" | "minute" | "minutes" | "M" if units.len() == DURATION_UNITS.len() => "m",
            "hour" | "hours" | "H" => "h",
            "day" | "days" | "D" => "d",
            "b" | "bytes" => "B",
            "k" | "K" | "kb" | "kB" | "KB" | "kib" => "KiB",
            "m" | "M" | "mb" | "MB" | "mib" => "MiB",
            "g" | "G" | "gb" | "GB" | "gib" => "GiB",
            _ => return Err(format!("units are {}", words())),
        };
        return Err(match units.iter().any(|(known, _)| *known == meant) {
            true => format!("write \"{number}{meant}\""),
            false => format!("units are {}", words()),
        });
    };
    number.parse::<u64>().ok().and_then(|n| n.checked_mul(*factor)).ok_or_else(|| "that is too large".to_owned())
}

/// Reads a text with a unit, in bounds.
fn read<T: Written>(node: &Node, context: &mut Context<'_>, units: &[(&str, u64)], bounds: (u64, u64)) -> Option<u64> {
    let zero = units.iter().find(|(_, factor)| *factor == 1000).map_or("B", |(unit, _)| unit);
    match &node.kind {
        Kind::Text(text) => match parse(text, units) {
            Ok(amount) if amount < bounds.0 => {
                let least = spell(bounds.0, units, zero);
                context.problem(node.at, format!("expected at least {least}, found {}", spell(amount, units, zero)));
            }
            Ok(amount) if amount > bounds.1 => {
                let most = spell(bounds.1, units, zero);
                context.problem(node.at, format!("expected at most {most}, found {}", spell(amount, units, zero)));
            }
            Ok(amount) => return Some(amount),
            Err(help) => {
                context.expected::<T>(node).help(help);
            }
        },
        Kind::Integer(number) => {
            let example = match u64::try_from(*number) {
                Ok(bytes) if zero == "B" => size(bytes),
                _ => format!("{}s", number.unsigned_abs()),
            };
            context.expected::<T>(node).help(format!("a bare number has no unit: write for example \"{example}\""));
        }
        Kind::Broken => {}
        _ => {
            context.expected::<T>(node);
        }
    }
    None
}

impl<const MIN: u64, const MAX: u64> Written for Time<MIN, MAX> {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        read::<Self>(node, context, &DURATION_UNITS, (MIN, MAX)).map(Duration::from_millis).map(Self)
    }

    fn kind() -> String {
        "a duration such as \"30s\"".to_owned()
    }

    fn schema() -> Value {
        let bounds = format!("{} to {}", spell(MIN, &DURATION_UNITS, "s"), spell(MAX, &DURATION_UNITS, "s"));
        json!({ "type": "string", "pattern": "^([0-9]+(ms|s|m|h|d)|.*\\$\\{.*)$", "title": "duration", "$comment": bounds })
    }
}

impl<const MIN: u64, const MAX: u64> Written for Size<MIN, MAX> {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        read::<Self>(node, context, &SIZE_UNITS, (MIN, MAX)).map(Self)
    }

    fn kind() -> String {
        "a size such as \"10MiB\"".to_owned()
    }

    fn schema() -> Value {
        let bounds = format!("{} to {}", size(MIN), size(MAX));
        json!({ "type": "string", "pattern": "^([0-9]+(B|KiB|MiB|GiB)|.*\\$\\{.*)$", "title": "size", "$comment": bounds })
    }
}

impl<const MIN: u32, const MAX: u32> Written for Number<MIN, MAX> {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        // A reference can only bring in text, so a filled-in text may spell a number.
        let number = match &node.kind {
            Kind::Integer(number) => Some(*number),
            Kind::Text(text) if node.referred => text.parse().ok(),
            Kind::Broken => return None,
            _ => None,
        };
        let Some(number) = number else {
            let help = match &node.kind {
                Kind::Text(text) if !node.referred && text.parse::<u32>().is_ok() => Some("write it without quotes"),
                _ => None,
            };
            let problem = context.expected::<Self>(node);
            if let Some(help) = help {
                problem.help(help);
            }
            return None;
        };
        let value = u32::try_from(number).ok().filter(|number| (MIN..=MAX).contains(number));
        if value.is_none() {
            context.problem(node.at, format!("expected {}, found {number}", Self::kind()));
        }
        value.map(Self)
    }

    fn kind() -> String {
        format!("a number from {MIN} to {MAX}")
    }

    fn schema() -> Value {
        json!({ "anyOf": [{ "type": "integer", "minimum": MIN, "maximum": MAX }, { "type": "string", "pattern": "\\$\\{" }] })
    }
}

impl Written for bool {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Bool(value) => return Some(*value),
            Kind::Text(text) if node.referred && text == "true" => return Some(true),
            Kind::Text(text) if node.referred && text == "false" => return Some(false),
            Kind::Text(text) if text == "true" || text == "false" => {
                context.expected::<Self>(node).help("write it without quotes");
            }
            Kind::Broken => {}
            _ => {
                context.expected::<Self>(node);
            }
        }
        None
    }

    fn kind() -> String {
        "`true` or `false`".to_owned()
    }

    fn schema() -> Value {
        json!({ "anyOf": [{ "type": "boolean" }, { "type": "string", "pattern": "\\$\\{" }] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_read_and_spelled_alike() {
        for (text, units, amount) in [
            ("0s", &DURATION_UNITS[..], 0),
            ("500ms", &DURATION_UNITS, 500),
            ("90s", &DURATION_UNITS, 90_000),
            ("5m", &DURATION_UNITS, 300_000),
            ("1d", &DURATION_UNITS, 86_400_000),
            ("0B", &SIZE_UNITS, 0),
            ("1000B", &SIZE_UNITS, 1000),
            ("32KiB", &SIZE_UNITS, 32 << 10),
            ("10MiB", &SIZE_UNITS, 10 << 20),
            ("1GiB", &SIZE_UNITS, 1 << 30),
        ] {
            assert_eq!(parse(text, units), Ok(amount), "{text}");
            let zero = if units.len() == SIZE_UNITS.len() { "B" } else { "s" };
            assert_eq!(spell(amount, units, zero), text);
        }
    }

    #[test]
    fn wrong_units_get_the_right_one_as_help() {
        for (text, units, help) in [
            ("30", &DURATION_UNITS[..], "add a unit: ms, s, m, h, d"),
            ("5 min", &DURATION_UNITS, "write \"5m\""),
            ("1h30m", &DURATION_UNITS, "units are ms, s, m, h, d"),
            ("s", &DURATION_UNITS, "write a whole number and a unit: ms, s, m, h, d"),
            ("-1s", &DURATION_UNITS, "write a whole number and a unit: ms, s, m, h, d"),
            ("10MB", &SIZE_UNITS, "write \"10MiB\""),
            ("1m", &SIZE_UNITS, "write \"1MiB\""),
            ("99999999999999999999B", &SIZE_UNITS, "that is too large"),
            ("99999999999GiB", &SIZE_UNITS, "that is too large"),
        ] {
            assert_eq!(parse(text, units), Err(help.to_owned()), "{text}");
        }
    }
}
