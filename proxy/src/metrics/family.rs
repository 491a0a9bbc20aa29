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
    pub(super) values: Vec<String>,
    pub(super) number: u64,
}

impl Samples {
    /// One sample, with a value for each of the metric's labels.
    pub(super) fn add<const N: usize>(&mut self, values: [&str; N], number: u64) {
        self.0.push(Sample { values: values.map(str::to_owned).to_vec(), number });
    }
}
