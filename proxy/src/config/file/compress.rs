//! `compress` of a route's files.

use crate::config::Coding;
use crate::config::node::{Kind, Node};
use crate::config::read::{About, Context, List, Written};
use crate::config::units::Size;
use serde_json::{Value, json};

words!(Coding, "content coding", {
    "br" => Coding::Brotli,
    "zstd" => Coding::Zstd,
    "gzip" => Coding::Gzip,
});

table! {
    /// How files without a twin are compressed. `compress = true` is the same as an empty table. It happens beside the
    /// workers, once for each version of a file and coding; whoever would have to wait for it longer than a tenth of a
    /// second gets the file as it is.
    Compress as "route.files.compress" => {
        /// The codings. Which of them a client gets is its choice; of those that it likes equally the first of `br`,
        /// `zstd`, `gzip`.
        default(["br", "zstd", "gzip"]) codings: List<Coding, 1>,
        /// Smaller files are sent as they are.
        default("1KiB") bytes_min: Size<64, { 1 << 20 }>,
        /// Larger files are sent as they are; make twins for them.
        default("4MiB") bytes_max: Size<64, { 1 << 26 }>,
    }
}

/// `compress`, as written; `None` for `false`.
#[derive(Debug)]
pub(in crate::config) struct CompressSwitch(pub(in crate::config) Option<Compress>);

impl Written for CompressSwitch {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Bool(false) => Some(Self(None)),
            Kind::Bool(true) => {
                let empty = Node { at: node.at, kind: Kind::Table(Vec::new()), referred: node.referred };
                Compress::read(&empty, context).map(Some).map(Self)
            }
            Kind::Table(_) => Compress::read(node, context).map(Some).map(Self),
            Kind::Broken => None,
            _ => {
                context.expected::<Self>(node);
                None
            }
        }
    }

    fn kind() -> String {
        "`true`, `false` or `{ codings = ..., bytes_min = ..., bytes_max = ... }`".to_owned()
    }

    fn schema() -> Value {
        json!({ "anyOf": [bool::schema(), Compress::schema()] })
    }

    fn about() -> Option<&'static About> {
        Compress::about()
    }
}
