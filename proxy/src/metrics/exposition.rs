//! Prometheus's text format, version 0.0.4.

use super::Metrics;
use super::family::{Family, Kind, Sample, Samples};
use std::fmt::Write as _;

/// The media type of the format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All families with their samples.
pub(super) fn write<'a>(families: impl IntoIterator<Item = &'a Family>, metrics: &Metrics) -> String {
    let mut page = String::with_capacity(16 * 1024);
    for family in families {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        // Writing to a string can't fail, here and below.
        let _ = writeln!(page, "# HELP {} {}", family.name, escaped(family.help, false));
        let _ = writeln!(page, "# TYPE {} {kind}", family.name);
        let mut samples = Samples::default();
        (family.collect)(metrics, &mut samples);
        for Sample { suffix, le, values, number } in samples.0 {
            let labels = family.labels.iter().zip(values);
            let labels = labels.map(|(label, value)| format!("{}=\"{}\"", label.name, escaped(&value, true)));
            let labels: Vec<_> = labels.chain(le.map(|end| format!("le=\"{end}\""))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(page, "{}{suffix}{labels} {number}", family.name);
        }
    }
    page
}

/// A help text or, in quotes, a label value.
fn escaped(text: &str, in_quotes: bool) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    if in_quotes { text.replace('"', "\\\"") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::family::Label;
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
        let metrics = Metrics::new(NonZeroUsize::MIN, SystemTime::UNIX_EPOCH, || 0, Vec::new);
        let wanted = concat!(
            "# HELP plain_total One\\nline with a \\\\.\n# TYPE plain_total counter\nplain_total 7\n",
            "# HELP labelled Two labels.\n# TYPE labelled gauge\nlabelled{a=\"x\",b=\"\\\"y\\\"\\\\\\n\"} 1\n",
        );
        assert_eq!(write(&FAMILIES, &metrics), wanted);
    }
}
