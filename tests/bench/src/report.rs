//! The table.

use crate::error::Error;
use crate::machine::{self, Cores};
use crate::rounds::Measured;
use crate::server::Kind;
use crate::slice::Slice;
use crate::workload::{Token, Workload};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

/// The table in the making.
#[derive(Debug)]
pub(crate) struct Report {
    name: String,
    head: String,
    rows: String,
    seen: Vec<Kind>,
}

impl Report {
    /// An empty table.
    pub(crate) fn new(group: &str, cores: Cores, rounds: usize, seconds: u64) -> Result<Self, Error> {
        let today = jiff::Zoned::now().date();
        let mut head = format!("# Benchmark of {today}: {group}\n\n");
        let _ = writeln!(head, "- Machine: {}, kernel {}", machine::processor(), machine::kernel());
        let _ = writeln!(
            head,
            "- Servers on core {}, generator and upstream on core {}; {rounds} interleaved rounds of {seconds} s; medians.",
            cores.server, cores.load
        );
        head.push_str(
            "- CPU: user and system time of the server's processes per completed request. Ratio: portcullis' CPU over the\n  \
             peer's in the same round, below 1 is better; the target is for the better of the peers. Rate: only where the\n  \
             server is what limits it. Foreign: what others used of the server's core, the worst slice that counts.\n",
        );
        let rows = "| workload | server | CPU, µs/request | ratio | target | req/s | system calls/request | peak memory, MiB | foreign |\n\
                    |---|---|---|---|---|---|---|---|---|\n";
        Ok(Self { name: format!("{today}-{group}.md"), head, rows: rows.into(), seen: Vec::new() })
    }

    /// Adds a workload's rows, and shows them.
    pub(crate) fn add(&mut self, workload: &Workload, measured: Vec<Measured>) {
        let start = self.rows.len();
        let Some(ours) = measured.first() else { return };
        for (index, one) in measured.iter().enumerate() {
            if !self.seen.contains(&one.run.server) {
                self.seen.push(one.run.server);
            }
            let ratio = one.run.is_peer.then(|| ratio(&ours.slices, &one.slices));
            let target = workload.target.filter(|_| index == 0);
            let allowed = workload.syscalls_max.filter(|_| index == 0);
            let _ = writeln!(
                self.rows,
                "| {} | {} | {:.2} | {} | {} | {} | {}{} | {:.1} | {:.0} % |",
                if index == 0 { format!("{}: {}", workload.name, workload.what) } else { String::new() },
                label(one),
                median(one.slices.iter().map(|slice| slice.cpu_us)),
                ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
                target.map_or_else(String::new, |target| format!("{target:.2}")),
                one.rate().map_or_else(|| "-".into(), |rate| format!("{rate:.0}")),
                one.syscalls.map_or_else(|| "-".into(), |calls| format!("{calls:.2}")),
                allowed.map_or_else(String::new, |allowed| format!(" (at most {allowed})")),
                mebibytes(one.peak_kib),
                one.slices.iter().map(|slice| slice.foreign).fold(0.0, f64::max) * 100.0,
            );
        }
        let _ = std::io::stderr().write_all(&self.rows.as_bytes()[start..]);
    }

    /// Writes the table to a file and to standard output.
    pub(crate) fn publish(self, directory: &Path) -> Result<(), Error> {
        let mut text = self.head;
        for kind in self.seen {
            let _ =
                writeln!(text, "- {}", kind.version().unwrap_or_else(|| format!("{}: unknown version", kind.name())));
        }
        for (program, argument) in [("wrk", "-v"), ("h2load", "--version")] {
            let _ = writeln!(text, "- {}", machine::first_line(program.as_ref(), argument).unwrap_or_default());
        }
        let _ = write!(text, "\n{}", self.rows);
        std::fs::create_dir_all(directory)?;
        std::fs::write(directory.join(&self.name), &text)?;
        std::io::stdout().write_all(text.as_bytes())?;
        Ok(())
    }
}

impl Measured {
    fn rate(&self) -> Option<f64> {
        let rates: Vec<f64> = self.slices.iter().filter_map(|slice| slice.rate).collect();
        (rates.len() * 2 > self.slices.len()).then(|| median(rates.into_iter()))
    }
}

fn label(measured: &Measured) -> String {
    let token = match measured.run.token {
        None => "",
        Some(Token::Hs256) => ", HS256",
        Some(Token::EdDsa) => ", EdDSA",
    };
    format!("{}{token}", measured.run.server.name())
}

/// The median of the ratios of each round: what disturbs a whole round disturbs both.
fn ratio(ours: &[Slice], theirs: &[Slice]) -> f64 {
    median(ours.iter().zip(theirs).map(|(ours, theirs)| ours.cpu_us / theirs.cpu_us))
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[expect(clippy::cast_precision_loss, reason = "kibibytes of a process")]
fn mebibytes(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median([3.0, 1.0, 2.0].into_iter()) - 2.0).abs() < 1e-9);
        assert!((median([4.0, 1.0, 2.0, 3.0].into_iter()) - 2.5).abs() < 1e-9);
        assert!(median(std::iter::empty()).is_nan());
    }
}
