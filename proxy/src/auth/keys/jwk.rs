//! JWK sets (RFC 7517): every key is judged on its own, so that one odd key never takes the good ones along.
//!
//! `jsonwebtoken`'s own set type refuses the whole set for one key it can't read, and knows neither `ES512` nor
//! `Ed25519` as a key's `alg`; its type for a single key is what is used here.

use super::record::KeyRecord;
use super::rsa::RsaNumbers;
use super::{KEYS_TRIED_MAX, KeyProblem, KeySet};
use crate::auth::algorithm::{self, Curve, Family};
use crate::config::Algorithm;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use serde::Deserialize as _;
use serde_json::Value;

/// The largest set that is read, in bytes.
pub(crate) const SET_BYTES_MAX: usize = 256 * 1024;

/// The most keys of a set.
pub(crate) const SET_KEYS_MAX: usize = 64;

/// Who can read and write a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Fetched from the network: public, so nothing secret can be meant.
    Remote,
    /// A file of the operator's.
    File,
}

/// Why a set is not used at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SetProblem {
    /// Too many bytes.
    #[error("larger than {SET_BYTES_MAX} bytes")]
    TooLarge,
    /// Not `{"keys": [...]}`.
    #[error("not a JWK set")]
    Malformed,
    /// Too many keys.
    #[error("more than {SET_KEYS_MAX} keys")]
    TooManyKeys,
    /// Keys, but none that can be used.
    #[error("no usable key")]
    NoUsableKey,
}

/// A set that was read, and what was wrong with single keys of it, for the log.
pub(crate) type Loaded = (KeySet, Vec<(Option<String>, KeyProblem)>);

/// Reads a set. `algorithms` are the issuer's.
pub(crate) fn load_set(bytes: &[u8], origin: Origin, algorithms: &[Algorithm]) -> Result<Loaded, SetProblem> {
    if bytes.len() > SET_BYTES_MAX {
        return Err(SetProblem::TooLarge);
    }
    let set: Value = serde_json::from_slice(bytes).map_err(|_| SetProblem::Malformed)?;
    let keys = set.get("keys").and_then(Value::as_array).ok_or(SetProblem::Malformed)?;
    if keys.len() > SET_KEYS_MAX {
        return Err(SetProblem::TooManyKeys);
    }
    // A secret beside public keys is a set put together by mistake: the secret is likely known to whoever fetches it.
    let secrets_are_welcome = origin == Origin::File && keys.iter().all(is_secret);
    let judge = |key: &Value| {
        let loaded = if is_secret(key) && !secrets_are_welcome {
            Err(KeyProblem::Symmetric)
        } else {
            load_key(key, origin, algorithms)
        };
        (kid(key), loaded)
    };
    let judged: Vec<_> = keys.iter().map(judge).collect();
    // Which of two keys a `kid` means can't be known, even where one of them is broken; only a key for something
    // else than signatures can't be meant.
    let namesakes: Vec<_> = judged
        .iter()
        .filter(|(_, loaded)| !matches!(loaded, Err(KeyProblem::NotForSignatures)))
        .filter_map(|(kid, _)| kid.clone())
        .collect();
    let mut problems = Vec::new();
    let mut records = Vec::new();
    let mut unnamed = 0;
    for (kid, loaded) in judged {
        unnamed += usize::from(kid.is_none() && loaded.is_ok());
        match loaded {
            Ok(_) if namesakes.iter().filter(|namesake| Some(*namesake) == kid.as_ref()).count() > 1 => {
                problems.push((kid, KeyProblem::DuplicateKid));
            }
            Ok(_) if kid.is_none() && unnamed > KEYS_TRIED_MAX => problems.push((kid, KeyProblem::TooManyUnnamed)),
            Ok(record) => records.push(record),
            Err(problem) => problems.push((kid, problem)),
        }
    }
    if records.is_empty() { Err(SetProblem::NoUsableKey) } else { Ok((KeySet::new(records), problems)) }
}

