//! From the written tree to typed tables: collects every mistake instead of stopping at the first.

pub(super) use super::context::Context;
use super::node::{Entry, Kind, Node};
use super::problem::{Problem, nearest};
use super::source::Span;
use serde_json::{Value, json};
use std::ops::Deref;

impl Context<'_> {
    /// Reports a value of the wrong kind.
    pub(super) fn expected<T: Written>(&mut self, node: &Node) -> &mut Problem {
        self.problem(node.at, format!("expected {}, found {}", T::kind(), node.found()))
    }
}

/// A value and where it was written; the table's own place for a default.
#[derive(Debug, Clone)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) at: Span,
}

impl<T> Deref for At<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// A type that can be read from a written value. One impl serves the reader, the JSON Schema and the reference page.
pub(super) trait Written: Sized {
    /// Reads the value. `None`: it is wrong and has been reported.
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self>;

    /// With its article, for messages: `a duration such as "30s"`.
    fn kind() -> String;

    /// Its JSON Schema.
    fn schema() -> Value;

    /// What a list of it is called.
    fn list_kind() -> String {
        match Self::about() {
            Some(_) => "a list of tables".to_owned(),
            None => format!("a list of: {}", Self::kind()),
        }
    }

    /// The table that is, or is inside, this type.
    fn about() -> Option<&'static About> {
        None
    }
}

/// A table's page in the reference.
pub(super) struct About {
    /// What it is called in messages: `listener`.
    pub(super) label: &'static str,
    pub(super) doc: &'static str,
    pub(super) fields: &'static [Field],
    /// Keys that the language reserves and this version does not have.
    pub(super) later: &'static [&'static str],
}

/// One key of a table.
pub(super) struct Field {
    /// As in the source, perhaps with `r#`.
    pub(super) identifier: &'static str,
    pub(super) doc: &'static str,
    pub(super) need: Need,
    pub(super) kind: fn() -> String,
    pub(super) schema: fn() -> Value,
    pub(super) about: fn() -> Option<&'static About>,
}

/// Whether a key can be left out.
pub(super) enum Need {
    Required,
    Optional,
    /// Then it has this value.
    Default(fn() -> Kind),
}

impl Field {
    /// The key as operators write it.
    pub(super) fn key(&self) -> &'static str {
        self.identifier.strip_prefix("r#").unwrap_or(self.identifier)
    }
}

/// The keys of one written table.
pub(super) struct TableReader<'n> {
    label: &'static str,
    entries: &'n [Entry],
    keys: Keys,
}

impl<'n> TableReader<'n> {
    /// Opens a table and reports its unknown keys. `None`: the value is no table, which has been reported.
    pub(super) fn open<T: Written>(about: &About, node: &'n Node, context: &mut Context<'_>) -> Option<Self> {
        let entries = match &node.kind {
            Kind::Table(entries) => entries,
            Kind::Broken => return None,
            _ => {
                context.expected::<T>(node);
                return None;
            }
        };
        let known: Vec<&str> = about.fields.iter().map(Field::key).collect();
        let mut keys = Vec::with_capacity(entries.len());
        for entry in entries {
            let key = entry.key.as_str();
            // What was probably meant counts as written: a typo is one mistake, not a missing key besides.
            let meant = match known.contains(&key) || about.later.contains(&key) {
                true => Some(key),
                false => nearest(key, known.iter().copied()),
            };
            keys.extend(meant.map(|meant| At { value: meant.to_owned(), at: entry.key_at }));
            if known.contains(&key) {
                continue;
            }
            if about.later.contains(&key) {
                context
                    .problem(entry.key_at, format!("`{}` is not available in this version", entry.key))
                    .help("leave it out until an upgrade");
            } else {
                let message = format!("unknown key `{}` in {}", entry.key, about.label);
                context.unknown(entry.key_at, message, &known);
            }
        }
        Some(Self { label: about.label, entries, keys: Keys { table: node.at, keys } })
    }

    /// What was written, when everything has been read.
    pub(super) fn keys(self) -> Keys {
        self.keys
    }

    fn entry(&self, identifier: &str) -> Option<&'n Entry> {
        let key = identifier.strip_prefix("r#").unwrap_or(identifier);
        self.entries.iter().find(|entry| entry.key == key)
    }

    pub(super) fn optional<T: Written>(&self, identifier: &str, context: &mut Context<'_>) -> Option<At<T>> {
        let node = &self.entry(identifier)?.node;
        T::read(node, context).map(|value| At { value, at: node.at })
    }

    pub(super) fn required<T: Written>(&self, identifier: &str, context: &mut Context<'_>) -> Option<At<T>> {
        let key = identifier.strip_prefix("r#").unwrap_or(identifier);
        if self.keys.at(key).is_none() {
            context
                .problem(self.keys.table, format!("{} needs the key `{key}`", self.label))
                .help(format!("add `{key}`: {}", T::kind()));
        }
        self.optional(identifier, context)
    }

    /// The written value, else the default. A wrong value counts as the default, so that one mistake is one message.
    pub(super) fn default<T: Written>(
        &self,
        identifier: &str,
        default: Kind,
        context: &mut Context<'_>,
    ) -> Option<At<T>> {
        self.optional(identifier, context).or_else(|| {
            let node = Node { at: self.keys.table, kind: default, referred: false };
            T::read(&node, context).map(|value| At { value, at: node.at })
        })
    }
}

