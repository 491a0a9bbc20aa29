//! `${env:NAME}`, `${env:NAME:-default}` and `${file:PATH}` inside texts.
//!
//! They are filled in after the TOML was parsed, so that a value can hold quotes, brackets or line ends without
//! becoming structure. `$${` stands for a literal `${`.

use super::context::Context;
use super::source::Span;

/// Bytes of a file that a reference may bring in.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// A text with its references filled in.
pub(super) struct Expanded {
    pub(super) text: String,
    /// Whether there were any.
    pub(super) referred: bool,
}

impl Context<'_> {
    /// Fills in the references of a text. `None`: one is missing or malformed, which has been reported.
    pub(super) fn expand(&mut self, written: &str, at: Span) -> Option<Expanded> {
        let mut text = String::with_capacity(written.len());
        let mut referred = false;
        let mut rest = written;
        while let Some((before, after)) = rest.split_once("${") {
            if let Some(before) = before.strip_suffix('$') {
                text.push_str(before);
                text.push_str("${");
                rest = after;
                continue;
            }
            text.push_str(before);
            let Some((reference, after)) = after.split_once('}') else {
                self.problem(at, "this `${` is never closed").help("write `$${` for a literal `${`");
                return None;
            };
            text.push_str(&self.refer(reference, at)?);
            referred = true;
            rest = after;
        }
        text.push_str(rest);
        Some(Expanded { text, referred })
    }

    fn refer(&mut self, reference: &str, at: Span) -> Option<String> {
        match reference.split_once(':') {
            Some(("env", name)) => {
                let (name, default) =
                    name.split_once(":-").map_or((name, None), |(name, default)| (name, Some(default)));
                // As in a shell, `:-` also replaces an empty value.
                match ((self.env)(name), default) {
                    (Some(value), None) => Some(value),
                    (Some(value), Some(_)) if !value.is_empty() => Some(value),
                    (_, Some(default)) => Some(default.to_owned()),
                    (None, None) => {
                        self.problem(at, format!("the environment variable `{name}` is not set"))
                            .help(format!("set it, or give a default: `${{env:{name}:-default}}`"));
                        None
                    }
                }
            }
            Some(("file", path)) => {
                let path = self.problems.sources.resolve(at, path);
                match self.read_text(&path, FILE_BYTES_MAX) {
                    // Editors and `echo` end a file with a line end that is no part of the secret.
                    Ok(text) => Some(
                        text.strip_suffix('\n').map(|t| t.strip_suffix('\r').unwrap_or(t)).unwrap_or(&text).to_owned(),
                    ),
                    Err(reason) => {
                        self.problem(at, format!("cannot read {}: {reason}", path.display()));
                        None
                    }
                }
            }
            _ => {
                self.problem(at, format!("`${{{reference}}}` is no reference")).help(
                    "write `${env:NAME}`, `${env:NAME:-default}` or `${file:PATH}`, and `$${` for a literal `${`",
                );
                None
            }
        }
    }
}
