//! Mistakes and how they look: `file:line:column: message`, the line, a caret run, notes and help.

use super::source::{Line, Source, Sources, Span};
use std::fmt;

/// Mistakes that are shown; a file of garbage has as many as it has lines.
const SHOWN_MAX: usize = 100;
/// Mistakes that are kept; further ones are only counted.
const KEPT_MAX: usize = 1000;
/// Characters of a message: a key or a name in it can be as long as the file.
const MESSAGE_CHARS_MAX: usize = 400;
/// Characters of a source line that are shown.
const LINE_CHARS_MAX: usize = 160;
/// What stands for a secret.
pub(super) const REDACTED: &str = "\"[redacted]\"";

/// One mistake.
#[derive(Debug)]
pub(super) struct Problem {
    at: Option<Span>,
    message: String,
    notes: Vec<(Option<Span>, String)>,
    help: Option<String>,
}

impl Problem {
    /// What could be done about it.
    pub(super) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    /// A fact beside it.
    pub(super) fn note(&mut self, note: impl Into<String>) -> &mut Self {
        self.notes.push((None, note.into()));
        self
    }

    /// A fact beside it that stands elsewhere: the place is added.
    pub(super) fn note_at(&mut self, at: Span, note: impl Into<String>) -> &mut Self {
        self.notes.push((Some(at), note.into()));
        self
    }
}

/// Every mistake of a configuration. `Display` is the full report.
#[derive(Default)]
pub struct Problems {
    pub(super) sources: Sources,
    /// Literal secrets, which the report must not quote.
    pub(super) secrets: Vec<Span>,
    list: Vec<Problem>,
    /// The last mistake beyond [`KEPT_MAX`].
    dropped: Option<Box<Problem>>,
    total: usize,
}

impl Problems {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.total
    }

    pub(super) fn add(&mut self, at: Option<Span>, message: impl Into<String>) -> &mut Problem {
        let mut message = message.into();
        if let Some((end, _)) = message.char_indices().nth(MESSAGE_CHARS_MAX) {
            message.truncate(end);
            message.push_str("...");
        }
        let problem = Problem { at, message, notes: Vec::new(), help: None };
        self.total += 1;
        if self.list.len() < KEPT_MAX {
            self.list.push(problem);
        } else {
            // Nobody reads it, but the caller adds help to something.
            return self.dropped.insert(Box::new(problem));
        }
        let last = self.list.len() - 1;
        &mut self.list[last]
    }

    /// Sorts by file and place, so that the report reads like the files.
    pub(super) fn sort(&mut self) {
        self.list.sort_by_key(|problem| problem.at);
        self.secrets.sort_unstable();
        self.secrets.dedup();
    }

    fn write_problem(&self, f: &mut fmt::Formatter<'_>, problem: &Problem) -> fmt::Result {
        let shown = problem.at.and_then(|at| self.sources.get(at.source).map(|source| (source, at)));
        let mut indent = 1;
        match shown {
            None => match self.sources.get(0) {
                Some(main) => writeln!(f, "{}: {}", main.name, problem.message)?,
                None => writeln!(f, "{}", problem.message)?,
            },
            Some((source, at)) => {
                let line = source.line(at.start);
                indent = line.number.to_string().len();
                writeln!(f, "{}: {}", self.sources.place(at), problem.message)?;
                if !source.text.is_empty() {
                    self.write_line(f, source, &line, at, indent)?;
                }
            }
        }
        for (at, note) in &problem.notes {
            let place = at.map(|at| format!(" at {}", self.sources.place(at))).unwrap_or_default();
            writeln!(f, "{:indent$} = note: {note}{place}", "")?;
        }
        if let Some(help) = &problem.help {
            writeln!(f, "{:indent$} = help: {help}", "")?;
        }
        Ok(())
    }

    fn write_line(
        &self,
        f: &mut fmt::Formatter<'_>,
        source: &Source,
        line: &Line<'_>,
        at: Span,
        indent: usize,
    ) -> fmt::Result {
        let mut picture = Picture::default();
        let hidden = self.secrets.iter().filter(|s| {
            source_is(&self.sources, s, source) && s.start < line.start + line.text.len() && s.end > line.start
        });
        let mut position = 0;
        for secret in hidden {
            let start = secret.start.saturating_sub(line.start);
            let end = (secret.end - line.start).min(line.text.len());
            picture.plain(line, position, start, at);
            picture.secret(line, start, end, at);
            position = end;
        }
        picture.plain(line, position, line.text.len(), at);
        let (text, before, carets) = picture.finish();
        writeln!(f, "{:indent$} |", "")?;
        writeln!(f, "{} | {text}", line.number)?;
        writeln!(f, "{:indent$} | {:before$}{:^<carets$}", "", "", "")
    }
}

