//! `retry` of a route, `retry_budget`, `limits`, `breaker` and `park` of an upstream; `overload` of the server.

use super::hedge::Hedge;
use super::in_flight::InFlight;
use crate::config::RetryCause;
use crate::config::node::{Kind, Node};
use crate::config::read::{About, Context, List, Written};
use crate::config::units::{Number, Size, Timeout};
use http::StatusCode;
use serde_json::{Value, json};

table! {
    /// What is sent again. Only requests that may be sent twice are: GET, HEAD, OPTIONS, TRACE, PUT and DELETE with a
    /// body that is held (64 KiB, and whatever `buffer` holds); after `connect` any whose body has not been begun or is
    /// held. Never after the first byte of an answer was passed on. Another endpoint is preferred. The upstream's
    /// `retry_budget` bounds all of it.
    Retry as "route.retry" => {
        /// After which failures: `connect` (no connection, so nothing was sent), `reset` (it ended before a byte of an
        /// answer), `timeout` (no answer in time), or the status of an answer: 429, 500 to 599. `Retry-After` is waited
        /// for where no other endpoint is left and the `deadline` allows it; else the client gets the answer.
        default(["connect", "reset"]) on: List<RetryCause, 1>,
        /// Attempts, the first one too.
        default(2) attempts: Number<2, 10>,
        /// In the place of `response_timeout`, for each attempt. Connecting has `connect_timeout`.
        optional per_try_timeout: Timeout,
        /// A second attempt beside one that takes long. Left out: none; an attempt follows only a failure.
        optional hedge: Hedge,
    }
}

table! {
    /// How much of the traffic may be attempts after a failure, or beside one that takes long, so that retries do not multiply the load of an upstream
    /// that fails because it has too much. What was not used is saved up: the share of 1,000 requests and 10 seconds of
    /// the minimum at most.
    RetryBudget as "upstream.retry_budget" => {
        /// For each hundred requests of routes with `retry`.
        default(20) percent: Number<0, 100>,
        /// In each second, however few requests there are.
        default(10) per_second_min: Number<0, 10_000>,
    }
}

table! {
    /// How much an upstream is given at once, by all workers together; a request counts until its answer has ended. Who
    /// comes then waits for a place: in the order of arrival, and when somebody has waited for 100 ms, the newest first,
    /// because then not all can be served in time. Who has too little of its `deadline` left for an answer is sent away
    /// with 503.
    Limits as "upstream.limits" => {
        /// Requests in flight at all endpoints. Left out: no limit.
        optional in_flight_max: InFlight,
        /// Requests in flight at each endpoint, or fewer where it tells so over its link (`in_flight_max`). Left out: only
        /// what it tells.
        optional in_flight_per_endpoint_max: Number<1, 1_000_000>,
        /// Requests that wait for a place. When there are more, the one with the least time left is answered 503.
        default(100) queue_max: Number<0, 100_000>,
        /// How long one waits: then 503.
        default("1s") queue_timeout: Timeout,
    }
}

table! {
    /// When an endpoint is left alone: after so many failures in a row, for some time; then one request shows whether it
    /// is back. Failures are no connection, no answer, and the statuses 502, 503 and 504. While all endpoints are left
    /// alone requests are answered 503 at once.
    Breaker as "upstream.breaker" => {
        /// Failures in a row, of requests of all workers.
        default(5) failures_max: Number<1, 1000>,
        /// For how long.
        default("5s") open_for: Timeout,
    }
}

table! {
    /// What waits while every endpoint is away: told by its link to be stopping, or not taking connections. Requests go on
    /// when one is back, a few at first. Only while the upstream is expected back; and only requests of which nothing was
    /// sent, with a body that `buffer` holds or that is announced to be at most 64 KiB. `park = true` is the same as an
    /// empty table.
    Park as "upstream.park" => {
        /// Requests that wait at once: who comes then is answered 503.
        default(1000) requests_max: Number<1, 1_000_000>,
        /// Bytes of their bodies together, beside those that `buffer` holds.
        default("16MiB") bytes_max: Size<0, { 1 << 40 }>,
        /// How long a request waits: then 503.
        default("10s") timeout: Timeout,
        /// How long after its last answer, or the last word over its link, the upstream is expected back. Then requests
        /// are tried at once. A link counts for nothing where it is open and probes say that the endpoint is not well.
        default("30s") expected_for: Timeout,
    }
}

