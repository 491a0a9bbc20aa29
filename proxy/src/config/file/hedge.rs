//! `retry.hedge` of a route.

use crate::config::HedgeAfter;
use crate::config::node::{Kind, Node};
use crate::config::read::{Context, Written};
use crate::config::units::Timeout;
use serde_json::{Value, json};

table! {
    /// A second attempt beside one that takes long, at another endpoint: the first answer goes to the client, the other
    /// attempt is given up and does not count as a failure of its endpoint. For requests that may be sent twice and whose
    /// body is empty or held by `buffer`; once a request, and not where `attempts` are used up, no other endpoint is in,
    /// or requests wait for a place (`limits`). Its answer counts unless its status is one of `on` and the other
    /// attempt's is not. Requests that a cookie binds to an endpoint (`sticky`) are not sent to another one.
    Hedge as "route.retry.hedge" => {
        /// After how long without an answer: a time, or `"p95"` for what 95 of a hundred attempts of this route take at
        /// most, counted from the attempts lately, at least 128 of them (`p50` to `p99`).
        required after: HedgeAfter,
    }
}

/// The percentiles that may be asked for: below them every other request would be sent twice, above them hardly any
/// attempt tells what they are.
const PERCENTILES: std::ops::RangeInclusive<u32> = 50..=99;

impl HedgeAfter {
    /// The percentile that this names, whether or not it may be asked for.
    fn percentile(text: &str) -> Option<u32> {
        let digits = text.strip_prefix('p')?;
        if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
    }
}

impl Written for HedgeAfter {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Text(text) => match Self::percentile(text) {
                Some(percent) if PERCENTILES.contains(&percent) => Some(Self::Percentile(percent)),
                Some(percent) => {
                    let (least, most) = PERCENTILES.into_inner();
                    context
                        .problem(node.at, format!("expected a percentile from p{least} to p{most}, found p{percent}"));
                    None
                }
                None => Timeout::read(node, context).map(|time| Self::Time(time.0)),
            },
            Kind::Broken => None,
            _ => {
                context.expected::<Self>(node);
                None
            }
        }
    }

    fn kind() -> String {
        "a duration such as \"50ms\", or a percentile such as \"p95\"".to_owned()
    }

    fn schema() -> Value {
        json!({ "anyOf": [Timeout::schema(), { "type": "string", "pattern": "^p[5-9][0-9]$" }] })
    }
}
