//! `[[route]]`: match, policy and action.

use super::action::{Files, ForwardTo, Redirect, Respond};
use super::maps::{Map, Wanted};
use super::traffic::Retry;
use super::values::{Pointer, Text};
use crate::config::node::{Kind, Node};
use crate::config::read::{About, Context, List, Written};
use crate::config::units::{Number, Size, Timeout};
use crate::config::{
    AuthMode, CsrfProof, DpopMode, HeaderRule, PathPattern, Revocation, SecurityHeaders, TokenSource, WebOrigin,
};
use http::{HeaderName, Method};
use serde_json::{Value, json};

table! {
    /// When it applies, what must hold, and exactly one of `files`, `forward`, `redirect` and `respond`.
    /// The most specific route wins, whatever the order: site, then the longest path, then methods and headers.
    Route as "route", later: ["limit"] => {
        /// The path: `/about` is exactly that, `*` is any one segment, a final `/**` is everything below.
        required r#match: PathPattern,
        /// A stable name for logs. Left out: the match as written.
        optional name: Text,
        /// Only for this site. Left out: for every site.
        optional site: Text,
        /// Only for these methods. Left out: for any.
        optional methods: List<Method, 1>,
        /// Only with these header fields: `{ "X-Beta" = "1" }`, or `true` for any value.
        optional headers: Map<HeaderName, Wanted>,
        /// Who may use it. `required`: no valid token is 401. `optional`: absent is fine, broken is 401. `public`:
        /// tokens are not looked at.
        default("required") auth: AuthMode,
        /// The issuers that are believed here. Left out: all of them.
        optional issuers: List<Text, 1>,
        /// Narrows the issuers' audiences.
        optional audiences: List<Text, 1>,
        /// Rules about claims; all of them must hold, else 403.
        default([]) claims: List<ClaimRule>,
        /// Where a token is looked for, in order: `"header"`, `"cookie:NAME"`, `"query:NAME"`. A token in the query is
        /// redacted in logs and removed before forwarding.
        default(["header"]) token_from: List<TokenSource, 1>,
        /// What becomes of tokens while it is not known whether they were revoked, because the link has been silent for
        /// 10 seconds: `require` answers 503, `best-effort` takes them and counts it. `off` does not look at revocations.
        default("best-effort") revocation: Revocation,
        /// Whether the token goes to the upstream, for applications that check it themselves: `Authorization` and the
        /// cookies of `token_from`. A token in the query never does.
        default(false) forward_token: bool,
        /// What a request must prove whose token comes from a cookie and whose method is not GET, HEAD, OPTIONS or
        /// TRACE: else 403. `token`: that a page of this origin made it (`Sec-Fetch-Site`, else `Origin`), and that
        /// the page knows the token in the cookie `__Host-csrf`, repeated in `X-CSRF-Token`, which the application made
        /// for the token's session (`sid`) with the upstream's `assertion_key`. `origin`: only the first. A WebSocket
        /// needs an `Origin` in both cases.
        default("token") csrf: CsrfProof,
        /// Other origins whose pages may use the cookie: `["https://app.example.com"]`.
        default([]) allowed_origins: List<WebOrigin>,
        /// Whether tokens are bound to a key that the client proves to have (DPoP, RFC 9449), so that a stolen token is
        /// worth nothing: `required`, `optional` (other tokens pass as bearer tokens) or `off`. A token that is bound
        /// (`cnf` with `jkt`) is refused wherever no proof comes with it, on routes with `off` too. The address in a
        /// proof is compared with what the client asked for, so a TLS terminator must be one of `trusted_proxies`.
        default("off") dpop: DpopMode,
        /// Whether a proof needs a nonce of this edge's, so that none can be made beforehand. A client's first request
        /// then fails with 401 and `DPoP-Nonce`, and later answers renew it; pages of other origins can read the field
        /// only if `Access-Control-Expose-Headers` names it. A nonce counts for some minutes and at the process that
        /// made it: with several edges keep a client at one, or write `false`.
        default(true) dpop_nonce: bool,
        /// Bytes of a request body: more is 413.
        default("10MiB") body_bytes_max: Size<0, { 1 << 50 }>,
        /// Holds the request body until it is whole before the upstream is asked, so that a slow client costs the
        /// application nothing. What fits in neither memory nor disk streams on, and so does every gRPC call (a
        /// `Content-Type` that begins with `application/grpc`): its directions may wait for each other. Left out: bodies
        /// stream.
        optional buffer: Buffer,
        /// Equal POST requests of one client that arrive together become one upstream call, and all of them get its
        /// answer. For a refresh token that may be used once. Equal means: address, host, target, body, caller and all
        /// fields that say what is wanted. A request without body, query, cookie and caller is nobody's own and equals
        /// none. The call goes on when the client of the first request leaves. Nothing is kept for requests that come
        /// after the answer. Left out: each request is a call of its own.
        optional coalesce: CoalesceSwitch,
        /// Between two pieces of a request body: then 408. The whole may take as long as it needs.
        default("30s") progress_timeout: Timeout,
        /// From the end of the request to the head of the upstream's response: then 504.
        default("60s") response_timeout: Timeout,
        /// Between two pieces of a response's body, or two moments at which bytes pass a WebSocket, whichever way: then
        /// it is ended. Longer than the pings of the application or its clients are apart.
        default("1h") stream_idle_timeout: Timeout,
        /// From the head of the request to the end of the response, a WebSocket's handshake only. Left out: unlimited, progress is what counts.
        optional total_timeout: Timeout,
        /// From the head of the request to the head of the response, with everything in between: waiting for a place,
        /// further attempts. Then 504. What is left of it goes to the upstream as `X-Request-Timeout`, in milliseconds,
        /// and Portcullis's own application stops work whose time is spent. `total_timeout` counts as one too; the
        /// shorter of the two is told, and what a trusted proxy has told, if it is shorter still. Left out: unlimited.
        optional deadline: Timeout,
        /// What is sent again when it failed. Left out: only what certainly had no effect, and what may be sent twice
        /// and was lost by a connection that the upstream had closed.
        optional retry: Retry,
        /// What happens to header fields of the request before it is forwarded; a rule of the site about the same field
        /// is replaced. Values may hold `{host}`, `{path}`, `{query}` (with its `?`), `{client_address}`, `{scheme}`,
        /// `{method}`, `{request_id}`, `{route}`, `{site}`, `{subject}` and `{tls_version}`; `{{` is a brace.
        optional request_headers: Map<HeaderName, HeaderRule>,
        /// The same for every response of this route, errors of the edge included: those keep the fields of their own,
        /// such as `Content-Type` and `Cache-Control`.
        optional response_headers: Map<HeaderName, HeaderRule>,
        /// Fields that protect browsers, as `security_headers` of the site, which this replaces.
        optional security_headers: SecurityHeaders,
        /// Serve files from a directory.
        optional files: Files,
        /// Forward to an upstream: `"app"`, or a table for more.
        optional forward: ForwardTo,
        /// Send the client elsewhere.
        optional redirect: Redirect,
        /// A fixed answer.
        optional respond: Respond,
    }
}

