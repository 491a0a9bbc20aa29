//! What a route asks about the binding of a token.

use super::fault::{BindingFault, DpopFault, ProofFault};
use super::nonce::Standing;
use super::proof::{Expected, Proof};
use super::replay::Refused;
use super::target::HttpTarget;
use super::{DPOP, Proofs};
use crate::auth::credentials::Scheme;
use crate::auth::presented::Presented;
use crate::auth::verified::Verified;
use crate::config::DpopMode;
use http::{HeaderMap, HeaderValue};
use serde_json::Value;
use std::sync::Arc;

/// The algorithms of proofs, as the challenge lists them: every one that this proxy knows whose keys are not shared.
pub(in crate::auth) const ALGORITHM_NAMES: &str = "ES256 ES384 ES512 Ed25519 EdDSA PS256 PS384 PS512 RS256 RS384 RS512";

/// What the refusals of a route say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::auth) struct DpopChallenge {
    /// Whether a bearer token would do as well.
    pub(in crate::auth) beside_bearer: bool,
    /// For the next proof.
    pub(in crate::auth) nonce: Option<HeaderValue>,
}

/// The rule of a route.
#[derive(Debug)]
pub(in crate::auth) struct DpopRule {
    mode: DpopMode,
    wants_nonce: bool,
    /// `None`: nobody remembers proofs, so none can be accepted.
    proofs: Option<Arc<Proofs>>,
}

impl DpopRule {
    pub(in crate::auth) fn new(mode: DpopMode, wants_nonce: bool) -> Self {
        Self { mode, wants_nonce, proofs: None }
    }

    /// With what all routes share.
    pub(in crate::auth) fn with(self, proofs: &Arc<Proofs>) -> Self {
        Self { proofs: Some(Arc::clone(proofs)), ..self }
    }

    /// Whether a token with this scheme is one to the route.
    pub(in crate::auth) fn knows(&self, scheme: Scheme) -> bool {
        scheme != Scheme::Dpop || self.mode != DpopMode::Off
    }

    /// What a refusal says of it to a client that presented its token with this scheme. `now` is in seconds since 1970.
    pub(in crate::auth) fn challenge(&self, presented: Scheme, now: u64) -> Option<DpopChallenge> {
        (self.mode != DpopMode::Off).then(|| DpopChallenge {
            beside_bearer: self.mode == DpopMode::Optional && presented != Scheme::Dpop,
            nonce: self.nonce(now),
        })
    }

    /// A nonce for the next proof, where the route wants one. `now` is in seconds since 1970.
    fn nonce(&self, now: u64) -> Option<HeaderValue> {
        let wanted = self.wants_nonce && self.mode != DpopMode::Off;
        self.proofs.as_ref().filter(|_| wanted)?.nonces.at(now)
    }

    /// Checks how a good token was presented, and uses up its proof. Returns a nonce when the client's is not the
    /// newest any more. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// [`DpopFault`].
    pub(in crate::auth) fn check(
        &self,
        request: &Presented<'_>,
        token: &[u8],
        scheme: Scheme,
        verified: &Verified,
        now: u64,
    ) -> Result<Option<HeaderValue>, DpopFault> {
        match (bound_to(verified)?, scheme) {
            (Some(thumbprint), Scheme::Dpop) if self.mode != DpopMode::Off => {
                self.prove(request, token, &thumbprint, now)
            }
            (Some(_), _) => Err(BindingFault::WithoutProof.into()),
            (None, Scheme::Dpop) => Err(BindingFault::Unbound.into()),
            (None, Scheme::Bearer | Scheme::None) if self.mode == DpopMode::Required => {
                Err(BindingFault::Unbound.into())
            }
            (None, Scheme::Bearer | Scheme::None) => Ok(None),
        }
    }

    fn prove(
        &self,
        request: &Presented<'_>,
        token: &[u8],
        thumbprint: &str,
        now: u64,
    ) -> Result<Option<HeaderValue>, DpopFault> {
        let Proofs { nonces, replays } = self.proofs.as_deref().ok_or(DpopFault::Full)?;
        let expected = Expected {
            method: request.method.as_str(),
            target: HttpTarget::of_request(request.https, request.authority.as_bytes(), request.path),
            token,
            thumbprint,
        };
        let proof = Proof::read(only_proof(request.headers)?, &expected, now)?;
        let mut newer = None;
        if self.wants_nonce {
            match proof.nonce.as_deref().map_or(Standing::Worthless, |nonce| nonces.judge(nonce, now)) {
                Standing::Newest => {}
                Standing::Previous => newer = nonces.at(now),
                Standing::Worthless => return Err(DpopFault::Nonce),
            }
        }
        proof.check_signature()?;
        // Last: what is refused for another reason is not used up.
        match replays.spend(thumbprint, &proof.id, proof.issued_at, now) {
            Ok(()) => Ok(newer),
            Err(Refused::Used) => Err(ProofFault::Replayed.into()),
            Err(Refused::Forgotten) => Err(ProofFault::Time.into()),
            Err(Refused::Full) => Err(DpopFault::Full),
        }
    }
}

/// The thumbprint of the key that a token is bound to (section 6.1). Other members of `cnf` are other confirmations,
/// which are nothing to this edge (RFC 7800 section 3.1).
fn bound_to(verified: &Verified) -> Result<Option<String>, BindingFault> {
    match verified.claim("cnf") {
        None => Ok(None),
        Some(Value::Object(mut members)) => match members.remove("jkt") {
            None => Ok(None),
            Some(Value::String(thumbprint)) => Ok(Some(thumbprint)),
            Some(_) => Err(BindingFault::Confirmation),
        },
        Some(_) => Err(BindingFault::Confirmation),
    }
}

/// Exactly one `DPoP` field.
fn only_proof(headers: &HeaderMap) -> Result<&[u8], ProofFault> {
    let mut fields = headers.get_all(&DPOP).iter();
    match (fields.next(), fields.next()) {
        (Some(proof), None) => Ok(proof.as_bytes()),
        (Some(_), Some(_)) => Err(ProofFault::Several),
        (None, _) => Err(ProofFault::Missing),
    }
}
