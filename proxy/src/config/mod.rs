//! What the operator means: the checked configuration that everything else is built from.
//!
//! `file` is what operators write, `check` is the one arrow from there to here, `problem` words the mistakes.
//! A value of [`Config`] exists only when no mistake was found; the other folders take their own part of it.

#[macro_use]
mod table;
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
mod rules;
mod secret;
mod source;
mod sticky;
mod template;
mod traffic;
mod units;
mod whole;

pub use coding::{Coding, Compress, MediaPattern};
pub use files::{CacheRule, SecurityHeaders};
pub use glob::{BadGlob, FileGlob};
pub use hash_by::HashBy;
pub use health::{Eject, Health};
pub use line::{BadTemplate, LineField, LinePiece, LineTemplate};
pub use load::{load, load_seen, load_str};
pub use origin::WebOrigin;
pub use pattern::BadPattern;
pub use print::print;
pub use problem::Problems;
pub use reference::{reference, schema};
pub use release::{CURRENT, NoRelease, current_release, is_release};
pub use rules::{HeaderRule, HostPolicy, PathPrefix, PathRule};
pub use sticky::{SameSite, Sticky};
pub use template::{Piece, Template, Variable};
pub use traffic::{Breaker, Limits, Overload, Park, Retry, RetryBudget, RetryCause};

use http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use ipnet::IpNet;
pub use serve::listener::Address;
pub use serve::proxy_protocol::{Mode as ProxyMode, Senders, Version as ProxyVersion};
use std::collections::BTreeMap;
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

/// `[issuer.NAME]`: who signs tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Issuer {
    /// Its name in the configuration.
    pub name: String,
    /// The exact `iss`. `None` only when `require` leaves `iss` out.
    pub iss: Option<String>,
    /// Where its keys come from.
    pub keys: Keys,
    /// The only algorithms that its keys may be used with; at least one.
    pub algorithms: Vec<Algorithm>,
    /// Accepted values of the `typ` header besides an absent one, lower-case. Default `jwt`, `at+jwt`.
    pub types: Vec<String>,
    /// A token must be for one of these. Empty only when `require` leaves `aud` out.
    pub audiences: Vec<String>,
    /// Clock difference that is forgiven. Default 30 s, at most 5 min.
    pub leeway: Duration,
    /// The longest `exp` - `iat` that is believed. Default 24 h.
    pub lifetime_max: Duration,
    /// The claims that must be there. Default exp, iss, aud, sub.
    pub require: Vec<RequiredClaim>,
    /// Which claim names the user. Default `sub`; numbers are accepted and written in decimal.
    pub subject_claim: String,
    /// Claims that must have exactly this value, for example `token_type = "access"`.
    pub must: BTreeMap<String, serde_json::Value>,
    /// The upstream whose link tells which of its tokens are revoked. Default: the one of `keys`.
    pub revocations: Option<String>,
    /// How refusals look on routes of this issuer.
    pub errors: ErrorShape,
    /// The realm of the challenge. Default: the issuer's name.
    pub realm: String,
}

/// The registered claims that can be demanded (RFC 7519 section 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequiredClaim {
    /// `exp`
    Exp,
    /// `iss`
    Iss,
    /// `aud`
    Aud,
    /// The subject claim of the issuer.
    Sub,
}

/// Signature algorithms (RFC 7518 section 3.1, RFC 8037, RFC 9864).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the registered ones")]
pub enum Algorithm {
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    /// Also under its RFC 9864 name `Ed25519`.
    EdDSA,
}

