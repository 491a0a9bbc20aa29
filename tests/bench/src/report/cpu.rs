//! The table of CPU, rate, system calls and memory.

use super::labels::Labels;
use super::verdict::Verdicts;
use crate::rounds::Measured;
use crate::slice::Slice;
use crate::stats::{difference, median, ratio, share};
use crate::workload::{Against, Workload};

pub(super) const HEAD: &str = "\
| workload | server | CPU, µs/request | ratio | share of the way | target | req/s | system calls/request | memory, MiB | resumed | foreign |
|---|---|---|---|---|---|---|---|---|---|---|
";

/// What ours may need above its start under any load.
const GROWTH_MIB_MAX: f64 = 40.0;

pub(super) fn rows(workload: &Workload, measured: &[Measured], labels: &Labels, verdicts: &mut Verdicts) -> String {
    let Some(ours) = measured.first() else { return String::new() };
    let floor = measured.iter().find(|one| one.run.against == Against::Floor);
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
                let ratio = cpu_ratio(ours, one);
                (format!("{ratio:.2}"), verdicts.judge(&what, ratio, Some(target)))
            }
            Against::Floor => (format!("{:.2}", cpu_ratio(ours, one)), String::new()),
            Against::Peer { target } => {
                let (ratio, floor) = (cpu_ratio(ours, one), floor.map(|floor| cpu_ratio(floor, one)));
                (verdicts.compare(&what, ratio), verdicts.judge_above(floor, &what, ratio, target))
            }
        };
        let share = floor.and_then(|floor| share_of_the_way(ours, floor, one));
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
            "| {} | {} | {:.2} | {ratio} | {} | {target} | {} | {} | {growth:.1} {growth_missed} | {} | {:.0} % |\n",
            if is_first { format!("{}: {}", workload.name, workload.what) } else { String::new() },
            labels.run(&one.run),
            median(one.slices.iter().map(|slice| slice.cpu_us)),
            share.map_or_else(String::new, |share| format!("{share:.2}")),
            rate(&one.slices).map_or_else(String::new, |rate| format!("{rate:.0}")),
            calls.trim_end(),
            resumed(&one.slices).map_or_else(String::new, |share| format!("{:.1} %", share * 100.0)),
            one.slices.iter().map(|slice| slice.foreign).fold(0.0, f64::max) * 100.0,
        )
    };
    let absent = workload.runs.iter().filter(|run| measured.iter().all(|one| one.run != **run));
    let absent = absent.map(|run| {
        let why = "not installed, or without a module that it needs";
        format!("|  | {} | {why} |  |  |  |  |  |  |  |  |\n", labels.run(run))
    });
    measured.iter().enumerate().map(row).chain(absent).collect()
}

fn cpu_ratio(ours: &Measured, theirs: &Measured) -> f64 {
    ratio(&ours.slices, &theirs.slices, |slice| slice.cpu_us)
}

/// How much of what a peer needs above the floor ours does.
fn share_of_the_way(ours: &Measured, floor: &Measured, peer: &Measured) -> Option<f64> {
    let is_peer = matches!(peer.run.against, Against::Peer { .. });
    is_peer.then(|| share(&ours.slices, &floor.slices, &peer.slices, |slice| slice.cpu_us))?
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::STATIC;

    /// W1 in three rounds, in which the servers need this much.
    fn rows_of(needed: [[f64; 3]; 4]) -> (Vec<String>, String) {
        let workload = &STATIC[0][0];
        assert_eq!(workload.runs.last().map(|run| run.against), Some(Against::Floor), "{}", workload.name);
        let slices =
            |needed: [f64; 3]| needed.map(|cpu_us| Slice { cpu_us, rate: None, foreign: 0.0, resumed: None }).to_vec();
        let measured: Vec<Measured> = workload
            .runs
            .iter()
            .zip(needed)
            .map(|(run, needed)| Measured { run: *run, slices: slices(needed), syscalls: None, growth_kib: 0 })
            .collect();
        let mut verdicts = Verdicts::default();
        let rows = rows(workload, &measured, &Labels::default(), &mut verdicts);
        (rows.lines().map(str::to_owned).collect(), verdicts.text())
    }

    #[test]
    fn a_floor_shows_how_far_ours_is_on_the_way_from_it_to_each_peer() {
        let (rows, _) = rows_of([[11.0; 3], [14.0; 3], [10.5; 3], [10.0; 3]]);
        assert!(rows[0].contains("| portcullis | 11.00 |  |  |  |"), "{}", rows[0]);
        assert!(rows[1].contains("| nginx | 14.00 | 0.79 | 0.25 | ≤ 0.80 met |"), "{}", rows[1]);
        assert!(rows[2].contains("| h2o | 10.50 | 1.05 **ahead** | 2.00 |  |"), "{}", rows[2]);
        assert!(rows[3].contains("| floor: bare system calls | 10.00 | 1.10 |  |  |"), "{}", rows[3]);
        let columns = |row: &str| row.matches('|').count();
        for row in HEAD.lines().chain(rows.iter().map(String::as_str)) {
            assert_eq!(columns(row), columns(&rows[0]), "{row}");
        }
    }

    #[test]
    fn a_target_below_the_floor_of_the_same_rounds_says_so_and_the_floor_is_no_peer() {
        // The median of the second server is 14, but within the rounds it needs 1.1 times what the floor does.
        let (rows, text) = rows_of([[11.0, 22.0, 13.0], [11.0, 22.0, 14.0], [11.0, 22.0, 14.0], [10.0, 20.0, 2.0]]);
        assert!(rows[1].contains("≤ 0.80 **missed**, below the floor (0.91) |"), "{}", rows[1]);
        assert!(text.contains("W1 against nginx: 1.00, at most 0.80, below the floor"), "{text}");
        assert!(text.contains("A peer is ahead: none."), "{text}");
    }
}
