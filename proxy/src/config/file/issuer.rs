//! `[issuer.NAME]`: who signs tokens, and what a token must hold.

use super::maps::Map;
use super::values::{FilePath, Text};
use crate::config::read::List;
use crate::config::units::Time;
use crate::config::{Algorithm, ErrorShape, RequiredClaim, SecretBytes};
use http::Uri;
use serde_json::Value;

table! {
    /// Who signs tokens, and what a token must hold.
    Issuer as "issuer" => {
        /// The exact `iss` of its tokens. Needed unless `require` leaves `iss` out.
        optional iss: Text,
        /// Where its keys come from: exactly one source.
        required keys: Keys,
        /// The only algorithms that the keys may be used with. `HS*` goes with `secret`, the others with public keys.
        required algorithms: List<Algorithm, 1>,
        /// Accepted values of the header `typ` beside an absent one, without case.
        default(["jwt", "at+jwt"]) types: List<Text>,
        /// A token must be for one of these. Needed unless `require` leaves `aud` out.
        default([]) audiences: List<Text>,
        /// The difference between clocks that is forgiven.
        default("30s") leeway: Time<0, 300_000>,
        /// The longest time between `iat` and `exp` that is believed.
        default("24h") lifetime_max: Time<1000, { crate::config::units::YEAR_MS }>,
        /// The claims that must be there. Leave one out for issuers whose tokens do not carry it.
        default(["exp", "iss", "aud", "sub"]) require: List<RequiredClaim>,
        /// The claim that names the user.
        default("sub") subject_claim: Text,
        /// Claims that must have exactly this value: `{ token_type = "access" }`.
        optional must: Map<String, Value>,
        /// The upstream whose link tells which of its tokens are revoked. Left out: the one of `keys`, if there is one.
        /// What is posted to the admin listener counts in any case.
        optional revocations: Text,
        /// How refusals look on routes of this issuer.
        default("problem") errors: ErrorShape,
        /// The realm of the challenge. Left out: the issuer's name.
        optional realm: Text,
    }
}

table! {
    /// Exactly one source of keys.
    Keys as "issuer.keys" => {
        /// A JWK set, fetched and kept fresh. https, or http from a loopback address.
        optional jwks_url: Uri,
        /// The issuer's URL: its document `/.well-known/openid-configuration` (OpenID Connect Discovery) names the JWK set.
        /// The document's `issuer` must be exactly `iss`. As for `jwks_url`; a document that came over https must name
        /// https.
        optional discovery: Uri,
        /// With `jwks_url` or `discovery`: plain http is fine, because the network is trusted (a compose network).
        default(false) insecure: bool,
        /// A JWK set that stands here: `{ keys = [{ kty = "OKP", crv = "Ed25519", x = "..." }] }`.
        optional jwks: Value,
        /// What this upstream tells over its link.
        optional link: Text,
        /// A JWK set in a file.
        optional jwks_file: FilePath,
        /// Public keys or certificates in PEM.
        optional pem_file: FilePath,
        /// A shared secret for `HS256`, `HS384` or `HS512`, at least as long as the hash: 32, 48 or 64 bytes.
        optional secret: SecretBytes,
    }
}

words!(Algorithm, "signature algorithm", {
    "HS256" => Algorithm::HS256,
    "HS384" => Algorithm::HS384,
    "HS512" => Algorithm::HS512,
    "RS256" => Algorithm::RS256,
    "RS384" => Algorithm::RS384,
    "RS512" => Algorithm::RS512,
    "PS256" => Algorithm::PS256,
    "PS384" => Algorithm::PS384,
    "PS512" => Algorithm::PS512,
    "ES256" => Algorithm::ES256,
    "ES384" => Algorithm::ES384,
    "ES512" => Algorithm::ES512,
    "EdDSA" => Algorithm::EdDSA,
    "Ed25519" => Algorithm::EdDSA,
});

words!(RequiredClaim, "claim that can be required", {
    "exp" => RequiredClaim::Exp,
    "iss" => RequiredClaim::Iss,
    "aud" => RequiredClaim::Aud,
    "sub" => RequiredClaim::Sub,
});

words!(ErrorShape, "shape of errors", {
    "problem" => ErrorShape::Problem,
    "simplejwt" => ErrorShape::SimpleJwt,
});
