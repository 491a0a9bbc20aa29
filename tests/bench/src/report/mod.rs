//! The result: tables, and under them what was missed and where a peer is ahead.

mod cpu;
mod head;
mod idle;
mod labels;
mod latency;
mod verdict;

use crate::error::Error;
use crate::ground::Ground;
use crate::idle::Idle;
use crate::latency::Latencies;
use crate::machine::Cores;
use crate::rounds::Measured;
use crate::server::Kind;
use crate::workload::Workload;
use labels::Labels;
use std::io::Write as _;
use std::path::Path;
use verdict::Verdicts;

/// A result in the making.
#[derive(Debug)]
pub(crate) struct Report {
    name: String,
    head: String,
    cpu: String,
    latency: String,
    idle: String,
    labels: Labels,
    seen: Vec<Kind>,
    verdicts: Verdicts,
}

impl Report {
    /// Empty tables.
    pub(crate) fn new(group: &str, ground: &Ground, cores: Cores, rounds: usize, seconds: u64) -> Self {
        let today = jiff::Zoned::now().date();
        Self {
            name: format!("{today}-{group}.md"),
            head: head::text(&format!("{today}: {group}"), cores, rounds, seconds),
            cpu: String::new(),
            latency: String::new(),
            idle: String::new(),
            labels: Labels::ask(ground),
            seen: Vec::new(),
            verdicts: Verdicts::default(),
        }
    }

    /// Adds a workload's rows, and shows them.
    pub(crate) fn add(&mut self, workload: &Workload, measured: &[Measured], latencies: &[Latencies]) {
        measured.iter().for_each(|one| self.see(one.run.server));
        let rows = cpu::rows(workload, measured, &self.labels, &mut self.verdicts);
        show(&rows);
        self.cpu += &rows;
        let rows = latency::rows(workload, latencies, &self.labels, &mut self.verdicts);
        show(&rows);
        self.latency += &rows;
    }

    /// Adds the rows of idle connections, and shows them.
    pub(crate) fn add_idle(&mut self, idle: &Idle, kilobytes: &[(Kind, f64)]) {
        kilobytes.iter().for_each(|(kind, _)| self.see(*kind));
        let rows = idle::rows(idle, kilobytes, &self.labels, &mut self.verdicts);
        show(&rows);
        self.idle += &rows;
    }

    fn see(&mut self, kind: Kind) {
        if !self.seen.contains(&kind) {
            self.seen.push(kind);
        }
    }

    /// Writes the result to a file and to standard output.
    pub(crate) fn publish(self, directory: &Path) -> Result<(), Error> {
        let mut text = self.head + &head::versions(&self.seen, &self.labels);
        for (head, rows) in [(cpu::HEAD, self.cpu), (latency::HEAD, self.latency), (idle::HEAD, self.idle)] {
            if !rows.is_empty() {
                text += &format!("\n{head}{rows}");
            }
        }
        text += &self.verdicts.text();
        std::fs::create_dir_all(directory)?;
        std::fs::write(directory.join(&self.name), &text)?;
        std::io::stdout().write_all(text.as_bytes())?;
        Ok(())
    }
}

fn show(rows: &str) {
    let _ = std::io::stderr().write_all(rows.as_bytes());
}
