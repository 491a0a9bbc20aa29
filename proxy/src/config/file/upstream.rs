//! `[upstream.NAME]`: a named set of endpoints.

use super::site::KeyText;
use super::traffic::{Breaker, Limits, ParkSwitch, RetryBudget};
use super::values::{FilePath, Text};
use crate::config::node::{Kind, Node};
use crate::config::read::{About, Context, List, Written};
use crate::config::units::{Number, Timeout};
use crate::config::{Balance, EndpointAddress, ProxyVersion, UpstreamProtocol};
use serde_json::{Value, json};

table! {
    /// A named set of endpoints. Its name is also the audience of the assertions that it gets.
    Upstream as "upstream", later: ["health"] => {
        /// `"app:8000"`, `"10.0.0.7:8000"`, `"[::1]:8000"` or `"unix:/run/app.sock"`.
        required endpoints: List<EndpointAddress, 1>,
        /// How an endpoint is chosen: the one with the fewest requests in flight, or each in turn.
        default("least-requests") balance: Balance,
        /// What is spoken to the endpoints. `h2` is HTTP/2: over TLS agreed by ALPN, without TLS known beforehand
        /// (h2c, gRPC). `auto` lets ALPN decide and so needs `tls`. WebSocket needs `http/1.1`.
        default("http/1.1") protocol: UpstreamProtocol,
        /// TLS to the endpoints: `true`, or a table for an authority of one's own or a client certificate. The
        /// certificate of an endpoint is always verified. Left out: in the clear.
        optional tls: Tls,
        /// The key that signs who the user is, for the application. Left out: no `X-Auth-Assertion` is sent.
        optional assertion_key: AssertionKey,
        /// Whether the endpoints tell by a stream which tokens are revoked, with which keys they sign and when they
        /// stop (`docs/link.md`). Needs `assertion_key`. The endpoints tell the same: they share what they know.
        default(false) link: bool,
        /// How much of the traffic may be attempts that follow a failure. Left out: as an empty table.
        optional retry_budget: RetryBudget,
        /// How much it is given at once. Left out: no limit, or with a `link` what each endpoint tells of itself.
        optional limits: Limits,
        /// When an endpoint that fails is left alone. Left out: never.
        optional breaker: Breaker,
        /// What waits while every endpoint is away. Left out: as `true` with a `link`, else as `false`.
        optional park: ParkSwitch,
        /// To connect.
        default("2s") connect_timeout: Timeout,
        /// Idle connections are closed after this. Keep it below the application's own, so that the proxy closes first.
        default("30s") idle_timeout: Timeout,
        /// Idle connections kept per endpoint and worker.
        default(64) idle_max: Number<0, 10_000>,
        /// How long a resolved name is used before it is asked again.
        default("5s") resolve_every: Timeout,
        /// Says by the PROXY protocol, at the start of each connection, who the client is. A connection then belongs to
        /// one client and is used for one request, so that none is kept.
        optional proxy_protocol: ProxyVersion,
    }
}

words!(ProxyVersion, "version of the PROXY protocol", {
    "v1" => ProxyVersion::V1,
    "v2" => ProxyVersion::V2,
});

table! {
    /// A 256-bit key that the proxy and the application share, base64url in a file of mode 0600.
    AssertionKey as "upstream.assertion_key" => {
        /// Where it lies.
        required file: FilePath,
        /// Whether the first of the two servers to start makes it.
        default(false) create: bool,
    }
}

table! {
    /// TLS to the endpoints of an upstream. `tls = true` is the same as an empty table.
    ClientTls as "upstream.tls" => {
        /// The authorities that are believed, in PEM. Left out: Mozilla's list, as of this version.
        optional ca: FilePath,
        /// The certificate chain that the proxy shows when it is asked for one, leaf first.
        optional certificate: FilePath,
        /// Its private key: PEM from a reference, `"${file:/run/secrets/client_key}"`, or the path of its file.
        optional key: KeyText,
        /// The name that the certificate of every endpoint must have, also sent as SNI. Left out: the endpoint's own
        /// host. A Unix socket has none and needs this.
        optional server_name: Text,
    }
}

/// TLS to an upstream, as written.
#[derive(Debug)]
pub(in crate::config) enum Tls {
    /// `true` with the defaults, or `false`.
    Switched(bool),
    /// A table.
    With(Box<ClientTls>),
}

impl Written for Tls {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Bool(on) => Some(Self::Switched(*on)),
            Kind::Table(_) => ClientTls::read(node, context).map(|table| Self::With(Box::new(table))),
            Kind::Broken => None,
            _ => {
                context.expected::<Self>(node);
                None
            }
        }
    }

    fn kind() -> String {
        "`true` or `{ ca = ..., certificate = ..., key = ..., server_name = ... }`".to_owned()
    }

    fn schema() -> Value {
        json!({ "anyOf": [bool::schema(), ClientTls::schema()] })
    }

    fn about() -> Option<&'static About> {
        ClientTls::about()
    }
}

words!(UpstreamProtocol, "protocol of an upstream", {
    "http/1.1" => UpstreamProtocol::Http1,
    "h2" => UpstreamProtocol::Http2,
    "auto" => UpstreamProtocol::Auto,
});
