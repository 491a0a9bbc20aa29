//! The keys of one issuer, each bound to exactly one algorithm.
//!
//! A key that serves two algorithms is how algorithm confusion starts (RFC 8725 section 3.1), so the binding is part
//! of the record: a JWK's own `alg`, else the first of the issuer's algorithms that fits the key.

pub(crate) mod jwk;
pub(crate) mod pem;
pub(crate) mod record;
mod rsa;

use super::reject::Reason;
use super::token::{CompactJws, Header};
use record::KeyRecord;
use smallvec::SmallVec;
use std::sync::atomic::{AtomicU64, Ordering};

/// Keys without a name that are tried against one token. Each costs a full verification.
pub(crate) const KEYS_TRIED_MAX: usize = 4;

/// What is wrong with one key. The others of its set are used all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    /// Not a JWK of a known type.
    #[error("not a key of a supported type")]
    Unsupported,
    /// `use` or `key_ops` say that it is for something else (RFC 7517 sections 4.2 and 4.3).
    #[error("not meant for checking signatures")]
    NotForSignatures,
    /// `alg` is unknown, does not fit the key, or the issuer's `algorithms` do not list it.
    #[error("its algorithm is unknown, does not fit the key or is not listed in `algorithms`")]
    Algorithm,
    /// A shared secret in a set that anybody can fetch, or beside public keys.
    #[error("a shared secret has no place in a published set")]
    Symmetric,
    /// Its private part is published.
    #[error("its private part is published")]
    Private,
    /// The secret is shorter than the hash.
    #[error("the secret is shorter than the hash")]
    TooShort,
    /// RSA outside 2048 to 8192 bits.
    #[error("RSA keys must have 2048 to 8192 bits")]
    RsaSize,
    /// RSA with an exponent or a modulus that anybody can break.
    #[error("a weak RSA key")]
    RsaWeak,
    /// Numbers that do not make a key: not on the curve, wrong length, bad base64.
    #[error("its numbers are not a valid key")]
    Invalid,
    /// Another key has the same `kid`: both are dropped.
    #[error("another key has the same kid")]
    DuplicateKid,
    /// More keys without a name than are tried.
    #[error("more than {KEYS_TRIED_MAX} keys without a kid")]
    TooManyUnnamed,
}

/// The usable keys of an issuer at one moment; never changed, only replaced.
#[derive(Debug)]
pub(crate) struct KeySet {
    generation: u64,
    records: Vec<KeyRecord>,
}

impl KeySet {
    /// A set with a generation of its own.
    pub(crate) fn new(records: Vec<KeyRecord>) -> Self {
        static GENERATIONS: AtomicU64 = AtomicU64::new(1);
        Self { generation: GENERATIONS.fetch_add(1, Ordering::Relaxed), records }
    }

    /// A number that no other set of this process has: what was verified under it says nothing about another set.
    #[must_use]
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// The keys that may have made this token: the one that `kid` names, else the unnamed ones of its algorithm
    /// (PEM files and secrets name none), else, without `kid`, the only one of its algorithm.
    ///
    /// # Errors
    /// [`Reason::AlgorithmMismatch`], [`Reason::KeyUnknown`] or [`Reason::KeyAmbiguous`].
    pub(crate) fn find(&self, header: &Header) -> Result<SmallVec<[&KeyRecord; KEYS_TRIED_MAX]>, Reason> {
        if let Some(kid) = &header.kid
            && let Some(named) = self.records.iter().find(|record| record.kid.as_ref() == Some(kid))
        {
            let fits = named.algorithm == header.algorithm;
            return if fits { Ok(SmallVec::from_slice(&[named])) } else { Err(Reason::AlgorithmMismatch) };
        }
        let fitting = || self.records.iter().filter(|record| record.algorithm == header.algorithm);
        let unnamed: SmallVec<[_; KEYS_TRIED_MAX]> = fitting().filter(|record| record.kid.is_none()).collect();
        if !unnamed.is_empty() {
            return Ok(unnamed);
        }
        if header.kid.is_some() {
            return Err(Reason::KeyUnknown);
        }
        let mut named = fitting();
        match (named.next(), named.next()) {
            (Some(only), None) => Ok(SmallVec::from_slice(&[only])),
            (Some(_), Some(_)) => Err(Reason::KeyAmbiguous),
            (None, _) => Err(Reason::AlgorithmMismatch),
        }
    }

    /// Checks the signature alone, without looking at the payload. Returns the key that made it.
    ///
    /// # Errors
    /// Those of finding the key, and [`Reason::Signature`].
    pub(crate) fn verify_signature(&self, jws: &CompactJws<'_>, header: &Header) -> Result<&KeyRecord, Reason> {
        let keys = self.find(header)?;
        if let Some(key) = keys.iter().find(|key| key.verify(jws)) {
            return Ok(key);
        }
        // The token names a key, these have no name and none of them is it: so it is one that is not here.
        let named = header.kid.is_none() || keys.iter().any(|key| key.kid.is_some());
        Err(if named { Reason::Signature } else { Reason::KeyUnknown })
    }
}
