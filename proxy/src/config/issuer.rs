//! Who signs tokens, and with which keys.

use super::SecretBytes;
use http::Uri;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

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
