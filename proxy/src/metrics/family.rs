//! What a metric is.

use super::Metrics;

/// One metric with all its samples.
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) labels: &'static [Label],
    pub(super) help: &'static str,
    pub(super) collect: fn(&Metrics, &mut Samples),
}

/// How a metric moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only up, until the process ends.
    Counter,
    /// Up and down.
    Gauge,
    /// Counts by size; the samples bring `_bucket`, `_sum` and `_count` along.
    Histogram,
}

/// A label of a metric.
pub(super) struct Label {
    pub(super) name: &'static str,
    /// Its values and what they mean, where that is a list of its own.
    pub(super) values: Option<fn() -> Vec<Value>>,
}

/// A value of a label, and what it means.
pub(super) type Value = (&'static str, &'static str);

/// The samples of one metric.
#[derive(Default)]
pub(super) struct Samples(pub(super) Vec<Sample>);

/// A number and a value for each label.
pub(super) struct Sample {
    /// What stands behind the metric's name.
    pub(super) suffix: &'static str,
    /// The upper end of a bucket.
    pub(super) le: Option<String>,
    pub(super) values: Vec<String>,
    pub(super) number: u64,
}

impl Samples {
    /// One sample, with a value for each of the metric's labels.
    pub(super) fn add<const N: usize>(&mut self, values: [&str; N], number: u64) {
        self.0.push(Sample { suffix: "", le: None, values: values.map(str::to_owned).to_vec(), number });
    }

    /// The samples of one histogram: `counts` of what is at most as large as each of `ends`, and last of all.
    pub(super) fn add_histogram<const N: usize>(&mut self, values: [&str; N], ends: &[u64], counts: &[u64], sum: u64) {
        let values = values.map(str::to_owned).to_vec();
        let ends = ends.iter().map(u64::to_string).chain(std::iter::once("+Inf".to_owned()));
        for (end, &number) in ends.zip(counts) {
            self.0.push(Sample { suffix: "_bucket", le: Some(end), values: values.clone(), number });
        }
        self.0.push(Sample { suffix: "_sum", le: None, values: values.clone(), number: sum });
        let number = counts.last().copied().unwrap_or_default();
        self.0.push(Sample { suffix: "_count", le: None, values, number });
    }
}
