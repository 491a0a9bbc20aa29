//! Values of the rules about fields, paths and hosts.

use super::values::text;
use crate::config::node::{Kind, Node};
use crate::config::read::{Context, Written};
use crate::config::template::{BadTemplate, Variable};
use crate::config::{HeaderRule, HostPolicy, PathPrefix, Template};
use http::HeaderValue;
use serde_json::{Value, json};

table! {
    /// A field that is added.
    Added as "a header rule" => {
        /// Its value.
        required add: FieldValue,
    }
}

/// The value of a field, with variables.
#[derive(Debug)]
pub(in crate::config) struct FieldValue(Template);

impl Written for FieldValue {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        // A line end in it would be another field.
        HeaderValue::read(node, context)?;
        let Kind::Text(written) = &node.kind else { return None };
        match Template::parse(written, &Variable::ALL) {
            Ok(template) => Some(Self(if node.referred { template.hidden() } else { template })),
            Err(bad) => {
                report(&bad, &Variable::ALL, node, context);
                None
            }
        }
    }

    fn kind() -> String {
        HeaderValue::kind()
    }

    fn schema() -> Value {
        HeaderValue::schema()
    }
}

impl Written for HeaderRule {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Text(_) => FieldValue::read(node, context).map(|value| Self::Set(value.0)),
            Kind::Bool(false) => Some(Self::Remove),
            Kind::Table(_) => {
                let Added { written: _, add } = Added::read(node, context)?;
                add.map(|value| Self::Add(value.value.0))
            }
            Kind::Broken => None,
            _ => {
                context.expected::<Self>(node);
                None
            }
        }
    }

    fn kind() -> String {
        "a value, `false` to remove it, or `{ add = VALUE }`".to_owned()
    }

    fn schema() -> Value {
        json!({ "anyOf": [FieldValue::schema(), { "const": false }, Added::schema()] })
    }
}

/// Reports why a text is no template. What came by a reference is not quoted: it may be a secret.
pub(in crate::config) fn report(bad: &BadTemplate, known: &[Variable], node: &Node, context: &mut Context<'_>) {
    match bad {
        BadTemplate::Unknown(_) if node.referred => {
            context
                .problem(node.at, "the value of the reference holds a word in braces that is no variable")
                .help("write `{{` there for a literal brace");
        }
        BadTemplate::Unknown(_) => {
            let names: Vec<&str> = known.iter().map(|variable| variable.name()).collect();
            context.unknown(node.at, bad.to_string(), &names);
        }
        BadTemplate::Open => {
            context.problem(node.at, bad.to_string()).help("write `{{` for a literal brace");
        }
        BadTemplate::TooLong => {
            context.problem(node.at, bad.to_string());
        }
    }
}

impl Written for PathPrefix {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        text(node, context, |written| {
            Self::parse(written).map_err(|reason| {
                let meant = written.trim_end_matches("/**").trim_matches('/');
                let right = PathPrefix::parse(&format!("/{meant}")).ok();
                (reason.to_string(), right.map(|right| format!("write {:?}", right.text)))
            })
        })
    }

    fn kind() -> String {
        "a path such as \"/api\"".to_owned()
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^/|\\$\\{" })
    }
}

impl Written for HostPolicy {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        text(node, context, |written| match written {
            "preserve" => Ok(Self::Preserve),
            "upstream" => Ok(Self::Upstream),
            name => Self::fixed(name).ok_or_else(|| {
                let help = "write \"preserve\", \"upstream\", or a name such as \"app.example.com\"";
                (format!("{name:?} is no host name"), Some(help.to_owned()))
            }),
        })
    }

    fn kind() -> String {
        "\"preserve\", \"upstream\" or a host name".to_owned()
    }

    fn schema() -> Value {
        json!({ "type": "string", "minLength": 1 })
    }
}