/// Where an issuer's keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// A JWK set fetched over HTTP(S).
    JwksUrl {
        /// https, or http when `insecure` is true or the host is a loopback address.
        url: Uri,
        /// The operator has said that plain http is fine here (a compose network).
        insecure: bool,
    },
    /// A JWK set whose URL the issuer's discovery document tells.
    Discovery {
        /// The issuer's URL, as for [`Keys::JwksUrl`].
        url: Uri,
        /// The operator has said that plain http is fine here, for the document and for the keys.
        insecure: bool,
    },
    /// A JWK set that stands in the configuration itself.
    Jwks(serde_json::Value),
    /// A JWK set in a file, read when the snapshot is built.
    JwksFile {
        /// Where it lies.
        path: PathBuf,
    },
    /// Public keys or certificates in PEM, read when the snapshot is built.
    PemFile {
        /// Where it lies.
        path: PathBuf,
    },
    /// A shared secret for HS256, HS384 or HS512; at least as long as the hash.
    Secret(SecretBytes),
    /// What an upstream tells over its link.
    Link {
        /// Its name.
        upstream: String,
    },
}

/// How a refusal looks to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorShape {
    /// `application/problem+json`.
    Problem,
    /// What djangorestframework-simplejwt answers.
    SimpleJwt,
}

/// `[[route]]`: match + policy + action.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// A stable name for logs: the configured `name`, else the match as written.
    pub name: String,
    /// When it applies.
    pub matcher: RouteMatch,
    /// What must hold.
    pub policy: RoutePolicy,
    /// What it does.
    pub action: Action,
}

/// When a route applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteMatch {
    /// Only for this site; `None`: for every site.
    pub site: Option<String>,
    /// `/api/**`, `/about`, `/users/*/avatar`: see `route::matcher`.
    pub path: PathPattern,
    /// Empty: any method.
    pub methods: Vec<Method>,
    /// Fields that must be there, with this value where one is given.
    pub headers: Vec<(HeaderName, Option<HeaderValue>)>,
}

/// A path pattern, split at `/`. `/` alone is `[Literal("")]`; `/a/` is `[Literal("a"), Literal("")]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PathPattern {
    /// As written.
    pub text: String,
    /// The segments before a final `**`.
    pub segments: Vec<PatternSegment>,
    /// Whether the pattern ends in `/**`, which also matches the path without that slash.
    pub rest: bool,
}

/// One segment of a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PatternSegment {
    /// Exactly this, compared after percent-decoding.
    Literal(String),
    /// `*`: any one segment that is not empty.
    Any,
}

/// What must hold for a request on a route. Destructured without `..` where it is applied: a new field does not
/// compile until it is handled.
#[derive(Debug, Clone, PartialEq)]
pub struct RoutePolicy {
    /// Who may use the route.
    pub auth: RouteAuth,
    /// Bytes of a request body. Default 10 MiB: more is 413.
    pub body_bytes_max: u64,
    /// How much of a request body is held before the upstream is asked. `None`, the default: bodies stream.
    pub buffer: Option<Buffer>,
    /// What equal requests that arrive together share. `None`, the default: nothing.
    pub coalesce: Option<Coalesce>,
    /// Between two pieces of a request body. Default 30 s: then 408.
    pub progress_timeout: Duration,
    /// From the end of the request to the head of the upstream's response. Default 60 s: then 504.
    pub response_timeout: Duration,
    /// Between two pieces of a response's body, or two moments at which bytes pass a WebSocket, whichever way. Default
    /// 1 h: then it is ended.
    pub stream_idle_timeout: Duration,
    /// From the head of the request to the end of the response. `None`, the default: unlimited, progress is what counts.
    pub total_timeout: Option<Duration>,
    /// From the head of the request to the head of the response; told to the upstream. `None`, the default: unlimited.
    pub deadline: Option<Duration>,
    /// What is sent again. `None`, the default: what certainly had no effect.
    pub retry: Option<Retry>,
    /// What happens to fields of a forwarded request. At most one rule a name.
    pub request_headers: Vec<(HeaderName, HeaderRule)>,
    /// What happens to fields of every response. At most one rule a name.
    pub response_headers: Vec<(HeaderName, HeaderRule)>,
    /// Fields for the browser's protection; `None`: as the site says.
    pub security_headers: Option<SecurityHeaders>,
}

