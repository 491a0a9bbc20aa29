//! What the operator means: the checked configuration that everything else is built from.
//!
//! `file` is what operators write, `check` is the one arrow from there to here, `problem` words the mistakes.
//! A value of [`Config`] exists only when no mistake was found; the other folders take their own part of it.

#[macro_use]
mod table;
mod action;
mod check;
mod coding;
mod context;
mod disk;
pub mod drill;
mod file;
mod files;
mod glob;
mod hash_by;
mod health;
mod include;
mod issuer;
mod line;
mod load;
mod node;
mod origin;
mod pattern;
mod print;
mod problem;
mod read;
mod reference;
mod release;
mod route;
mod rules;
mod secret;
mod source;
mod sticky;
mod template;
mod traffic;
mod units;
mod upstream;
mod whole;
mod zones;

pub use action::{Action, DISK_TIMEOUT, Files, Forward, Redirect, Respond, Symlinks};
pub use coding::{Coding, Compress, MediaPattern};
pub(crate) use disk::ask_disk;
pub use files::{CacheRule, SecurityHeaders};
pub use glob::{BadGlob, FileGlob};
pub use hash_by::HashBy;
pub use health::{Eject, Health};
pub use issuer::{Algorithm, ErrorShape, Issuer, Keys, RequiredClaim};
pub use line::{BadTemplate, LineField, LinePiece, LineTemplate};
pub use load::{load, load_seen, load_str};
pub use origin::WebOrigin;
pub use pattern::BadPattern;
pub use print::print;
pub use problem::Problems;
pub use reference::{reference, schema};
pub use release::{CURRENT, NoRelease, current_release, is_release};
pub use route::{
    AuthMode, Buffer, ClaimRule, ClaimTest, Coalesce, CsrfProof, DpopMode, PathPattern, PatternSegment, Revocation,
    Route, RouteAuth, RouteMatch, RoutePolicy, TokenSource,
};
pub use rules::{HeaderRule, HostPolicy, PathPrefix, PathRule};
pub use sticky::{SameSite, Sticky};
pub use template::{Piece, Template, Variable};
pub use traffic::{Adaptive, Breaker, HedgeAfter, InFlight, Limits, Overload, Park, Retry, RetryBudget, RetryCause};
pub use upstream::{
    Authorities, Balance, ClientIdentity, Endpoint, EndpointAddress, KeyFile, Upstream, UpstreamProtocol, UpstreamTls,
};
pub use zones::Zones;

use http::{HeaderName, StatusCode};
use ipnet::IpNet;
pub use serve::listener::Address;
pub use serve::proxy_protocol::{Mode as ProxyMode, Senders, Version as ProxyVersion};
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// One revision of the configuration, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Threads, drain, trusted proxies: changes need a restart.
    pub server: Server,
    /// The operator's listener; `None` switches it off.
    pub admin: Option<Admin>,
    /// What is logged and how.
    pub log: Log,
    /// Bound addresses, by name.
    pub listeners: Vec<Listener>,
    /// Host names and certificates, by name.
    pub sites: Vec<Site>,
    /// Where requests are forwarded, by name.
    pub upstreams: Vec<Upstream>,
    /// Who signs tokens, by name.
    pub issuers: Vec<Issuer>,
    /// Order-free: the most specific match wins.
    pub routes: Vec<Route>,
}

/// `[server]`: the process. Static: changes need a restart.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// Worker threads, one runtime each. Default: the number of cores.
    pub threads: NonZeroUsize,
    /// Connections accepted at once over all listeners; further ones wait in the kernel's queue. Default 10,000.
    pub connections_max: usize,
    /// Connections of one client at once over all listeners; `None`: no limit. Default 512.
    pub connections_per_client_max: Option<NonZeroU32>,
    /// Bad tokens of one client in a minute; `None`: no limit. Default 300.
    pub bad_tokens_per_minute_max: Option<NonZeroU32>,
    /// How long a stop waits for work in flight. Default 30 s.
    pub drain_timeout: Duration,
    /// Whether changed files are taken without being told.
    pub reload_on_change: bool,
    /// Where the proxy keeps what it makes itself (development certificates). Default `./var/portcullis`.
    pub state: PathBuf,
    /// Bytes of memory that held request bodies may take together. Default 256 MiB.
    pub buffer_memory_bytes_max: u64,
    /// Bytes of disk that they may take together. Default 8 GiB.
    pub buffer_disk_bytes_max: u64,
    /// Bytes of small files in memory, each worker. Default 32 MiB.
    pub file_memory_bytes_max: usize,
    /// Large files that are held open, each worker. Default 128.
    pub open_files_max: usize,
    /// Peers whose `Forwarded` and `X-Forwarded-*` are believed. Default: none.
    pub trusted_proxies: Vec<IpNet>,
    /// Further field names that are stripped from every request, beside `X-Auth-*`. Default: none.
    pub identity_headers: Vec<HeaderName>,
    /// Whether forwarded requests carry a W3C trace context. Default true.
    pub trace: bool,
    /// What is given up when memory runs out. Default: nothing.
    pub overload: Option<Overload>,
    /// Who is asked for the names of endpoints. Default: whom the system asks.
    pub resolver: Option<SocketAddr>,
    /// The zone that the process runs in. Default: none is preferred.
    pub zone: Option<String>,
}