/// A table that was read.
pub(super) trait Table {
    /// What stands in it.
    fn written(&self) -> &Keys;
}

/// Where a table stands, and the keys that were written in it.
#[derive(Debug)]
pub(super) struct Keys {
    /// The table's header, or the whole of an inline table.
    pub(super) table: Span,
    pub(super) keys: Vec<At<String>>,
}

impl Keys {
    /// Where the key stands, if it does.
    pub(super) fn at(&self, key: &str) -> Option<Span> {
        self.keys.iter().find(|written| written.value == key).map(|written| written.at)
    }

    /// Those of `keys` that stand here, in that order.
    pub(super) fn among<'k>(&self, keys: &[&'k str]) -> Vec<(&'k str, Span)> {
        keys.iter().filter_map(|key| self.at(key).map(|at| (*key, at))).collect()
    }
}

/// Items of a list, and tables by name: more would be no configuration, and comparing them all would take long.
const ITEMS_MAX: usize = 10_000;

/// Lists of at least `MIN` items. Wrong items are reported and left out.
#[derive(Debug, Clone)]
pub(super) struct List<T, const MIN: usize = 0>(pub(super) Vec<At<T>>);

impl<T, const MIN: usize> Deref for List<T, MIN> {
    type Target = [At<T>];

    fn deref(&self) -> &[At<T>] {
        &self.0
    }
}

impl<T: Written, const MIN: usize> Written for List<T, MIN> {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::List(nodes) => {
                if nodes.len() < MIN {
                    context.problem(node.at, format!("this list needs at least {MIN} item"));
                    return None;
                }
                if nodes.len() > ITEMS_MAX {
                    context.problem(node.at, format!("this list has more than {ITEMS_MAX} items"));
                    return None;
                }
                let read = |node: &Node| T::read(node, context).map(|value| At { value, at: node.at });
                Some(Self(nodes.iter().filter_map(read).collect()))
            }
            Kind::Broken => None,
            kind => {
                let help = match kind {
                    Kind::Table(_) => T::about().map(|about| format!("write `[[{}]]`", about.label)),
                    _ => Some("put it in brackets: `[...]`".to_owned()),
                };
                let problem = context.expected::<Self>(node);
                if let Some(help) = help {
                    problem.help(help);
                }
                None
            }
        }
    }

    fn kind() -> String {
        T::list_kind()
    }

    fn schema() -> Value {
        match MIN {
            0 => json!({ "type": "array", "items": T::schema() }),
            _ => json!({ "type": "array", "items": T::schema(), "minItems": MIN }),
        }
    }

    fn about() -> Option<&'static About> {
        T::about()
    }
}

/// Tables by name: `[upstream.app]`, `[upstream.other]`.
#[derive(Debug)]
pub(super) struct Named<T>(pub(super) Vec<(At<String>, T)>);

impl<T: Written> Written for Named<T> {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        let Kind::Table(entries) = &node.kind else {
            if !matches!(node.kind, Kind::Broken) {
                let label = T::about().map_or("item", |about| about.label);
                context.expected::<Self>(node).help(format!("give it a name: `[{label}.NAME]`"));
            }
            return None;
        };
        if entries.len() > ITEMS_MAX {
            context.problem(node.at, format!("more than {ITEMS_MAX} tables"));
            return None;
        }
        let mut named = Vec::new();
        for entry in entries {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
            if entry.key.is_empty() || entry.key.len() > 64 || !entry.key.chars().all(plain) {
                context
                    .problem(entry.key_at, "a name is 1 to 64 letters, digits, `_`, `-` or `.`")
                    .note("names stand in logs, metrics and assertions");
            }
            if let (Some(about), false) = (T::about(), matches!(entry.node.kind, Kind::Table(_) | Kind::Broken)) {
                let label = about.label;
                let known = about.fields.iter().any(|field| field.key() == entry.key);
                let problem = context.expected::<T>(&entry.node);
                if known {
                    problem
                        .help(format!("`{0}` is a key of a named {label}: write `[{label}.NAME]` above it", entry.key));
                }
                continue;
            }
            if let Some(value) = T::read(&entry.node, context) {
                named.push((At { value: entry.key.clone(), at: entry.key_at }, value));
            }
        }
        Some(Self(named))
    }

    fn kind() -> String {
        "tables by name".to_owned()
    }

    fn schema() -> Value {
        json!({ "type": "object", "additionalProperties": T::schema() })
    }

    fn about() -> Option<&'static About> {
        T::about()
    }
}
