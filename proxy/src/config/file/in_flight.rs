//! `limits.in_flight_max` of an upstream.

use crate::config::node::{Kind, Node};
use crate::config::read::{About, Context, Written};
use crate::config::units::Number;
use serde_json::{Value, json};

table! {
    /// A limit that follows from how long answers take: it falls when they take longer than they do without a queue at
    /// the endpoints, and rises as long as they do not. `in_flight_max = "adaptive"` is the same as an empty table.
    Adaptive as "upstream.limits.in_flight_max" => {
        /// The least that it falls to, and what it begins with. Left out: 8, or `max` where that is less.
        optional min: Number<1, 1_000_000>,
        /// The most that it rises to.
        default(1000) max: Number<1, 1_000_000>,
    }
}

/// `in_flight_max`, as written.
#[derive(Debug)]
pub(in crate::config) enum InFlight {
    /// A number.
    Fixed(Number<1, 1_000_000>),
    /// `"adaptive"`.
    Adaptive,
    /// A table.
    Within(Box<Adaptive>),
}

/// The word for a limit that nobody has to know.
const ADAPTIVE: &str = "adaptive";

impl Written for InFlight {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Table(_) => Adaptive::read(node, context).map(|table| Self::Within(Box::new(table))),
            Kind::Text(text) if text == ADAPTIVE => Some(Self::Adaptive),
            Kind::Text(text) if !node.referred && text.parse::<u32>().is_err() => {
                context.expected::<Self>(node);
                None
            }
            Kind::Text(_) | Kind::Integer(_) => Number::read(node, context).map(Self::Fixed),
            Kind::Broken => None,
            _ => {
                context.expected::<Self>(node);
                None
            }
        }
    }

    fn kind() -> String {
        format!("{}, \"{ADAPTIVE}\" or `{{ min = ..., max = ... }}`", Number::<1, 1_000_000>::kind())
    }

    fn schema() -> Value {
        json!({ "anyOf": [Number::<1, 1_000_000>::schema(), { "enum": [ADAPTIVE] }, Adaptive::schema()] })
    }

    fn about() -> Option<&'static About> {
        Adaptive::about()
    }
}
