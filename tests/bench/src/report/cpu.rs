//! The table of CPU, rate, system calls and memory.

use super::labels::Labels;
use super::verdict::Verdicts;
use crate::rounds::Measured;
use crate::slice::Slice;
use crate::stats::{difference, median, ratio};
use crate::workload::{Against, Workload};

pub(super) const HEAD: &str = "\
| workload | server | CPU, µs/request | ratio | target | req/s | system calls/request | memory, MiB | resumed | foreign |
|---|---|---|---|---|---|---|---|---|---|
";

/// What ours may need above its start under any load.
const GROWTH_MIB_MAX: f64 = 40.0;

pub(super) fn rows(workload: &Workload, measured: &[Measured], labels: &Labels, verdicts: &mut Verdicts) -> String {
    let Some(ours) = measured.first() else { return String::new() };
    let row = |(index, one): (usize, &Measured)| {
        let what = format!("{} against {}", workload.name, labels.run(&one.run));
        let (ratio, target) = match one.run.against {
            Against::Nothing => Default::default(),
            Against::Without { adds_us_max } => {
                let added = difference(&ours.slices, &one.slices, |slice| slice.cpu_us);
                let what = format!("{}, added to {} in µs", workload.name, labels.run(&one.run));
                (format!("+{added:.2} µs"), verdicts.judge(&what, added, Some(adds_us_max)))
            }
            Against::Bare { target } => {
                let ratio = ratio(&ours.slices, &one.slices, |slice| slice.cpu_us);
                (format!("{ratio:.2}"), verdicts.judge(&what, ratio, Some(target)))
            }
            Against::Peer { target } => {
                let ratio = ratio(&ours.slices, &one.slices, |slice| slice.cpu_us);
                (verdicts.compare(&what, ratio), verdicts.judge(&what, ratio, target))
            }
        };
        let is_first = index == 0;
        let calls = one.syscalls.map_or_else(String::new, |calls| {
            let max = workload.syscalls_max.filter(|_| is_first);
            format!("{calls:.2} {}", verdicts.judge(&format!("{}, system calls", workload.name), calls, max))
        });
        let growth = mebibytes(one.growth_kib);
        let max = is_first.then_some(GROWTH_MIB_MAX);
        let growth_judged = verdicts.judge(&format!("{}, memory in MiB", workload.name), growth, max);
        let growth_missed = if growth_judged.contains("missed") { growth_judged.as_str() } else { "" };
        format!(
            "| {} | {} | {:.2} | {ratio} | {target} | {} | {} | {growth:.1} {growth_missed} | {} | {:.0} % |\n",
            if is_first { format!("{}: {}", workload.name, workload.what) } else { String::new() },
            labels.run(&one.run),
            median(one.slices.iter().map(|slice| slice.cpu_us)),
            rate(&one.slices).map_or_else(String::new, |rate| format!("{rate:.0}")),
            calls.trim_end(),
            resumed(&one.slices).map_or_else(String::new, |share| format!("{:.1} %", share * 100.0)),
            one.slices.iter().map(|slice| slice.foreign).fold(0.0, f64::max) * 100.0,
        )
    };
    let absent = workload.runs.iter().filter(|run| measured.iter().all(|one| one.run != **run));
    let absent = absent.map(|run| {
        let why = "not installed, or without a module that it needs";
        format!("|  | {} | {why} |  |  |  |  |  |  |  |\n", labels.run(run))
    });
    measured.iter().enumerate().map(row).chain(absent).collect()
}

/// Only where the server was what limited most slices.
fn rate(slices: &[Slice]) -> Option<f64> {
    let rates: Vec<f64> = slices.iter().filter_map(|slice| slice.rate).collect();
    (rates.len() * 2 > slices.len()).then(|| median(rates.into_iter()))
}

fn resumed(slices: &[Slice]) -> Option<f64> {
    let shares: Vec<f64> = slices.iter().filter_map(|slice| slice.resumed).collect();
    (!shares.is_empty()).then(|| median(shares.into_iter()))
}

#[expect(clippy::cast_precision_loss, reason = "kibibytes of a process")]
fn mebibytes(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
