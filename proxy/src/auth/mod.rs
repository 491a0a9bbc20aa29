//! Edge authentication: from the bytes of a token to a permit.
//!
//! ```text
//! authorize.rs    a route's rule: credentials -> cache -> verify -> decide -> Permit or Refusal
//!   credentials.rs   where a request carries its token, and its removal
//!   same_origin.rs   whether a cookie may count, and the token that proves it
//!   budget.rs        how many bad tokens a client may send
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
//! fuzz.rs         the verifier for the fuzzer
//! ```

mod algorithm;
mod assertion;
mod authorize;
mod budget;
mod cache;
mod claims;
mod codes;
mod credentials;
mod dpop;
mod fields;
mod fuzz;
mod issuers;
mod jwks;
mod kept_claims;
mod keys;
mod linked;
mod object;
mod permit;
mod policy;
mod presented;
mod refusal;
mod reject;
mod revocations;
mod rule;
mod same_origin;
mod token;
mod verified;
mod verify;

#[cfg(test)]
mod tests;

pub use assertion::{AssertionSigner, RequestFacts};
pub use authorize::{RouteRule, RuleError};
pub use budget::BadTokens;
pub use cache::{CACHE_BYTES_MAX, TokenCache};
pub use codes::CODES;
pub use dpop::{DPOP_NONCE, NoRandom, Proofs};
pub use fields::IdentityFields;
pub use fuzz::{fuzz_proof, fuzz_verify};
pub use issuers::{IssuerError, IssuerProblem, Issuers, RefreshGuard};
pub use jwks::fetch::UrlProblem;
pub use keys::KeyProblem;
pub use keys::jwk::SetProblem;
pub use keys::pem::PemProblem;
pub use permit::Permit;
pub use presented::Presented;
pub use refusal::Refusal;
pub use reject::{Reason, Reject};
pub use revocations::Revocations;
pub use token::TOKEN_BYTES_MAX;
pub use verified::Verified;
