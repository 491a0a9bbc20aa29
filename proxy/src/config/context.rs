//! What every step from a text to a configuration shares.

use super::disk;
use super::problem::{Problem, Problems, listed, nearest};
use super::source::Span;
use std::path::Path;

/// What reading and checking share: the mistakes so far and the outside world.
pub(super) struct Context<'a> {
    pub(super) problems: Problems,
    /// The environment's variables.
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
}

impl Context<'_> {
    /// A regular file's bytes. The error is worded for a message.
    pub(super) fn read_bytes(&mut self, path: &Path, bytes_max: u64) -> Result<Vec<u8>, String> {
        self.problems.sources.note(path);
        disk::read_bytes(path, bytes_max)
    }

    /// A regular file's text.
    pub(super) fn read_text(&mut self, path: &Path, bytes_max: u64) -> Result<String, String> {
        self.problems.sources.note(path);
        disk::read_text(path, bytes_max)
    }

    /// Reports a mistake; notes and help can be added to what it returns.
    pub(super) fn problem(&mut self, at: Span, message: impl Into<String>) -> &mut Problem {
        self.problems.add(Some(at), message)
    }

    /// Reports a word that is none of the `known` ones, with the nearest of them.
    pub(super) fn unknown(&mut self, at: Span, message: String, known: &[&str]) {
        let wrong = message.split('`').nth(1).unwrap_or("").to_owned();
        let help = match nearest(&wrong, known.iter().copied()) {
            Some(word) => format!("did you mean `{word}`?"),
            None if known.is_empty() => "there is none at all".to_owned(),
            None => format!("known here: {}", listed(known.iter().copied())),
        };
        self.problem(at, message).help(help);
    }
}