fn source_is(sources: &Sources, span: &Span, source: &Source) -> bool {
    sources.get(span.source).is_some_and(|other| std::ptr::eq(other, source))
}

/// A line as it is shown, and which of its characters are marked.
#[derive(Default)]
struct Picture {
    chars: Vec<(char, bool)>,
}

impl Picture {
    fn plain(&mut self, line: &Line<'_>, start: usize, end: usize, at: Span) {
        let Some(text) = line.text.get(start..end) else { return };
        for (offset, c) in text.char_indices() {
            let marked = (at.start..at.end).contains(&(line.start + start + offset));
            match c {
                '\t' => self.chars.extend([(' ', marked); 4]),
                c if c.is_control() => self.chars.push(('\u{fffd}', marked)),
                c => self.chars.push((c, marked)),
            }
        }
    }

    fn secret(&mut self, line: &Line<'_>, start: usize, end: usize, at: Span) {
        let marked = at.start < line.start + end && at.end > line.start + start;
        self.chars.extend(REDACTED.chars().map(|c| (c, marked)));
    }

    /// The text, the spaces before the carets, and the carets. An empty span is marked by one caret.
    fn finish(self) -> (String, usize, usize) {
        let mut before = self.chars.iter().position(|(_, marked)| *marked).unwrap_or(self.chars.len());
        let carets = self.chars.iter().filter(|(_, marked)| *marked).count();
        let skipped = if self.chars.len() > LINE_CHARS_MAX { before.saturating_sub(LINE_CHARS_MAX / 2) } else { 0 };
        let mut text = String::new();
        if skipped > 0 {
            text.push_str("...");
            before = before - skipped + 3;
        }
        text.extend(self.chars.iter().skip(skipped).take(LINE_CHARS_MAX).map(|(c, _)| c));
        if self.chars.len() > skipped + LINE_CHARS_MAX {
            text.push_str("...");
        }
        (text, before, carets.clamp(1, LINE_CHARS_MAX.saturating_sub(before).max(1)))
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in self.list.iter().take(SHOWN_MAX) {
            self.write_problem(f, problem)?;
            writeln!(f)?;
        }
        match self.total {
            1 => writeln!(f, "1 mistake"),
            total if total > SHOWN_MAX => writeln!(f, "{total} mistakes, the first {SHOWN_MAX} shown"),
            total => writeln!(f, "{total} mistakes"),
        }
    }
}

/// As `Display`: the sources hold secrets in clear.
impl fmt::Debug for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Problems {}

/// The known word that a wrong one was probably meant to be.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // The distance takes time and memory by the product of the lengths.
    if word.len() > 64 {
        return None;
    }
    let lower = word.to_ascii_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_ascii_lowercase()), candidate))
        // One slip in three letters is a slip; more is another word.
        .filter(|(distance, candidate)| {
            *distance <= 1.max(candidate.len().max(word.len()) / 3) && *distance < word.len()
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `a`, `b` and `c`.
pub(super) fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        None => "none".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}
