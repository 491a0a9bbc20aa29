//! The written tree: TOML with the place of every key and value, and with its references resolved.

use super::context::Context;
use super::source::Span;
use std::collections::BTreeSet;
use toml::de::{DeTable, DeValue};

/// A value and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) at: Span,
    pub(super) kind: Kind,
    /// Whether a `${...}` was filled in, so that the value is not what the file shows.
    pub(super) referred: bool,
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Kind {
    Text(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    Date,
    List(Vec<Node>),
    /// In the order of the file.
    Table(Vec<Entry>),
    /// Its mistake has been reported.
    Broken,
}

/// A key with its value.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_at: Span,
    pub(super) node: Node,
}

impl Node {
    /// The words for a value of the wrong kind.
    pub(super) fn found(&self) -> String {
        match &self.kind {
            Kind::Text(_) if self.referred => "a text".to_owned(),
            Kind::Text(text) if text.len() > 60 => "a long text".to_owned(),
            Kind::Text(text) => format!("the text {text:?}"),
            Kind::Integer(number) => format!("the number {number}"),
            Kind::Float(number) => format!("the number {number}"),
            Kind::Bool(value) => format!("`{value}`"),
            Kind::Date => "a date".to_owned(),
            Kind::List(_) => "a list".to_owned(),
            Kind::Table(_) => "a table".to_owned(),
            Kind::Broken => "a broken value".to_owned(),
        }
    }
}

/// Parses one source. `None`: its syntax is wrong and has been reported.
pub(super) fn parse(source: usize, context: &mut Context<'_>) -> Option<Node> {
    let text = context.problems.sources.get(source)?.text.clone();
    let (root, errors) = DeTable::parse_recoverable(&text);
    let mut lines = BTreeSet::new();
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        let at = Span { source, start: span.start, end: span.end };
        // Further ones in a line are echoes of the first.
        let line = context.problems.sources.get(source).map(|source| source.line(at.start).number);
        if !lines.insert(line) {
            continue;
        }
        hide_secrets(at, &text, context);
        let shown = text.get(span).map(str::trim).unwrap_or_default();
        let message = match error.message() {
            "duplicate key" => format!("`{shown}` stands here twice"),
            message => message.to_owned(),
        };
        context.problem(at, message);
    }
    let at = Span { source, start: 0, end: 0 };
    errors.is_empty().then(|| Node { at, kind: table(source, root.get_ref(), context), referred: false })
}

/// Without a tree nobody knows which value is a secret: whatever follows `secret =` or `key =` in the line is one.
fn hide_secrets(at: Span, text: &str, context: &mut Context<'_>) {
    let start = text.get(..at.start).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
    let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    for word in ["secret", "key"] {
        for (index, _) in line.match_indices(word) {
            let after = &line[index + word.len()..];
            let value = after.trim_start().strip_prefix('=').map(str::trim_start);
            let inside_a_word = line[..index].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
            if let Some(value) = value.filter(|value| !inside_a_word && !value.is_empty()) {
                let end = start + line.len();
                context.problems.secrets.push(Span { source: at.source, start: end - value.len(), end });
            }
        }
    }
}

fn table(source: usize, table: &DeTable<'_>, context: &mut Context<'_>) -> Kind {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().clone().into_owned(),
            key_at: Span { source, start: key.span().start, end: key.span().end },
            node: node(source, value.span(), value.get_ref(), context),
        })
        .collect();
    entries.sort_by_key(|entry| entry.key_at);
    Kind::Table(entries)
}

fn node(source: usize, span: std::ops::Range<usize>, value: &DeValue<'_>, context: &mut Context<'_>) -> Node {
    let at = Span { source, start: span.start, end: span.end };
    let mut referred = false;
    let kind = match value {
        DeValue::String(text) => match context.expand(text, at) {
            Some(expanded) => {
                referred = expanded.referred;
                Kind::Text(expanded.text)
            }
            None => Kind::Broken,
        },
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Kind::Integer(number),
            Err(_) => {
                context.problem(at, "this number is too large");
                Kind::Broken
            }
        },
        DeValue::Float(number) => number.as_str().parse().map_or(Kind::Broken, Kind::Float),
        DeValue::Boolean(value) => Kind::Bool(*value),
        DeValue::Datetime(_) => Kind::Date,
        DeValue::Array(items) => {
            Kind::List(items.iter().map(|item| node(source, item.span(), item.get_ref(), context)).collect())
        }
        DeValue::Table(entries) => table(source, entries, context),
    };
    Node { at, kind, referred }
}

impl From<&str> for Kind {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Kind {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Kind {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

/// A list of texts: the only lists that are defaults.
impl<const N: usize> From<[&str; N]> for Kind {
    fn from(texts: [&str; N]) -> Self {
        // Defaults have no place of their own.
        let at = Span { source: usize::MAX, start: 0, end: 0 };
        Self::List(texts.map(|text| Node { at, kind: text.into(), referred: false }).into())
    }
}
