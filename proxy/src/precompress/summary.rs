//! What was done, counted, and the table that tells it.

use crate::config::Coding;
use std::fmt;
use std::io;

/// Of one coding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub made: u64,
    pub current: u64,
    pub no_gain: u64,
    pub removed: u64,
    pub stale: u64,
    /// Bytes of the files that have a twin, and of the twins.
    bytes: (u64, u64),
}

impl Counts {
    /// A twin was written, or would be.
    pub(super) fn made(&mut self, content: u64, coded: u64) {
        self.made += 1;
        self.count(content, coded);
    }

    /// A twin was there.
    pub(super) fn current(&mut self, content: u64, coded: u64) {
        self.current += 1;
        self.count(content, coded);
    }

    fn count(&mut self, content: u64, coded: u64) {
        self.bytes.0 += content;
        self.bytes.1 += coded;
    }

    fn add(&mut self, other: &Self) {
        self.made += other.made;
        self.current += other.current;
        self.no_gain += other.no_gain;
        self.removed += other.removed;
        self.stale += other.stale;
        self.bytes.0 += other.bytes.0;
        self.bytes.1 += other.bytes.1;
    }
}

/// Of all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    codings: [Counts; Coding::ALL.len()],
    /// Files of types that are worth it.
    pub(super) files: u64,
    pub(super) too_small: u64,
    pub(super) too_large: u64,
    failures: Vec<String>,
}

impl Summary {
    /// The counts of one coding.
    pub(super) fn of(&mut self, coding: Coding) -> &mut Counts {
        &mut self.codings[coding as usize]
    }

    /// Notes what went wrong.
    pub(super) fn failed(&mut self, path: String, error: &io::Error) {
        self.failures.push(format!("{path}: {error}"));
    }

    pub(super) fn add(&mut self, other: Self) {
        let Self { codings, files, too_small, too_large, failures } = other;
        self.codings.iter_mut().zip(&codings).for_each(|(own, other)| own.add(other));
        self.files += files;
        self.too_small += too_small;
        self.too_large += too_large;
        self.failures.extend(failures);
    }

    /// Threads end in any order; the report does not depend on it.
    pub(super) fn finish(&mut self) {
        self.failures.sort_unstable();
    }

    /// One line each.
    pub(crate) fn failures(&self) -> &[String] {
        &self.failures
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "coding    made  current  no gain  removed  stale         files        twins")?;
        for (coding, counts) in Coding::ALL.into_iter().zip(&self.codings) {
            let Counts { made, current, no_gain, removed, stale, bytes: (content, coded) } = counts;
            writeln!(
                f,
                "{:<6} {made:>7}  {current:>7}  {no_gain:>7}  {removed:>7}  {stale:>5}  {content:>10} B  {coded:>9} B",
                coding.token()
            )?;
        }
        let Self { codings: _, files, too_small, too_large, failures } = self;
        write!(f, "{files} files, {too_small} too small, {too_large} too large, {} failures", failures.len())
    }
}
