//! Prometheus's text format, version 0.0.4.

use super::Metrics;
use super::families::{Family, Kind};
use std::fmt::Write as _;

/// The media type of the format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All families with their samples.
pub(super) fn write(families: &'static [Family], metrics: &Metrics) -> String {
    let mut samples = Samples { page: String::with_capacity(16 * 1024), family: None };
    for family in families {
        // Writing to a string can't fail, here and below.
        let _ = writeln!(samples.page, "# HELP {} {}", family.name, escaped(family.help, false));
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        let _ = writeln!(samples.page, "# TYPE {} {kind}", family.name);
        samples.family = Some(family);
        (family.collect)(metrics, &mut samples);
    }
    samples.page
}

/// Takes the samples of one family after another.
pub(super) struct Samples {
    page: String,
    family: Option<&'static Family>,
}

impl Samples {
    /// One sample, with a value for each of the family's labels.
    pub(super) fn add<const N: usize>(&mut self, values: [&str; N], number: u64) {
        let Some(family) = self.family else { return };
        debug_assert_eq!(family.labels.len(), N, "{} has other labels", family.name);
        self.page.push_str(family.name);
        for (index, (label, value)) in family.labels.iter().zip(values).enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            let _ = write!(self.page, "{before}{}=\"{}\"", label.name, escaped(value, true));
        }
        self.page.push_str(if N == 0 { " " } else { "} " });
        let _ = writeln!(self.page, "{number}");
    }
}

/// A help text or, in quotes, a label value.
fn escaped(text: &str, in_quotes: bool) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    if in_quotes { text.replace('"', "\\\"") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::families::Label;
    use std::num::NonZeroUsize;
    use std::time::SystemTime;

    static FAMILIES: [Family; 2] = [
        Family {
            name: "plain_total",
            kind: Kind::Counter,
            labels: &[],
            help: "One\nline with a \\.",
            collect: |_, samples| samples.add([], 7),
        },
        Family {
            name: "labelled",
            kind: Kind::Gauge,
            labels: &[Label { name: "a", values: None }, Label { name: "b", values: None }],
            help: "Two labels.",
            collect: |_, samples| samples.add(["x", "\"y\"\\\n"], 1),
        },
    ];

    #[test]
    fn texts_are_escaped() {
        let metrics = Metrics::new(NonZeroUsize::MIN, SystemTime::UNIX_EPOCH, || 0);
        let wanted = concat!(
            "# HELP plain_total One\\nline with a \\\\.\n# TYPE plain_total counter\nplain_total 7\n",
            "# HELP labelled Two labels.\n# TYPE labelled gauge\nlabelled{a=\"x\",b=\"\\\"y\\\"\\\\\\n\"} 1\n",
        );
        assert_eq!(write(&FAMILIES, &metrics), wanted);
    }
}
