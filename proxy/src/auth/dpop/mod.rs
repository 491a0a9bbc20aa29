//! Tokens that are bound to a key of the client's, and the proof that the sender has it (RFC 9449).
//!
//! ```text
//! rule.rs     what a route asks: the binding of the token, then the proof
//!   proof.rs     reads a proof, a pure function of its bytes, the request and the time
//!     key.rs        the key that it brings, and its thumbprint
//!     target.rs     the address that it is for, normalised
//!   nonce.rs     nonces that any worker recognises
//!   replay.rs    proofs that were used
//! fault.rs    what can be wrong
//! ```
//!
//! A bound token is never accepted without a proof, on no route: where DPoP is off it is refused. Else whoever has
//! stolen one would look for the route that does not ask.

mod fault;
mod key;
mod nonce;
mod proof;
mod replay;
mod rule;
mod target;
#[cfg(test)]
mod tests;

pub(super) use fault::{BindingFault, DpopFault};
pub(super) use proof::fuzz;
pub(super) use rule::{ALGORITHM_NAMES, DpopChallenge, DpopRule};

use http::HeaderName;
use nonce::Nonces;
use replay::Replays;
use std::sync::Arc;

/// The field that a proof stands in.
pub(super) static DPOP: HeaderName = HeaderName::from_static("dpop");

/// The field that tells a client which nonce its next proof needs.
pub static DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// What all workers and all revisions of the configuration share.
#[derive(Debug)]
pub struct Proofs {
    nonces: Nonces,
    replays: Replays,
}

impl Proofs {
    /// No proof was used yet, and no nonce of another process is known. So a proof with a nonce can neither be used
    /// again after a restart nor at another edge.
    ///
    /// # Errors
    /// When the system has no random bytes to give.
    pub fn new() -> Result<Arc<Self>, NoRandom> {
        Ok(Arc::new(Self { nonces: Nonces::random()?, replays: Replays::new(replay::PROOFS_MAX) }))
    }
}

/// The system has no random bytes to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no random bytes for the key of DPoP nonces")]
pub struct NoRandom;
