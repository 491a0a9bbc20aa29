//! The JSON Schema and the reference page, both from the tables of [`super::file`].

use super::file::File;
use super::node::Kind;
use super::read::{About, Field, Need, Written};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// The JSON Schema (draft 2020-12) of a configuration file, for editors.
#[must_use]
pub fn schema() -> Value {
    let mut schema = File::schema();
    if let Value::Object(members) = &mut schema {
        members.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        members.insert("title".to_owned(), json!("Portcullis configuration"));
    }
    schema
}

/// What a table is, for messages.
pub(super) fn table_kind(about: &About) -> String {
    let mut keys: Vec<String> = about.fields.iter().take(5).map(|field| format!("`{}`", field.key())).collect();
    if about.fields.len() > keys.len() {
        keys.push("...".to_owned());
    }
    format!("a table with {}", keys.join(", "))
}

/// The schema of one table.
pub(super) fn table_schema(about: &About) -> Value {
    let mut properties = Map::new();
    for field in about.fields {
        let mut schema = (field.schema)();
        if let Value::Object(members) = &mut schema {
            members.insert("description".to_owned(), json!(prose(field.doc)));
            if let Need::Default(default) = &field.need {
                members.insert("default".to_owned(), json_of(&default()));
            }
        }
        properties.insert(field.key().to_owned(), schema);
    }
    let required: Vec<&str> =
        about.fields.iter().filter(|f| matches!(f.need, Need::Required)).map(Field::key).collect();
    json!({
        "type": "object",
        "description": prose(about.doc),
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// The reference of every key as a Markdown page.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(INTRODUCTION);
    let Some(file) = File::about() else { return page };
    table_rows(&mut page, file);
    for field in file.fields {
        if let Some(about) = (field.about)() {
            section(&mut page, about, &heading(field), 2);
        }
    }
    page
}

fn heading(field: &Field) -> String {
    match (field.kind)() {
        kind if kind.starts_with("tables by name") => format!("`[{}.NAME]`", field.key()),
        kind if kind.starts_with("a list") => format!("`[[{}]]`", field.key()),
        _ => format!("`[{}]`", field.key()),
    }
}

fn section(page: &mut String, about: &About, heading: &str, level: usize) {
    // Writing to a String cannot fail.
    let _ = write!(page, "\n{} {heading}\n\n{}\n\n", "#".repeat(level), prose(about.doc));
    table_rows(page, about);
    for inner in about.fields.iter().filter_map(|field| (field.about)()) {
        section(page, inner, &format!("`{}`", inner.label), level + 1);
    }
}

fn table_rows(page: &mut String, about: &About) {
    page.push_str("| key | value | default | meaning |\n|---|---|---|---|\n");
    for field in about.fields {
        let default = match &field.need {
            Need::Required => "**required**".to_owned(),
            Need::Optional => String::new(),
            Need::Default(default) => format!("`{}`", json_of(&default())),
        };
        let kind = match (field.about)() {
            Some(inner) if (field.kind)() == table_kind(inner) => "a table".to_owned(),
            _ => format!("{}{}", (field.kind)(), bounds(&(field.schema)())),
        };
        let _ = writeln!(
            page,
            "| `{}` | {} | {default} | {} |",
            field.key(),
            kind.replace('|', "\\|"),
            prose(field.doc).replace('|', "\\|")
        );
    }
}

/// The range of a duration or a size, which its kind does not say.
fn bounds(schema: &Value) -> String {
    schema.get("$comment").and_then(Value::as_str).map(|bounds| format!(", {bounds}")).unwrap_or_default()
}

/// A documentation comment as one line.
fn prose(doc: &str) -> String {
    doc.lines().map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned()
}

fn json_of(kind: &Kind) -> Value {
    match kind {
        Kind::Text(text) => json!(text),
        Kind::Integer(number) => json!(number),
        Kind::Bool(value) => json!(value),
        Kind::List(items) => Value::Array(items.iter().map(|item| json_of(&item.kind)).collect()),
        Kind::Float(_) | Kind::Date | Kind::Table(_) | Kind::Broken => Value::Null,
    }
}

const INTRODUCTION: &str = r#"# Configuration reference

Generated from the types in `proxy/src/config/file/`; a test keeps this page equal to them.

One TOML file, checked whole before anything starts. `portcullis check FILE` reports every mistake at once.

- **Unknown keys are errors.**
- **Durations** are texts with a unit: `"500ms"`, `"30s"`, `"5m"`, `"24h"`, `"1d"`.
- **Sizes** are texts with a unit: `"512B"`, `"32KiB"`, `"10MiB"`, `"1GiB"`.
- **References** in texts: `"${env:NAME}"`, `"${env:NAME:-default}"` (also for an empty variable) and `"${file:PATH}"`
  (without its last line end). They are filled in after parsing, so that a value cannot become structure; a missing one
  is an error. `$${` is a literal `${`. A number or `true`/`false` may be a reference too.
- **Paths** are relative to the file that they are written in.
- **Routes are closed by default:** `auth` is `"required"` unless a route says otherwise.

"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::node::Node;
    use crate::config::problem::Problems;
    use crate::config::read::Context;
    use crate::config::source::Span;

    fn tables() -> Vec<&'static About> {
        let mut all: Vec<&About> = File::about().into_iter().collect();
        let mut index = 0;
        while index < all.len() {
            let inner: Vec<_> = all[index].fields.iter().filter_map(|field| (field.about)()).collect();
            all.extend(inner);
            index += 1;
        }
        all
    }

    #[test]
    fn every_key_is_documented_and_every_default_is_legal() {
        let schema = schema();
        assert!(schema["properties"]["route"]["items"]["properties"]["match"].is_object());
        for table in tables() {
            assert!(!prose(table.doc).is_empty(), "{}", table.label);
            for field in table.fields {
                assert!(prose(field.doc).ends_with('.'), "{}.{}", table.label, field.key());
            }
        }
    }

    #[test]
    fn defaults_are_read_without_a_problem() {
        let at = Span { source: 0, start: 0, end: 0 };
        let mut context = Context { problems: Problems::default(), env: &|_| None };
        let empty = || Node { at, kind: Kind::Table(Vec::new()), referred: false };
        let server = crate::config::file::Server::read(&empty(), &mut context).expect("server");
        assert!(server.connections_max.is_some() && server.drain_timeout.is_some());
        let listener = crate::config::file::Listener::read(&empty(), &mut context).expect("listener");
        assert!(listener.header_bytes_max.is_some() && listener.streams_max.is_some());
        assert_eq!(context.problems.count(), 1, "only the address is missing: {}", context.problems);
    }
}
