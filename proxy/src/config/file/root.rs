//! `root` of a route's files: a directory, or one of releases.

use super::values::{FilePath, Text};
use crate::config::node::{Kind, Node};
use crate::config::read::{About, Context, Written};
use crate::config::units::Number;
use serde_json::{Value, json};

table! {
    /// A site that is deployed in releases: directories beside each other, and `current`, a link to one of them or a file
    /// with its name. A deploy makes a new directory and renames a new `current` over the old one. It is noticed within
    /// `fresh_for`, without a reload; while `current` leads to no release, the last good one is served and an error logged.
    Releases as "route.files.root" => {
        /// The directory that holds the releases and `current`; nothing outside is ever opened.
        required releases: FilePath,
        /// So many other releases stay reachable for pages that are still open: those that were served before, the last
        /// one first, and, of those of which that is not known, the ones whose folders were changed last. Only files
        /// whose names are fingerprints, and only where the current release has none of the name.
        default(3) keep: Number<0, 100>,
    }
}

/// As written.
#[derive(Debug)]
pub(in crate::config) enum FilesRoot {
    /// A directory.
    Directory(FilePath),
    /// One of releases.
    Releases(Releases),
}

impl Written for FilesRoot {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Text(_) => FilePath::read(node, context).map(Self::Directory),
            Kind::Table(_) => Releases::read(node, context).map(Self::Releases),
            Kind::Broken => None,
            _ => {
                context.expected::<Self>(node);
                None
            }
        }
    }

    fn kind() -> String {
        "a path, or `{ releases = ..., keep = ... }`".to_owned()
    }

    fn schema() -> Value {
        json!({ "anyOf": [Text::schema(), Releases::schema()] })
    }

    fn about() -> Option<&'static About> {
        Releases::about()
    }
}
