//! The table of latencies.

use super::label;
use super::verdict::Verdicts;
use crate::latency::Latencies;
use crate::load::Paced;
use crate::server::Kind;
use crate::stats::{median, ratio};
use crate::workload::{Against, Workload};

pub(super) const HEAD: &str = "\
Latency at half the rate that would fill nginx's core. Requests are due at random times, whatever became of the ones
before, and latency counts from then; ratio: of the 99th percentiles in the same round. Generator late: how long after
its time the generator itself sent, 99th percentile.

| workload | server | req/s | p50, µs | p99, µs | ratio | target | generator late, µs |
|---|---|---|---|---|---|---|---|
";

pub(super) fn rows(workload: &Workload, latencies: &[Latencies], verdicts: &mut Verdicts) -> String {
    let Some(ours) = latencies.first() else { return String::new() };
    let row = |(index, one): (usize, &Latencies)| {
        let what = format!("{}, p99 against {}", workload.name, label(&one.run));
        let (ratio, target) = match one.run.against {
            Against::Nothing => Default::default(),
            Against::Peer { .. } => {
                let ratio = ratio(&ours.slices, &one.slices, |slice| micros(slice.p99_us));
                let target = workload.latency_max.filter(|_| one.run.server == Kind::Nginx);
                (verdicts.compare(&what, ratio), verdicts.judge(&what, ratio, target))
            }
        };
        let of = |value: fn(&Paced) -> u64| median(one.slices.iter().map(|slice| micros(value(slice))));
        format!(
            "| {} | {} | {:.0} | {:.0} | {:.0} | {ratio} | {target} | {:.0} |\n",
            if index == 0 { format!("{}: {}", workload.name, workload.what) } else { String::new() },
            label(&one.run),
            one.rate,
            of(|slice| slice.p50_us),
            of(|slice| slice.p99_us),
            of(|slice| slice.late99_us),
        )
    };
    latencies.iter().enumerate().map(row).collect()
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of some seconds")]
fn micros(value: u64) -> f64 {
    value as f64
}