/// `[admin]`: `/livez`, `/readyz` and `/metrics`. Default `127.0.0.1:9901`.
#[derive(Debug, Clone, PartialEq)]
pub struct Admin {
    /// Where it listens.
    pub address: Address,
}

/// `[log]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    /// How a request's line looks. Default text.
    pub format: LogFormat,
    /// A tracing filter, for example `info` or `portcullis=debug`. Default `info`.
    pub level: String,
    /// Whether each request writes a line. Default true.
    pub access: bool,
}

/// How a request's line looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
    /// The combined format of Apache and nginx.
    Combined,
    /// As the operator writes it. Shared, because every worker has it.
    Template(Arc<LineTemplate>),
}

/// `[listener.NAME]`: a bound address with its protocol settings. Static.
#[derive(Debug, Clone, PartialEq)]
pub struct Listener {
    /// Its name in the configuration.
    pub name: String,
    /// Where it listens.
    pub address: Address,
    /// Whether connections speak TLS. Default: true when any site has `tls` and the listener neither redirects nor
    /// is a Unix socket.
    pub tls: bool,
    /// Every request is answered with 308 to `https://` on this port.
    pub redirect_to_https: Option<u16>,
    /// Who says by the PROXY protocol who the client is. Default: nobody.
    pub proxy_protocol: Option<Senders>,
    /// Limits of the protocol.
    pub limits: ListenerLimits,
}

/// What a client may send before its route is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerLimits {
    /// Bytes of the request line and all fields. Default 32 KiB, at least 8 KiB (hyper's smallest buffer).
    pub header_bytes_max: usize,
    /// Fields in a request. Default 100.
    pub header_count_max: usize,
    /// Bytes of the request target. Default 8 KiB: longer ones are 414.
    pub uri_bytes_max: usize,
    /// From accept to the end of the TLS handshake. Default 10 s.
    pub handshake_timeout: Duration,
    /// From the first byte of a request to the end of its head. Default 10 s: then 408.
    pub header_timeout: Duration,
    /// Between requests. Default 75 s.
    pub idle_timeout: Duration,
    /// Between two moments at which the client takes bytes of an answer. Default 30 s: then the connection ends, or over
    /// HTTP/2 the stream.
    pub send_timeout: Duration,
    /// HTTP/2 streams at once on one connection. Default 128.
    pub streams_max: u32,
    /// Whether connections in the clear may speak HTTP/2 by prior knowledge. Default no.
    pub h2c: bool,
    /// Requests on one HTTP/1.1 connection. Default 10,000.
    pub requests_per_connection_max: u32,
}

/// `[site.NAME]`: what one or several host names share.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Site {
    /// Its name in the configuration.
    pub name: String,
    /// Lower-case host names without port; `*.example.com` for one label. Empty: any host (the default site).
    pub hosts: Vec<String>,
    /// The certificate; `None` for a site that is served in the clear only.
    pub tls: Option<Tls>,
    /// What happens to fields of forwarded requests; rules of the route come after them.
    pub request_headers: Vec<(HeaderName, HeaderRule)>,
    /// What happens to fields of responses; rules of the route come after them.
    pub response_headers: Vec<(HeaderName, HeaderRule)>,
    /// Fields for the browser's protection, on every response.
    pub security_headers: Option<SecurityHeaders>,
    /// Pages in place of problems, by status: the file, and what was in it when the configuration was read.
    pub error_pages: Vec<(StatusCode, PathBuf, Arc<[u8]>)>,
}

/// Where a site's certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// Made at first start below [`Server::state`], for development.
    SelfSigned,
    /// PEM, certificate chain and key, already read.
    Pem {
        /// The file of the chain, for messages.
        certificate_file: PathBuf,
        /// The chain, leaf first.
        certificate: Vec<u8>,
        /// The private key.
        key: SecretBytes,
    },
}

/// Bytes that never show in `Debug` output.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretBytes(pub Vec<u8>);

impl std::fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}
