//! Edge authentication: from the bytes of a token to a permit.
//!
//! ```text
//! authorize.rs    a route's rule: credentials -> cache -> verify -> decide -> Permit or Refusal
//!   credentials.rs   where a request carries its token, and its removal
//!   cache.rs         tokens verified before, by worker
//!   verify.rs        the verifier, a pure function
//!     token.rs object.rs claims.rs   strict reading
//!     policy.rs                      what an issuer's tokens must say
//!     keys/                          keys, each bound to one algorithm
//!   rule.rs          what a route asks of a verified token
//! revocations.rs  which good tokens do not count any more
//! issuers.rs      the issuers of a snapshot
//!   jwks/            keys from elsewhere, kept fresh
//!   linked.rs        keys that an upstream tells over its link
//! assertion.rs fields.rs   what the application is told
//! ```

mod algorithm;
mod assertion;
mod authorize;
mod cache;
mod claims;
mod codes;
mod credentials;
mod fields;
mod issuers;
mod jwks;
mod keys;
mod linked;
mod object;
mod permit;
mod policy;
mod refusal;
mod reject;
mod revocations;
mod rule;
mod token;
mod verified;
mod verify;

#[cfg(test)]
mod tests;

pub use assertion::{AssertionSigner, RequestFacts};
pub use authorize::{RouteRule, RuleError};
pub use cache::{CACHE_BYTES_MAX, TokenCache};
pub use codes::CODES;
pub use fields::IdentityFields;
pub use issuers::{IssuerError, IssuerProblem, Issuers, RefreshGuard};
pub use jwks::fetch::UrlProblem;
pub use keys::KeyProblem;
pub use keys::jwk::SetProblem;
pub use keys::pem::PemProblem;
pub use permit::Permit;
pub use refusal::Refusal;
pub use reject::{Reason, Reject};
pub use revocations::Revocations;
pub use token::TOKEN_BYTES_MAX;
pub use verified::Verified;

/// Runs everything that reads foreign bytes before a key is involved: for the fuzzer. Never panics.
pub fn fuzz_verify(bytes: &[u8]) {
    let Ok(jws) = token::CompactJws::parse(bytes) else { return };
    // The result does not matter: only that every path ends.
    let _ = token::Header::parse(&jws.header);
    if let Ok(claims) = claims::Claims::parse(&jws.payload) {
        let _ = (claims.audiences(), claims.date("exp"), claims.subject("sub"));
    }
}
