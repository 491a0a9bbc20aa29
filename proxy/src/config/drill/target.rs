//! A path of a plan, in which `{tag}` may stand.

use crate::config::file::values::text;
use crate::config::node::Node;
use crate::config::read::{Context, Written};
use http::uri::PathAndQuery;
use serde_json::{Value, json};

/// What stands for the text that tells one request from all others.
pub(super) const TAG: &str = "{tag}";

/// A path with its query, which is one for every tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target(pub(super) String);

impl Target {
    /// The path for this tag.
    #[must_use]
    pub fn of(&self, tag: &str) -> PathAndQuery {
        // Checked when it was read, with letters and digits as tags have them.
        self.0.replace(TAG, tag).parse().unwrap_or_else(|_| PathAndQuery::from_static("/"))
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it names the tag.
    #[must_use]
    pub fn is_tagged(&self) -> bool {
        self.0.contains(TAG)
    }
}

impl Written for Target {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        text(node, context, |text| {
            if !text.starts_with('/') {
                return Err((format!("{text:?} is no path"), Some(format!("write \"/{text}\""))));
            }
            match text.replace(TAG, "t0").parse::<PathAndQuery>() {
                Ok(_) => Ok(Self(text.to_owned())),
                Err(reason) => Err((format!("{text:?} is no path: {reason}"), None)),
            }
        })
    }

    fn kind() -> String {
        "a path such as \"/api/notes/?q={tag}\"".to_owned()
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^/" })
    }
}
