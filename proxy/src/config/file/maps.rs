//! Tables whose keys are free: header fields and claims.

use super::values::{ErrorStatus, Zone, zone};
use crate::config::node::{Entry, Kind, Node};
use crate::config::read::{At, Context, Written};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

/// Free keys with values of one type, in the order of the file.
#[derive(Debug)]
pub(in crate::config) struct Map<K, V>(pub(in crate::config) Vec<(At<K>, V)>);

/// A header field that a route asks for.
#[derive(Debug)]
pub(in crate::config) enum Wanted {
    /// Any value.
    Present,
    /// Exactly this one.
    Value(HeaderValue),
}

/// Reads each key by `key` and each value by `V`.
fn read<K, V: Written>(
    node: &Node,
    context: &mut Context<'_>,
    key: impl Fn(&Entry, &mut Context<'_>) -> Option<K>,
) -> Option<Vec<(At<K>, V)>>
where
    Map<K, V>: Written,
{
    let entries = match &node.kind {
        Kind::Table(entries) => entries,
        Kind::Broken => return None,
        _ => {
            context.expected::<Map<K, V>>(node);
            return None;
        }
    };
    let mut read = Vec::new();
    for entry in entries {
        let key = key(entry, context);
        let value = V::read(&entry.node, context);
        if let (Some(key), Some(value)) = (key, value) {
            read.push((At { value: key, at: entry.key_at }, value));
        }
    }
    Some(read)
}

impl<V: Written> Written for Map<HeaderName, V> {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        let fields = read(node, context, |entry, context| {
            let name = HeaderName::from_bytes(entry.key.as_bytes()).ok();
            if name.is_none() {
                context.problem(entry.key_at, format!("{:?} is no header name", entry.key));
            }
            name
        })?;
        for (index, (name, _)) in fields.iter().enumerate() {
            if let Some((first, _)) = fields[..index].iter().find(|(other, _)| other.value == name.value) {
                let message = format!("the field `{}` is set twice", name.value);
                context
                    .problem(name.at, message)
                    .note_at(first.at, "first")
                    .help("case does not matter in header names");
            }
        }
        Some(Self(fields))
    }

    fn kind() -> String {
        format!("a table of header fields, each with {}", V::kind())
    }

    fn schema() -> Value {
        json!({ "type": "object", "additionalProperties": V::schema() })
    }
}

impl<V: Written> Written for Map<ErrorStatus, V> {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        read(node, context, |entry, context| {
            let status = entry.key.parse().ok().and_then(|code| StatusCode::from_u16(code).ok());
            let status = status.filter(|status| status.is_client_error() || status.is_server_error());
            if status.is_none() {
                context
                    .problem(entry.key_at, format!("{:?} is no status of an error", entry.key))
                    .help("write a number from 400 to 599");
            }
            status.map(ErrorStatus)
        })
        .map(Self)
    }

    fn kind() -> String {
        format!("a table of error statuses, each with {}", V::kind())
    }

    fn schema() -> Value {
        json!({ "type": "object", "patternProperties": { "^[45][0-9][0-9]$": V::schema() }, "additionalProperties": false })
    }
}

impl<V: Written> Written for Map<Zone, V> {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        read(node, context, |entry, context| match zone(&entry.key) {
            Ok(zone) => Some(zone),
            Err((message, help)) => {
                let problem = context.problem(entry.key_at, message);
                if let Some(help) = help {
                    problem.help(help);
                }
                None
            }
        })
        .map(Self)
    }

    fn kind() -> String {
        format!("a table of zones, each with {}", V::kind())
    }

    fn schema() -> Value {
        json!({ "type": "object", "additionalProperties": V::schema() })
    }
}

impl Written for Map<String, Value> {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        read(node, context, |entry, _| Some(entry.key.clone())).map(Self)
    }

    fn kind() -> String {
        "a table of claims, each with its value".to_owned()
    }

    fn schema() -> Value {
        json!({ "type": "object" })
    }
}

impl Written for Wanted {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Bool(true) => Some(Self::Present),
            Kind::Text(_) => HeaderValue::read(node, context).map(Self::Value),
            Kind::Broken => None,
            _ => {
                context.expected::<Self>(node);
                None
            }
        }
    }

    fn kind() -> String {
        "a value, or `true` for any value".to_owned()
    }

    fn schema() -> Value {
        json!({ "anyOf": [{ "type": "string" }, { "const": true }] })
    }
}
