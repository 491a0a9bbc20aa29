//! Who a request is, how the edge tells the application, and the removal of whatever a client forged.
//!
//! The edge verifies a token once and hands the application one signed statement, the *assertion*: a compact JWS
//! with `typ` [`ASSERTION_TYPE`], signed with HS256 over a key that only the two servers share. The other
//! `X-Auth-*` fields are a convenience for logs and for applications behind a trusted network; only the assertion
//! proves anything.

use http::{HeaderMap, HeaderName};
use serde::{Deserialize, Serialize};

/// The user, as the issuer names it (RFC 7519 section 4.1.2, percent-encoded outside visible ASCII).
pub static X_AUTH_SUBJECT: HeaderName = HeaderName::from_static("x-auth-subject");
/// The issuer of the token (RFC 7519 section 4.1.1).
pub static X_AUTH_ISSUER: HeaderName = HeaderName::from_static("x-auth-issuer");
/// The space-separated scope of the token (RFC 8693 section 4.2).
pub static X_AUTH_SCOPE: HeaderName = HeaderName::from_static("x-auth-scope");
/// The session that the token belongs to (claim `sid`).
pub static X_AUTH_SESSION: HeaderName = HeaderName::from_static("x-auth-session");
/// The token's own id (RFC 7519 section 4.1.7).
pub static X_AUTH_TOKEN_ID: HeaderName = HeaderName::from_static("x-auth-token-id");
/// The signed statement about the request, the only identity field an application may trust.
pub static X_AUTH_ASSERTION: HeaderName = HeaderName::from_static("x-auth-assertion");

/// The `typ` header of an assertion, so that no other JWS made with the same key is taken for one
/// (RFC 8725 section 3.11).
pub const ASSERTION_TYPE: &str = "edge-assertion+jwt";

/// How long an assertion lives, in seconds: long enough for queueing, too short to be worth stealing.
pub const ASSERTION_LIFETIME_SECONDS: u64 = 30;

/// The prefix that belongs to the edge: no client may send a field below it.
const IDENTITY_PREFIX: &[u8] = b"x-auth-";

/// Who a request is, after verification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The user, as the issuer names it.
    pub subject: String,
    /// The issuer's `iss` as configured at the edge.
    pub issuer: String,
    /// The scope, space-separated, empty when the token has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// The session (`sid`), when the issuer names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The token's id (`jti`), when it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<String>,
    /// When the token expires, in seconds since 1970.
    pub expires_at: u64,
    /// All other claims, as the issuer wrote them.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub claims: serde_json::Map<String, serde_json::Value>,
}

/// The claims of an assertion: one request, for one upstream, by one identity (or by nobody).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assertion {
    /// The name of the upstream that this statement is for.
    pub aud: String,
    /// When it was made, in seconds since 1970.
    pub iat: u64,
    /// When it stops counting, in seconds since 1970.
    pub exp: u64,
    /// Random: no two assertions share it, so that a copy is known.
    pub jti: String,
    /// The id of the request that it belongs to.
    pub request_id: String,
    /// The method of that request.
    pub method: String,
    /// The path of that request, as forwarded, without the query.
    pub path: String,
    /// The identity, absent on public routes without credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
}

/// Whether a field of this name belongs to the edge: `x-auth-*`, where `_` and `.` count as `-` because many
/// application servers fold them together (CGI turns both `X-Auth-Subject` and `X_Auth_Subject` into
/// `HTTP_X_AUTH_SUBJECT`).
#[must_use]
pub fn is_identity_field(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.len() >= IDENTITY_PREFIX.len()
        && bytes.iter().zip(IDENTITY_PREFIX).all(|(&found, &wanted)| folded(found) == wanted)
}

/// Removes every identity field that a client sent, and every field in `also` (compared with the same folding).
/// Runs on every route, public ones too.
pub fn strip(headers: &mut HeaderMap, also: &[HeaderName]) {
    remove_folded(headers, |name| {
        is_identity_field(name.as_str()) || also.iter().any(|other| same_folded(name, other))
    });
}

fn remove_folded(headers: &mut HeaderMap, is_forged: impl Fn(&HeaderName) -> bool) {
    let forged: Vec<HeaderName> = headers.keys().filter(|name| is_forged(name)).cloned().collect();
    for name in forged {
        headers.remove(name);
    }
}

fn same_folded(left: &HeaderName, right: &HeaderName) -> bool {
    let (left, right) = (left.as_str().as_bytes(), right.as_str().as_bytes());
    left.len() == right.len() && left.iter().zip(right).all(|(&l, &r)| folded(l) == folded(r))
}

/// A byte of a field name as CGI and its heirs read it.
pub(super) fn folded(byte: u8) -> u8 {
    match byte {
        b'_' | b'.' => b'-',
        other => other.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forged_identity_fields_go_and_the_rest_stays() {
        let mut headers = HeaderMap::new();
        for name in ["x-auth-subject", "x_auth_subject", "x.auth.assertion", "x-auth-", "X-AUTH-New", "remote_user"] {
            headers.insert(
                HeaderName::from_bytes(name.as_bytes()).expect("a field name"),
                "forged".parse().expect("a value"),
            );
        }
        headers.insert("x-author", "kept".parse().expect("a value"));
        headers.insert("authorization", "kept".parse().expect("a value"));
        strip(&mut headers, &[HeaderName::from_static("remote-user")]);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["authorization", "x-author"]);
    }
}