words!(DpopMode, "use of DPoP", {
    "required" => DpopMode::Required,
    "optional" => DpopMode::Optional,
    "off" => DpopMode::Off,
});

words!(Revocation, "way with revocations", {
    "require" => Revocation::Require,
    "best-effort" => Revocation::BestEffort,
    "off" => Revocation::Off,
});

words!(AuthMode, "kind of access", {
    "required" => AuthMode::Required,
    "optional" => AuthMode::Optional,
    "public" => AuthMode::Public,
});

words!(CsrfProof, "proof against forged requests", {
    "token" => CsrfProof::Token,
    "origin" => CsrfProof::Origin,
});

table! {
    /// How much of one request body is held. All requests together: `server.buffer_memory_max` and `buffer_disk_max`.
    Buffer as "route.buffer" => {
        /// Bytes in memory.
        default("64KiB") memory: Size<0, { 1 << 30 }>,
        /// Bytes in a file without a name below `server.state`, behind those in memory.
        default("0B") disk: Size<0, { 1 << 50 }>,
    }
}

table! {
    /// What equal requests may share. `coalesce = true` is the same as an empty table. What is larger, slow or streams,
    /// and whoever finds no place, is forwarded as without it.
    Coalesce as "route.coalesce" => {
        /// Bytes of a request's body.
        default("16KiB") request: Size<0, { 1 << 20 }>,
        /// Bytes of an answer's body.
        default("64KiB") response: Size<0, { 1 << 20 }>,
        /// Requests that wait for one call.
        default(100) waiting: Number<1, 10_000>,
    }
}

/// `coalesce`, as written; `None` for `false`.
#[derive(Debug)]
pub(in crate::config) struct CoalesceSwitch(pub(in crate::config) Option<Coalesce>);

impl Written for CoalesceSwitch {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Bool(false) => Some(Self(None)),
            Kind::Bool(true) => {
                let empty = Node { at: node.at, kind: Kind::Table(Vec::new()), referred: node.referred };
                Coalesce::read(&empty, context).map(Some).map(Self)
            }
            Kind::Table(_) => Coalesce::read(node, context).map(Some).map(Self),
            Kind::Broken => None,
            _ => {
                context.expected::<Self>(node);
                None
            }
        }
    }

    fn kind() -> String {
        "`true` or `{ request = ..., response = ..., waiting = ... }`".to_owned()
    }

    fn schema() -> Value {
        json!({ "anyOf": [bool::schema(), Coalesce::schema()] })
    }

    fn about() -> Option<&'static About> {
        Coalesce::about()
    }
}

table! {
    /// What a claim must be: `path` and exactly one test.
    ClaimRule as "route.claims" => {
        /// A JSON pointer (RFC 6901) into the claims: `/scope`, `/realm/roles`.
        required path: Pointer,
        /// The claim is equal to this.
        optional equals: Value,
        /// The claim, or one of its items when it is a list, is one of these.
        optional any_of: List<Value, 1>,
        /// The claim is a list that holds each of these.
        optional all_of: List<Value, 1>,
        /// The claim is a text of words between spaces, as scopes are, and this is one of them.
        optional contains_word: Text,
        /// The claim is there (`true`) or is not (`false`).
        optional exists: bool,
    }
}
