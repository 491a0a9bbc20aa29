//! What can be wrong with a bound token or its proof.

use crate::auth::keys::KeyProblem;
use crate::auth::reject::Reason;

/// Why a request that DPoP concerns may not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DpopFault {
    /// The token and the way it came do not fit.
    Binding(BindingFault),
    /// The proof is wrong.
    Proof(ProofFault),
    /// The proof has no nonce of this edge's, or an old one. A new one comes with the answer.
    Nonce,
    /// More used proofs than can be remembered. Accepting this one would mean to accept it twice.
    Full,
}

/// What does not fit between a token and the way it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BindingFault {
    /// `cnf` or its `jkt` has the wrong type.
    Confirmation,
    /// A bound token without a proof: as a bearer token, in a cookie, or where DPoP is off.
    WithoutProof,
    /// A token that is bound to no key, where one is needed.
    Unbound,
    /// The proof's key is not the one that the token is bound to.
    Key,
}

/// What is wrong with a proof, in the order in which it is looked for (section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProofFault {
    /// There is none.
    Missing,
    /// More than one `DPoP` field.
    Several,
    /// No strict compact JWS; the reason is the token verifier's.
    Jws(Reason),
    /// `typ` is not `dpop+jwt`.
    Type,
    /// `alg` is symmetric.
    Algorithm,
    /// `jwk` is missing or is no object with distinct members.
    KeyMissing,
    /// `jwk` holds a private or symmetric part.
    KeyPrivate,
    /// `jwk` is not usable, or too large to be checked for free.
    Key,
    /// `jti` is missing, empty or too long.
    Id,
    /// `htm` is not the request's method.
    Method,
    /// `htu` is not the request's address.
    Target,
    /// `iat` is missing, too long ago or in the future.
    Time,
    /// `ath` is not the hash of the token.
    TokenHash,
    /// `nonce` is no text.
    NonceType,
    /// The signature is wrong.
    Signature,
    /// It was used before.
    Replayed,
}

impl DpopFault {
    /// For logs and metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Binding(BindingFault::Confirmation) => "dpop_confirmation_malformed",
            Self::Binding(BindingFault::WithoutProof) => "dpop_bound_without_proof",
            Self::Binding(BindingFault::Unbound) => "dpop_token_unbound",
            Self::Binding(BindingFault::Key) => "dpop_key_mismatch",
            Self::Proof(fault) => fault.as_str(),
            Self::Nonce => "dpop_nonce",
            Self::Full => "dpop_replays_full",
        }
    }
}

impl ProofFault {
    fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "dpop_proof_missing",
            Self::Several => "dpop_proof_several",
            Self::Jws(_) => "dpop_proof_malformed",
            Self::Type => "dpop_type",
            Self::Algorithm => "dpop_algorithm",
            Self::KeyMissing => "dpop_key_missing",
            Self::KeyPrivate => "dpop_key_private",
            Self::Key => "dpop_key_unusable",
            Self::Id => "dpop_jti",
            Self::Method => "dpop_htm",
            Self::Target => "dpop_htu",
            Self::Time => "dpop_iat",
            Self::TokenHash => "dpop_ath",
            Self::NonceType => "dpop_nonce_malformed",
            Self::Signature => "dpop_signature",
            Self::Replayed => "dpop_replayed",
        }
    }
}

impl From<ProofFault> for DpopFault {
    fn from(fault: ProofFault) -> Self {
        Self::Proof(fault)
    }
}

impl From<BindingFault> for DpopFault {
    fn from(fault: BindingFault) -> Self {
        Self::Binding(fault)
    }
}

impl From<Reason> for ProofFault {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::AlgorithmUnknown => Self::Algorithm,
            other => Self::Jws(other),
        }
    }
}

impl From<KeyProblem> for ProofFault {
    fn from(problem: KeyProblem) -> Self {
        match problem {
            KeyProblem::Private | KeyProblem::Symmetric => Self::KeyPrivate,
            _ => Self::Key,
        }
    }
}
