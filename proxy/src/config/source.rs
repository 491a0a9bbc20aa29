//! The texts that a configuration is made of, and places in them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A range of bytes in one of the [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    /// Index into the sources, in the order of loading.
    pub(super) source: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// One file.
pub(super) struct Source {
    /// As shown in messages.
    pub(super) name: String,
    /// Where its relative paths start.
    pub(super) dir: PathBuf,
    pub(super) text: String,
    /// The byte at which each line starts.
    line_starts: Vec<usize>,
}

/// Every file that was read, in order.
#[derive(Default)]
pub(super) struct Sources {
    texts: Vec<Source>,
    /// Whatever was looked at on the disk: these, and the files and folders that they name.
    seen: BTreeSet<PathBuf>,
}

impl Sources {
    /// Keeps a text and returns its index.
    pub(super) fn add(&mut self, name: String, dir: PathBuf, text: String) -> usize {
        let line_starts =
            std::iter::once(0).chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|i| i + 1)).collect();
        self.texts.push(Source { name, dir, text, line_starts });
        self.texts.len() - 1
    }

    /// Remembers a file or folder that was looked at.
    pub(super) fn note(&mut self, path: &Path) {
        self.seen.insert(path.to_owned());
    }

    /// What was looked at.
    pub(super) fn seen(&self) -> Vec<PathBuf> {
        self.seen.iter().cloned().collect()
    }

    pub(super) fn get(&self, index: usize) -> Option<&Source> {
        self.texts.get(index)
    }

    /// A path as it was written at `span`, read relative to the directory of the file that it stands in.
    pub(super) fn resolve(&self, span: Span, path: &str) -> PathBuf {
        self.get(span.source).map_or_else(|| Path::new(path).to_owned(), |source| source.dir.join(path))
    }

    /// `name:line:column` of the span's start.
    pub(super) fn place(&self, span: Span) -> String {
        let Some(source) = self.get(span.source) else { return String::new() };
        let line = source.line(span.start);
        let column = line.text.get(..span.start - line.start).map_or(0, |before| before.chars().count()) + 1;
        format!("{}:{}:{column}", source.name, line.number)
    }
}

/// One line of a source.
pub(super) struct Line<'a> {
    /// From 1.
    pub(super) number: usize,
    /// The byte at which it starts.
    pub(super) start: usize,
    /// Without its end.
    pub(super) text: &'a str,
}

impl Source {
    /// The line that holds the byte at `offset`; the last line for anything behind the end.
    pub(super) fn line(&self, offset: usize) -> Line<'_> {
        let index = self.line_starts.partition_point(|start| *start <= offset).saturating_sub(1);
        let start = self.line_starts.get(index).copied().unwrap_or(0);
        let text = self.text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or("");
        Line { number: index + 1, start, text }
    }
}
