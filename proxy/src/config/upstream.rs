//! What an upstream is: endpoints, how they are talked to and chosen.

use super::{Breaker, Eject, HashBy, Health, Limits, Park, ProxyVersion, RetryBudget, SecretBytes, Sticky, Zones};
use std::path::PathBuf;
use std::time::Duration;

/// `[upstream.NAME]`: a named set of endpoints.
#[derive(Debug, Clone, PartialEq)]
pub struct Upstream {
    /// Its name in the configuration, also the audience of assertions.
    pub name: String,
    /// Its members, at least one.
    pub endpoints: Vec<Endpoint>,
    /// How an endpoint is chosen. Default least-requests.
    pub balance: Balance,
    /// Which requests go to one endpoint; only with [`Balance::Hash`], and always then.
    pub hash_by: Option<HashBy>,
    /// What is spoken to its endpoints. Default HTTP/1.1.
    pub protocol: UpstreamProtocol,
    /// TLS to its endpoints; `None`: in the clear.
    pub tls: Option<UpstreamTls>,
    /// Signs the identity for the application; `None`: no assertion is sent.
    pub assertion_key: Option<KeyFile>,
    /// Whether its endpoints tell of keys and revocations. Default: they do not.
    pub link: bool,
    /// How much of its traffic may be attempts that follow a failure.
    pub retry_budget: RetryBudget,
    /// How much it is given at once. Default: no limit, or with a link what each endpoint tells.
    pub limits: Option<Limits>,
    /// When an endpoint is left alone. Default: never.
    pub breaker: Option<Breaker>,
    /// What waits while all endpoints are away. Default: nothing, or with a link [`Park::DEFAULT`].
    pub park: Option<Park>,
    /// TCP or Unix connect. Default 2 s.
    pub connect_timeout: Duration,
    /// Another address of a name is tried beside one that has not answered for so long. Default 250 ms.
    pub connect_attempt_delay: Duration,
    /// Idle connections are closed after this; keep it below the application's. Default 30 s.
    pub idle_timeout: Duration,
    /// Idle connections kept per endpoint and worker. Default 64.
    pub idle_max: usize,
    /// How long an answer of the resolver is used at most, whatever its TTL. Default 5 s.
    pub resolve_every: Duration,
    /// Says who the client is, first thing on each connection. Default: it does not.
    pub proxy_protocol: Option<ProxyVersion>,
    /// Brings clients back to their endpoint. Default: nothing does.
    pub sticky: Option<Sticky>,
    /// Active probes. Default: none.
    pub health: Option<Health>,
    /// When an endpoint that fails requests gets none for a while. `None`: never.
    pub eject: Option<Eject>,
    /// How long an endpoint that is new or comes back gets less than its share. `None`, the default: not at all.
    pub slow_start: Option<Duration>,
    /// How requests are spread over zones; `None` when no endpoint names one.
    pub zones: Option<Zones>,
}

/// What is spoken to the endpoints of an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamProtocol {
    /// HTTP/1.1 (RFC 9112).
    Http1,
    /// HTTP/2 (RFC 9113): by ALPN over TLS, by prior knowledge without.
    Http2,
    /// Whichever of the two ALPN agrees on (RFC 7301); only over TLS.
    Auto,
}

/// TLS to the endpoints of an upstream. Their certificates are always verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamTls {
    /// The only authorities that are believed; `None`: Mozilla's.
    pub ca: Option<Authorities>,
    /// What the proxy shows when it is asked for a certificate.
    pub identity: Option<ClientIdentity>,
    /// The name that every certificate must have; `None`: the host of its endpoint.
    pub server_name: Option<String>,
}

/// Certificates of authorities in PEM, already read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorities {
    /// The file, for messages.
    pub file: PathBuf,
    /// At least one certificate.
    pub certificates: Vec<u8>,
}

/// A client's certificate in PEM, chain and key, already read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientIdentity {
    /// The file of the chain, for messages.
    pub certificate_file: PathBuf,
    /// The chain, leaf first.
    pub certificate: Vec<u8>,
    /// The private key.
    pub key: SecretBytes,
}

/// One member of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Where it is.
    pub address: EndpointAddress,
    /// Its share of the requests beside that of others. Default 1.
    pub weight: u32,
    /// Where it runs; either all of an upstream have one or none.
    pub zone: Option<String>,
}

/// Where an endpoint is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EndpointAddress {
    /// A name or an address literal, and a port.
    Tcp {
        /// `app`, `10.0.0.7`, `::1` (without brackets).
        host: String,
        /// 1 to 65535.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
    /// A name whose SRV records (RFC 2782) say hosts and ports.
    Srv(String),
}

/// How an endpoint is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    /// In turn.
    RoundRobin,
    /// The one with the fewest requests in flight; ties rotate.
    LeastRequests,
    /// Of two by chance, the one that would answer sooner.
    PeakEwma,
    /// The same for the same clients; [`Upstream::hash_by`] says which are.
    Hash,
}

/// A 256-bit key that two servers share, base64url in a file of mode 0600.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Whether the first to start makes it.
    pub create: bool,
}