/// How much of one request body is held; what does not fit streams on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffer {
    /// Bytes in memory. Default 64 KiB.
    pub memory_bytes_max: u64,
    /// Bytes on disk, behind those in memory. Default none.
    pub disk_bytes_max: u64,
}

/// How much of equal requests is held while they share one upstream call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coalesce {
    /// Bytes of a request's body. Default 16 KiB.
    pub request_bytes_max: u64,
    /// Bytes of an answer's body. Default 64 KiB.
    pub response_bytes_max: u64,
    /// Requests that wait for one call. Default 100.
    pub waiting_max: usize,
}

/// Who may use a route.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteAuth {
    /// Default required.
    pub mode: AuthMode,
    /// Issuers that are believed here, by name. Empty only with [`AuthMode::Public`].
    pub issuers: Vec<String>,
    /// Narrows the issuers' audiences; empty: no narrowing.
    pub audiences: Vec<String>,
    /// All of them must hold.
    pub claims: Vec<ClaimRule>,
    /// Where a token is looked for, in order. Default the Authorization field.
    pub token_from: Vec<TokenSource>,
    /// What becomes of tokens while revocations may be missing. Default best-effort.
    pub revocation: Revocation,
    /// Whether `Authorization` goes upstream. Default false.
    pub forward_token: bool,
    /// What unsafe requests must prove whose token comes from a cookie. Default the token.
    pub csrf: CsrfProof,
    /// Other origins whose pages may use the cookie.
    pub allowed_origins: Vec<WebOrigin>,
    /// Whether tokens are bound to keys (RFC 9449). Default off.
    pub dpop: DpopMode,
    /// Whether proofs need a nonce of this edge's. Default true.
    pub dpop_nonce: bool,
}

/// Whether a token must be bound to a key of the client's, which a proof shows (RFC 9449).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DpopMode {
    /// Only bound tokens with a proof.
    Required,
    /// Bound tokens with a proof, others as bearer tokens.
    Optional,
    /// Only tokens that are bound to no key.
    Off,
}

/// What an unsafe request must prove whose token comes from a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CsrfProof {
    /// A trusted origin and the signed double-submit token.
    Token,
    /// A trusted origin, by `Sec-Fetch-Site` or `Origin`.
    Origin,
}

/// How a route is with revocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// All of them must be known: else 503.
    Require,
    /// Those that are known count.
    BestEffort,
    /// None counts.
    Off,
}

/// Whether a token is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    /// No valid token: 401.
    Required,
    /// Absent is fine, broken is 401.
    Optional,
    /// Tokens are not looked at.
    Public,
}

/// Where a token may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// `Authorization: Bearer ...` (RFC 6750 section 2.1).
    Header,
    /// The cookie of this name.
    Cookie(String),
    /// The query parameter of this name (RFC 6750 section 2.3): opted in, redacted in logs, removed upstream.
    Query(String),
}

/// What a claim must be.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimRule {
    /// A JSON pointer (RFC 6901) into the claims, for example `/roles`.
    pub path: String,
    /// The test.
    pub test: ClaimTest,
}

/// The test of a claim rule.
#[derive(Debug, Clone, PartialEq)]
pub enum ClaimTest {
    /// Equal as JSON.
    Equals(serde_json::Value),
    /// The claim, or one of its items when it is a list, is one of these.
    AnyOf(Vec<serde_json::Value>),
    /// The claim is a list that holds each of these.
    AllOf(Vec<serde_json::Value>),
    /// The claim is a text of words between spaces, one of which is this (scopes, RFC 6749 section 3.3).
    ContainsWord(String),
    /// The claim is there (true) or is not (false).
    Exists(bool),
}

/// What a route does in the end.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Serve files from a directory.
    Files(Files),
    /// Forward to an upstream.
    Forward(Forward),
    /// Send the client elsewhere.
    Redirect(Redirect),
    /// A fixed answer.
    Respond(Respond),
}

