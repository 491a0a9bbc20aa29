//! Values of `route.files` that are more than a text.

use super::values::text;
use crate::config::node::{Kind, Node};
use crate::config::read::{Context, Written};
use crate::config::{FileGlob, SecurityHeaders};
use http::HeaderValue;
use serde_json::{Value, json};

table! {
    /// How long some files may be kept by browsers and caches.
    CacheEntry as "route.files.cache" => {
        /// Which files, by their path below `root`: `*` is anything within a name, `**` any number of folders, and a
        /// pattern without `/` is about names in every folder. `"/img/**"`, `"*.pdf"`, `"/docs/**/*.svg"`.
        required r#match: FileGlob,
        /// The value of `Cache-Control`.
        required control: HeaderValue,
    }
}

/// What stands behind the last dot of a file's name, lower-case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) struct Extension(pub(in crate::config) String);

impl Extension {
    fn parse(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'+');
        ((1..=32).contains(&text.len()) && text.bytes().all(plain)).then(|| Self(text.to_owned()))
    }
}

/// A media type, with parameters perhaps (RFC 9110 section 8.3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) struct MediaType(pub(in crate::config) HeaderValue);

impl Written for MediaType {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        text(node, context, |text| {
            let essence = text.split(';').next().unwrap_or(text).trim_end();
            let token = |part: &str| {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
                !part.is_empty() && part.bytes().all(plain)
            };
            let is_type = essence.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype));
            match HeaderValue::from_str(text) {
                Ok(value) if is_type => Ok(Self(value)),
                _ => Err((
                    format!("{text:?} is no media type"),
                    Some("write for example \"text/markdown; charset=utf-8\"".to_owned()),
                )),
            }
        })
    }

    fn kind() -> String {
        "a media type such as \"text/markdown; charset=utf-8\"".to_owned()
    }

    fn schema() -> Value {
        json!({ "type": "string" })
    }
}

words!(SecurityHeaders, "set of security headers", {
    "off" => SecurityHeaders::Off,
    "basic" => SecurityHeaders::Basic,
    "isolated" => SecurityHeaders::Isolated,
});

/// Media types by extension.
#[derive(Debug)]
pub(in crate::config) struct Types(pub(in crate::config) Vec<(Extension, MediaType)>);

impl Written for Types {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        let entries = match &node.kind {
            Kind::Table(entries) => entries,
            Kind::Broken => return None,
            _ => {
                context.expected::<Self>(node);
                return None;
            }
        };
        let mut types = Vec::new();
        for entry in entries {
            let extension = Extension::parse(&entry.key);
            if extension.is_none() {
                context
                    .problem(entry.key_at, format!("{:?} is no file extension", entry.key))
                    .help("write what stands behind the last dot of the name, in lower case: `md`");
            }
            types.extend(extension.zip(MediaType::read(&entry.node, context)));
        }
        Some(Self(types))
    }

    fn kind() -> String {
        format!("a table of file extensions, each with {}", MediaType::kind())
    }

    fn schema() -> Value {
        json!({ "type": "object", "additionalProperties": MediaType::schema() })
    }
}
