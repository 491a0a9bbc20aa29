//! The verifier: from the bytes of a token to who sent it. A pure function of the token, the keys, the issuers'
//! rules and the time.
//!
//! `jsonwebtoken::decode` is not enough at an edge: it ignores `crit`, `typ`, `b64`, `iat` and a JWK's own `alg` and
//! `use`, passes a missing `aud` and accepts `iss` as a list. Its types and its signature checks are used; the order
//! of checks and their strictness are here. Cheap checks come first, because garbage is free to send and a signature
//! costs 20 to 70 microseconds to check.

use super::claims::Claims;
use super::keys::KeySet;
use super::keys::record::KeyRecord;
use super::policy::{Checked, Policy};
use super::reject::{Reason, Reject};
use super::token::{CompactJws, Header};
use super::verified::Verified;
use smallvec::SmallVec;

/// Which candidates are asked about a token; a route believes one issuer or a few.
type Asked = SmallVec<[bool; 8]>;

/// An issuer that may have signed the token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate<'a> {
    /// What its tokens must say.
    pub policy: &'a Policy,
    /// Its keys; `None`: never loaded.
    pub keys: Option<&'a KeySet>,
}

impl Candidate<'_> {
    /// Whether the header's `alg` is one that the issuer uses and, where the key is known, the key's own.
    fn may_have_signed(&self, header: &Header) -> bool {
        let mismatch = |keys: &KeySet| keys.find(header).err() == Some(Reason::AlgorithmMismatch);
        self.policy.accepts_algorithm(header.algorithm) && !self.keys.is_some_and(mismatch)
    }
}

/// Verifies a token against the issuers that a route believes. `now` is in seconds since 1970. Returns the issuer's
/// place in `candidates` and what was found.
///
/// # Errors
/// [`Reject`] with the exact reason; [`Reason::KeyUnknown`] and [`Reason::KeysUnavailable`] come only for tokens that
/// pass every other check, so that garbage does not cause a fetch of keys.
pub(super) fn verify(token: &[u8], candidates: &[Candidate<'_>], now: u64) -> Result<(usize, Verified), Rejected> {
    let jws = CompactJws::parse(token)?;
    if jws.payload.is_empty() {
        return Err(Reason::Segments.into());
    }
    let header = Header::parse(&jws.header)?;
    if !candidates.iter().any(|candidate| candidate.may_have_signed(&header)) {
        return Err(Reason::AlgorithmMismatch.into());
    }

    let mut claims = Claims::parse(&jws.payload)?;
    // Nothing is believed yet, but a token that names one of the issuers is that one's or nobody's: else an issuer that
    // leaves `iss` out could speak for it.
    let iss = claims.text("iss")?;
    let is_named = candidates.iter().any(|candidate| candidate.policy.is_named(iss));
    let is_asked = candidates.iter().map(|candidate| !is_named || candidate.policy.is_named(iss)).collect::<Asked>();
    let mut rejected = Rejected::from(Reason::Issuer);
    for (index, candidate) in candidates.iter().enumerate().filter(|(index, _)| is_asked[*index]) {
        match attempt(&jws, &header, &claims, candidate, now) {
            Ok((checked, key)) => {
                let claims = std::mem::take(&mut claims);
                return Ok((index, Verified::new(candidate.policy, claims, checked, key.kid.as_deref())));
            }
            // Somebody else's token says nothing; the issuer that it may belong to says why.
            Err(reject) if reject.reason == Reason::Issuer || weight(reject) < weight(rejected.reject) => {}
            Err(reject) => rejected = Rejected { reject, candidate: Some(index) },
        }
    }
    Err(rejected)
}

/// How much a rejection tells when several issuers could have signed a token that names none: whose key did sign it knows
/// best, and who may have the key after a fetch must be asked before the token counts as nobody's.
fn weight(reject: Reject) -> u8 {
    match reject.reason {
        _ if reject.genuine => 2,
        Reason::KeyUnknown | Reason::KeysUnavailable => 1,
        _ => 0,
    }
}

/// A rejection, and which issuer it came from when the token was one of its.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rejected {
    /// Why.
    pub reject: Reject,
    /// The issuer's place among the candidates.
    pub candidate: Option<usize>,
}

impl From<Reason> for Rejected {
    fn from(reason: Reason) -> Self {
        Self { reject: reason.into(), candidate: None }
    }
}

fn attempt<'k>(
    jws: &CompactJws<'_>,
    header: &Header,
    claims: &Claims,
    candidate: &Candidate<'k>,
    now: u64,
) -> Result<(Checked, &'k KeyRecord), Reject> {
    let checked = candidate.policy.check(claims, now)?;
    if !candidate.policy.accepts_type(header.typ.as_deref()) {
        return Err(Reason::Type.into());
    }
    if !candidate.may_have_signed(header) {
        return Err(Reason::AlgorithmMismatch.into());
    }
    let signature = match candidate.keys {
        Some(keys) => keys.verify_signature(jws, header),
        None => Err(Reason::KeysUnavailable),
    };
    match (signature, checked.fault) {
        (Ok(key), None) => Ok((checked, key)),
        (Ok(_), Some(reason)) => Err(Reject { reason, genuine: true }),
        // Newer keys would not make an expired token good: tokens from before a rotation must not cause a fetch.
        (Err(Reason::KeyUnknown | Reason::KeysUnavailable), Some(fault)) => Err(fault.into()),
        (Err(reason), _) => Err(reason.into()),
    }
}
