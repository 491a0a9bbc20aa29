//! `[upstream.NAME]`: a named set of endpoints.

use super::assertion_key::AssertionKey;
use super::health::{EjectSwitch, Health};
use super::site::KeyText;
use super::sticky::Sticky;
use super::traffic::{Breaker, Limits, ParkSwitch, RetryBudget};
use super::values::{FilePath, Text, Zone};
use super::zones::Zones;
use crate::config::node::{Kind, Node};
use crate::config::read::{About, Context, List, Written};
use crate::config::units::{Number, Time, Timeout};
use crate::config::{Balance, EndpointAddress, HashBy, ProxyVersion, UpstreamProtocol};
use serde_json::{Value, json};

table! {
    /// A named set of endpoints. Its name is also the audience of the assertions that it gets.
    Upstream as "upstream" => {
        /// `"app:8000"`, `"10.0.0.7:8000"`, `"[::1]:8000"`, `"unix:/run/app.sock"`, `"srv:_http._tcp.app"`, or a table
        /// with more to say of one. Each address of a name is an endpoint of its own. A name may be missing when the
        /// proxy starts: requests are answered with 503 until it appears.
        required endpoints: List<Endpoint, 1>,
        /// How an endpoint is chosen, each according to its weight: the one with the fewest requests in flight; each in
        /// turn; of two by chance the one that would answer sooner (`peak-ewma`: its latency, in which failures and
        /// `Retry-After` count, times its requests in flight); or the same for the same clients (`hash`), unless it has
        /// more than twice its share to do.
        default("least-requests") balance: Balance,
        /// With `balance = "hash"`: which requests go to one endpoint. Those that lack it go where there is least to do.
        optional hash_by: HashBy,
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
        /// An address that has not answered a connect for so long is raced: another address of the same name is tried beside
        /// it, IPv6 and IPv4 in turn, and the first that takes the connection gets the request (Happy Eyeballs, RFC 8305).
        /// The name is looked up again at the same time. Not less than `connect_timeout`: never.
        default("250ms") connect_attempt_delay: Time<10, 86_400_000>,
        /// Idle connections are closed after this. Keep it below the application's own, so that the proxy closes first.
        default("30s") idle_timeout: Timeout,
        /// Idle connections kept per endpoint and worker.
        default(64) idle_max: Number<0, 10_000>,
        /// How long an answer of the resolver is used at most; less where its TTL is shorter. A name is also asked
        /// again when one of its addresses can't be connected to. When no answer comes, the last good one is used for
        /// an hour.
        default("5s") resolve_every: Timeout,
        /// Says by the PROXY protocol, at the start of each connection, who the client is. A connection then belongs to
        /// one client and is used for one request, so that none is kept.
        optional proxy_protocol: ProxyVersion,
        /// A cookie that brings clients back to their endpoint. Left out: nothing does.
        optional sticky: Sticky,
        /// Active probes. Left out: none are sent.
        optional health: Health,
        /// When an endpoint that fails requests gets none for a while.
        default(true) eject: EjectSwitch,
        /// For how long an endpoint that is new or comes back gets less than its share: a tenth at first, then more and
        /// more. Left out: it gets all of it at once.
        optional slow_start: Timeout,
        /// How requests are spread over the zones of the endpoints. Left out: as an empty table, where they name zones.
        optional zones: Zones,
    }
}

table! {
    /// One endpoint with more to say of it than where it is.
    EndpointTable as "upstream.endpoints" => {
        /// As in a list of texts.
        required address: EndpointAddress,
        /// Its share of the requests beside that of the others. An SRV record brings its own.
        default(1) weight: Number<1, 1000>,
        /// The zone that it is in, with all addresses of its name. Either each endpoint of an upstream names one, or
        /// none does.
        optional zone: Zone,
    }
}

/// An endpoint, as written.
#[derive(Debug)]
pub(in crate::config) enum Endpoint {
    /// Only where it is.
    Plain(EndpointAddress),
    /// A table.
    With(Box<EndpointTable>),
}

impl Written for Endpoint {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Table(_) => EndpointTable::read(node, context).map(|table| Self::With(Box::new(table))),
            _ => EndpointAddress::read(node, context).map(Self::Plain),
        }
    }

    fn kind() -> String {
        EndpointAddress::kind()
    }

    fn list_kind() -> String {
        format!("a list of: {}", Self::kind())
    }

    fn schema() -> Value {
        json!({ "anyOf": [EndpointAddress::schema(), EndpointTable::schema()] })
    }

    fn about() -> Option<&'static About> {
        EndpointTable::about()
    }
}

words!(ProxyVersion, "version of the PROXY protocol", {
    "v1" => ProxyVersion::V1,
    "v2" => ProxyVersion::V2,
});

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
