//! The table of latencies.

use super::labels::Labels;
use super::verdict::Verdicts;
use crate::latency::Latencies;
use crate::load::Paced;
use crate::server::Kind;
use crate::stats::{median, ratio};
use crate::workload::{Against, Workload};

pub(super) const HEAD: &str = "\
Latency at half the rate that would fill nginx's core. Requests are due at random times, whatever became of the ones
before, and latency counts from then; ratio: of the 99th percentiles in the same round. Generator late: how long after
its time the generator itself sent, 99th percentile; from a quarter of p99 on (bold) the row says as much about the
generator as about the server.

| workload | server | req/s | p50, µs | p99, µs | ratio | target | generator late, µs |
|---|---|---|---|---|---|---|---|
";

/// The share of p99 from which on the generator is part of what was measured.
const LATE_MAX: f64 = 0.25;

pub(super) fn rows(workload: &Workload, latencies: &[Latencies], labels: &Labels, verdicts: &mut Verdicts) -> String {
    let Some(ours) = latencies.first() else { return String::new() };
    let row = |(index, one): (usize, &Latencies)| {
        let what = format!("{}, p99 against {}", workload.name, labels.run(&one.run));
        let (ratio, target) = match one.run.against {
            Against::Nothing | Against::Without { .. } | Against::Bare { .. } => Default::default(),
            Against::Floor => {
                let ratio = ratio(&ours.slices, &one.slices, |slice| micros(slice.p99_us));
                (format!("{ratio:.2}"), String::new())
            }
            Against::Peer { .. } => {
                let ratio = ratio(&ours.slices, &one.slices, |slice| micros(slice.p99_us));
                let target = workload.latency_max.filter(|_| one.run.server == Kind::Nginx);
                (verdicts.compare(&what, ratio), verdicts.judge(&what, ratio, target))
            }
        };
        let of = |value: fn(&Paced) -> u64| median(one.slices.iter().map(|slice| micros(value(slice))));
        let (p99, late) = (of(|slice| slice.p99_us), of(|slice| slice.late99_us));
        let mark = if late > p99 * LATE_MAX { "**" } else { "" };
        format!(
            "| {} | {} | {:.0} | {:.0} | {p99:.0} | {ratio} | {target} | {mark}{late:.0}{mark} |\n",
            if index == 0 { format!("{}: {}", workload.name, workload.what) } else { String::new() },
            labels.run(&one.run),
            one.rate,
            of(|slice| slice.p50_us),
        )
    };
    latencies.iter().enumerate().map(row).collect()
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of some seconds")]
fn micros(value: u64) -> f64 {
    value as f64
}