/// `files = { root = "..." }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The directory; nothing outside is ever opened.
    pub root: PathBuf,
    /// Set where `root` holds releases, of which `current` names the one that is served: how many others stay reachable.
    pub releases_kept: Option<usize>,
    /// What a directory stands for. Default `index.html`.
    pub index: String,
    /// Served with 200 for paths that match no file and look like no asset (single-page applications).
    pub fallback: Option<String>,
    /// What is missing here is never answered with the fallback.
    pub assets: Vec<FileGlob>,
    /// The literal prefix of the route's match, `/` for `/**`: cut from the path before it is looked up below `root`
    /// when `strip_prefix` is set.
    pub strip_prefix: Option<String>,
    /// `Cache-Control` by default: `no-cache` for pages, a day for the rest, a year and immutable for fingerprinted names.
    pub cache_control: Option<HeaderValue>,
    /// The same for some files, the narrower pattern first.
    pub cache: Vec<CacheRule>,
    /// Content types by extension, lower-case.
    pub types: Vec<(String, HeaderValue)>,
    /// Pages in place of problems, by status: files below the root.
    pub error_pages: Vec<(StatusCode, String)>,
    /// Whether a directory without an index is listed. Default false.
    pub listing: bool,
    /// Whether names that begin with a dot are served. Default no, `.well-known` apart.
    pub hidden: bool,
    /// Which links are followed. Default none.
    pub symlinks: Symlinks,
    /// Files up to this size are kept in memory by each worker. Default 256 KiB.
    pub cached_bytes_max: u64,
    /// The types whose files come compressed to clients that take it.
    pub compressible_types: Vec<MediaPattern>,
    /// Whether twins that were compressed beforehand are looked for.
    pub precompressed: bool,
    /// What is compressed when there is no twin; `None`: nothing.
    pub compress: Option<Compress>,
    /// How long a file is served without looking at the disk. Default 1 s.
    pub fresh_for: Duration,
}

impl Files {
    /// The files of one directory, every other key at its default; nothing is compressed on the fly.
    #[must_use]
    pub fn of(directory: PathBuf) -> Self {
        Self {
            root: directory,
            releases_kept: None,
            error_pages: Vec::new(),
            listing: false,
            index: "index.html".to_owned(),
            fallback: None,
            assets: Vec::new(),
            strip_prefix: None,
            cache_control: None,
            cache: Vec::new(),
            types: Vec::new(),
            hidden: false,
            symlinks: Symlinks::No,
            cached_bytes_max: 256 * 1024,
            compressible_types: MediaPattern::compressible(),
            precompressed: true,
            compress: None,
            fresh_for: Duration::from_secs(1),
        }
    }
}

/// Which symbolic links are followed beneath a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symlinks {
    /// None.
    No,
    /// Those that stay beneath the root all the way.
    SameRoot,
    /// All.
    Any,
}

/// `forward = "app"` or `forward = { upstream = "app", ... }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// The upstream's name.
    pub upstream: String,
    /// Where an `X-Accel-Redirect` answer of this upstream is looked up; `None`: the field is dropped and the answer
    /// passed on as it is.
    pub internal_root: Option<PathBuf>,
    /// How the path changes on its way.
    pub path: PathRule,
    /// The `Host` of the forwarded request. Default preserve.
    pub host: HostPolicy,
}

/// `redirect = { to = "https://{host}{path}{query}", status = 308 }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// The target, with `{host}`, `{path}` and `{query}` filled in (`{query}` includes its `?`).
    pub to: Template,
    /// 301, 302, 303, 307 or 308. Default 308.
    pub status: StatusCode,
}

/// `respond = { status = 200, body = "...", content_type = "..." }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Respond {
    /// Any final status.
    pub status: StatusCode,
    /// The body.
    pub body: String,
    /// Default `text/plain; charset=utf-8`.
    pub content_type: HeaderValue,
}