table! {
    /// What the process gives up before the kernel ends it, step by step, in hundredths of the memory that it may use. A
    /// step is taken back 5 hundredths below. Of a control group (version 1 or 2) all counts but files that the kernel
    /// would let go of; `portcullis_overload_level` shows the step.
    Overload as "server.overload" => {
        /// How much the process itself may use. Left out: what its control group may, container or systemd unit; without
        /// a bound there the whole has no effect, and the log says so.
        optional memory_max: Size<{ 1 << 20 }, { 1 << 50 }>,
        /// Connections over HTTP/1.1 end after their next answer.
        default(80) close_connections_at: Number<1, 100>,
        /// Requests over HTTP/1.1 are answered 503 with `Retry-After`. Streams of HTTP/2 are refused with `REFUSED_STREAM`,
        /// so that clients know that nothing was done and may try again whatever the method (RFC 9113 section 8.7); they
        /// are counted (`portcullis_streams_refused_total`) and have no line in the access log.
        default(90) refuse_requests_at: Number<1, 100>,
        /// Connections are closed when they are accepted.
        default(95) refuse_connections_at: Number<1, 100>,
    }
}

/// `park`, as written.
#[derive(Debug)]
pub(in crate::config) enum ParkSwitch {
    /// `true` or `false`.
    Switched(bool),
    /// A table.
    With(Box<Park>),
}

impl Written for ParkSwitch {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Bool(on) => Some(Self::Switched(*on)),
            Kind::Table(_) => Park::read(node, context).map(|table| Self::With(Box::new(table))),
            Kind::Broken => None,
            _ => {
                context.expected::<Self>(node);
                None
            }
        }
    }

    fn kind() -> String {
        "`true`, `false` or `{ requests_max = ..., bytes_max = ..., timeout = ..., expected_for = ... }`".to_owned()
    }

    fn schema() -> Value {
        json!({ "anyOf": [bool::schema(), Park::schema()] })
    }

    fn about() -> Option<&'static About> {
        Park::about()
    }
}

/// The texts that name a cause.
const WORDS: [(&str, RetryCause); 3] =
    [("connect", RetryCause::Connect), ("reset", RetryCause::Reset), ("timeout", RetryCause::Timeout)];

impl RetryCause {
    /// As it is written in the configuration.
    pub(in crate::config) fn written(self) -> String {
        match self {
            Self::Status(status) => status.as_u16().to_string(),
            word => WORDS
                .iter()
                .find(|(_, cause)| *cause == word)
                .map_or_else(String::new, |(word, _)| format!("\"{word}\"")),
        }
    }
}

impl Written for RetryCause {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Text(text) => match WORDS.iter().find(|(word, _)| word == text) {
                Some((_, cause)) => return Some(*cause),
                None => {
                    let words = WORDS.map(|(word, _)| word);
                    let message = format!("`{}` is no cause of a retry", text.escape_debug());
                    let message = if node.referred { "this is no cause of a retry".to_owned() } else { message };
                    context.unknown(node.at, message, &words);
                }
            },
            Kind::Integer(number) => {
                let status = u16::try_from(*number).ok().filter(|status| *status == 429 || (500..600).contains(status));
                if let Some(status) = status.and_then(|status| StatusCode::from_u16(status).ok()) {
                    return Some(Self::Status(status));
                }
                context
                    .problem(node.at, format!("{number} is no status after which a request is sent again"))
                    .help("429, and 500 to 599, say that another attempt may succeed");
            }
            Kind::Broken => {}
            _ => {
                context.expected::<Self>(node);
            }
        }
        None
    }

    fn kind() -> String {
        "\"connect\", \"reset\", \"timeout\" or a status".to_owned()
    }

    fn schema() -> Value {
        let words = WORDS.map(|(word, _)| word);
        json!({ "anyOf": [{ "enum": words }, { "enum": [429] }, { "type": "integer", "minimum": 500, "maximum": 599 }] })
    }
}
