//! `health` and `eject` of an upstream: when an endpoint is well.

use super::values::Text;
use crate::config::node::{Kind, Node};
use crate::config::read::{About, Context, List, Written};
use crate::config::units::{Number, Timeout};
use serde_json::{Value, json};

table! {
    /// Active probes: each endpoint is asked by GET whether it is well, by the protocol and under the TLS of its upstream.
    /// The process sends them, not each worker. The first answer decides alone; until it is there, an endpoint is used.
    Health as "upstream.health" => {
        /// The path, with a query if it needs one: `"/healthz"`.
        required path: Text,
        /// Between two probes of one endpoint, less up to a fifth by chance.
        default("5s") every: Timeout,
        /// For one probe.
        default("2s") timeout: Timeout,
        /// The good statuses. Empty: 200 to 399.
        default([]) status: List<Number<200, 599>>,
        /// A text that must stand in the first 64 KiB of the body. Left out: anything will do.
        optional body: Text,
        /// Good probes in a row that bring an endpoint back.
        default(2) rise: Number<1, 100>,
        /// Bad probes in a row that take it out.
        default(3) fall: Number<1, 100>,
    }
}

table! {
    /// When an endpoint that fails requests gets none for a while: no connection, no answer, none in time, or one of 502,
    /// 503 and 504. It comes back on probation, with one request at a time. `eject = true` is the same as an empty
    /// table, `false` switches it off. When all are out, requests are tried at all of them.
    Eject as "upstream.eject" => {
        /// Failures in a row that eject.
        default(5) failures: Number<1, 1_000>,
        /// Fewer good answers of 100 within ten seconds eject, too, if there were 20 answers.
        default(50) success_percent_min: Number<0, 100>,
        /// For how long the first time. Twice as long each further time, up to 16 times, until it has been well.
        default("10s") time: Timeout,
        /// Endpoints of 100 that are never ejected, and one at least.
        default(50) survivors_percent_min: Number<0, 100>,
    }
}

/// `eject`, as written; `None` for `false`.
#[derive(Debug)]
pub(in crate::config) struct EjectSwitch(pub(in crate::config) Option<Eject>);

impl Written for EjectSwitch {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Bool(false) => Some(Self(None)),
            Kind::Bool(true) => {
                let empty = Node { at: node.at, kind: Kind::Table(Vec::new()), referred: node.referred };
                Eject::read(&empty, context).map(Some).map(Self)
            }
            Kind::Table(_) => Eject::read(node, context).map(Some).map(Self),
            Kind::Broken => None,
            _ => {
                context.expected::<Self>(node);
                None
            }
        }
    }

    fn kind() -> String {
        "`true`, `false` or `{ failures = ..., success_percent_min = ..., time = ..., survivors_percent_min = ... }`"
            .to_owned()
    }

    fn schema() -> Value {
        json!({ "anyOf": [bool::schema(), Eject::schema()] })
    }

    fn about() -> Option<&'static About> {
        Eject::about()
    }
}
