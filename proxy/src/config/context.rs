//! What every step from a text to a configuration shares.

use super::problem::{Problem, Problems, listed, nearest};
use super::source::Span;

/// What reading and checking share: the mistakes so far and the outside world.
pub(super) struct Context<'a> {
    pub(super) problems: Problems,
    /// The environment's variables.
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
}

impl Context<'_> {
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
