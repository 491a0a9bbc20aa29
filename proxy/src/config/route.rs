//! When a route applies, and what must hold there.

use super::{Action, HeaderRule, Retry, SecurityHeaders, WebOrigin};
use http::{HeaderName, HeaderValue, Method};
use std::time::Duration;

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