/// Reads the key that a DPoP proof brings along: public, and for this algorithm.
pub(crate) fn load_embedded(key: &Value, algorithm: Algorithm) -> Result<KeyRecord, KeyProblem> {
    if is_secret(key) { Err(KeyProblem::Symmetric) } else { load_key(key, Origin::Remote, &[algorithm]) }
}

fn is_secret(key: &Value) -> bool {
    key.get("kty").and_then(Value::as_str) == Some("oct")
}

fn kid(key: &Value) -> Option<String> {
    key.get("kid").and_then(Value::as_str).map(str::to_owned)
}

fn load_key(value: &Value, origin: Origin, algorithms: &[Algorithm]) -> Result<KeyRecord, KeyProblem> {
    let jwk = Jwk::deserialize(value).map_err(|_| KeyProblem::Unsupported)?;
    if origin == Origin::Remote && value.get("d").is_some() {
        return Err(KeyProblem::Private);
    }
    let for_signatures = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature))
        && jwk.common.key_operations.as_ref().is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    if !for_signatures {
        return Err(KeyProblem::NotForSignatures);
    }
    let fits = |algorithm: &Algorithm| family_fits(algorithm::family(*algorithm), &jwk.algorithm);
    let algorithm = match value.get("alg") {
        None => algorithms.iter().copied().find(fits),
        Some(name) => name
            .as_str()
            .and_then(algorithm::from_name)
            .filter(|algorithm| algorithms.contains(algorithm) && fits(algorithm)),
    }
    .ok_or(KeyProblem::Algorithm)?;
    let kid = jwk.common.key_id;
    match &jwk.algorithm {
        AlgorithmParameters::RSA(rsa) => {
            KeyRecord::from_rsa(kid, algorithm, &RsaNumbers::new(&decode(&rsa.n)?, &decode(&rsa.e)?))
        }
        AlgorithmParameters::EllipticCurve(ec) => {
            let curve = curve(&ec.curve).ok_or(KeyProblem::Unsupported)?;
            KeyRecord::from_ec(kid, algorithm, &point(curve, &ec.x, &ec.y)?)
        }
        AlgorithmParameters::OctetKeyPair(okp) => KeyRecord::from_ed25519(kid, &decode(&okp.x)?),
        AlgorithmParameters::OctetKey(oct) => KeyRecord::from_secret(kid, algorithm, &decode(&oct.value)?),
        _ => Err(KeyProblem::Unsupported),
    }
}

fn family_fits(family: Family, key: &AlgorithmParameters) -> bool {
    match (family, key) {
        (Family::Rsa, AlgorithmParameters::RSA(_)) | (Family::Hmac { .. }, AlgorithmParameters::OctetKey(_)) => true,
        (Family::Ec(wanted), AlgorithmParameters::EllipticCurve(ec)) => curve(&ec.curve) == Some(wanted),
        (Family::Ed, AlgorithmParameters::OctetKeyPair(okp)) => okp.curve == EllipticCurve::Ed25519,
        _ => false,
    }
}

fn curve(name: &EllipticCurve) -> Option<Curve> {
    match name {
        EllipticCurve::P256 => Some(Curve::P256),
        EllipticCurve::P384 => Some(Curve::P384),
        EllipticCurve::P521 => Some(Curve::P521),
        _ => None,
    }
}

/// The uncompressed point of two coordinates (SEC 1 section 2.3.3).
fn point(curve: Curve, x: &str, y: &str) -> Result<Vec<u8>, KeyProblem> {
    let (x, y) = (decode(x)?, decode(y)?);
    if x.len() != curve.coordinate_bytes() || y.len() != curve.coordinate_bytes() {
        return Err(KeyProblem::Invalid);
    }
    Ok([&[4], &*x, &*y].concat())
}

fn decode(text: &str) -> Result<Vec<u8>, KeyProblem> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyProblem::Invalid)
}
