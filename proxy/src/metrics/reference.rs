//! `docs/metrics.md`, made from the list of metrics.

use super::families::all;
use super::family::Kind;
use std::fmt::Write as _;

const HEAD: &str = "\
# Metrics

Generated from `proxy/src/metrics/families.rs` and what lies below it; a test keeps this page equal to it.

The operator's listener (`[admin]`) answers `GET /metrics` in Prometheus's text format, version 0.0.4. Counters begin at
0 when the process starts. Label values are names of the configuration or fixed words, never anything that a client
sent, so that their number is bounded.

| metric | type | labels | meaning |
|---|---|---|---|
";

/// The page.
#[must_use]
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    for family in all() {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let labels: Vec<_> = family.labels.iter().map(|label| format!("`{}`", label.name)).collect();
        // Writing to a string can't fail, here and below.
        let _ = writeln!(page, "| `{}` | {kind} | {} | {} |", family.name, labels.join(", "), family.help);
    }
    for family in all() {
        for label in family.labels {
            let Some(values) = label.values else { continue };
            let _ = write!(page, "\n## `{}` of `{}`\n\n| value | meaning |\n|---|---|\n", label.name, family.name);
            for (value, meaning) in values() {
                let _ = writeln!(page, "| `{value}` | {meaning} |");
            }
        }
    }
    page
}
