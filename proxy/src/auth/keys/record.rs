//! One key, bound to its algorithm and ready to check signatures.

use super::KeyProblem;
use super::rsa::RsaNumbers;
use crate::auth::algorithm::{self, Curve, Family};
use crate::auth::token::CompactJws;
use crate::config::Algorithm;
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters};
use jsonwebtoken::DecodingKey;
use std::fmt;

/// A key with its name and the only algorithm it is used with.
pub(crate) struct KeyRecord {
    /// `kid`; PEM files and secrets have none.
    pub(crate) kid: Option<String>,
    /// The only algorithm that this key checks.
    pub(crate) algorithm: Algorithm,
    verifier: Verifier,
}

/// `jsonwebtoken` parses its key anew for every signature. For RSA and the NIST curves that costs 5 to 6
/// microseconds of 25 and 71, for HMAC 2.4 of 4, so these are parsed once and checked by the same aws-lc beneath it.
/// An Ed25519 key is 32 bytes with nothing to parse (43 against 44): there the library is used as it is.
enum Verifier {
    Hmac(Box<hmac::Key>),
    Parsed(ParsedPublicKey),
    Library(DecodingKey),
}

impl KeyRecord {
    /// A shared secret.
    pub(crate) fn from_secret(kid: Option<String>, algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyProblem> {
        let hash = match algorithm {
            Algorithm::HS256 => hmac::HMAC_SHA256,
            Algorithm::HS384 => hmac::HMAC_SHA384,
            Algorithm::HS512 => hmac::HMAC_SHA512,
            _ => return Err(KeyProblem::Algorithm),
        };
        if !matches!(algorithm::family(algorithm), Family::Hmac { secret_bytes_min } if secret.len() >= secret_bytes_min)
        {
            return Err(KeyProblem::TooShort);
        }
        Ok(Self { kid, algorithm, verifier: Verifier::Hmac(Box::new(hmac::Key::new(hash, secret))) })
    }

    /// An RSA key by its numbers.
    pub(crate) fn from_rsa(
        kid: Option<String>,
        algorithm: Algorithm,
        numbers: &RsaNumbers,
    ) -> Result<Self, KeyProblem> {
        let key = numbers.to_public_key(rsa_parameters(algorithm).ok_or(KeyProblem::Algorithm)?)?;
        Ok(Self { kid, algorithm, verifier: Verifier::Parsed(key) })
    }

    /// A point on a NIST curve: uncompressed (SEC 1 section 2.3.3) or as a `SubjectPublicKeyInfo`.
    pub(crate) fn from_ec(kid: Option<String>, algorithm: Algorithm, point: &[u8]) -> Result<Self, KeyProblem> {
        let Family::Ec(curve) = algorithm::family(algorithm) else { return Err(KeyProblem::Algorithm) };
        let parameters: &'static signature::EcdsaVerificationAlgorithm = match curve {
            Curve::P256 => &signature::ECDSA_P256_SHA256_FIXED,
            Curve::P384 => &signature::ECDSA_P384_SHA384_FIXED,
            Curve::P521 => &signature::ECDSA_P521_SHA512_FIXED,
        };
        let key = ParsedPublicKey::new(parameters, point).map_err(|_| KeyProblem::Invalid)?;
        Ok(Self { kid, algorithm, verifier: Verifier::Parsed(key) })
    }

    /// An Ed25519 key: its 32 bytes or a `SubjectPublicKeyInfo`.
    pub(crate) fn from_ed25519(kid: Option<String>, key: &[u8]) -> Result<Self, KeyProblem> {
        ParsedPublicKey::new(&signature::ED25519, key).map_err(|_| KeyProblem::Invalid)?;
        Ok(Self { kid, algorithm: Algorithm::EdDSA, verifier: Verifier::Library(DecodingKey::from_ed_der(key)) })
    }

    /// Whether this key made the signature. The caller has compared the algorithms.
    pub(crate) fn verify(&self, jws: &CompactJws<'_>) -> bool {
        match &self.verifier {
            // In constant time.
            Verifier::Hmac(key) => hmac::verify(key, jws.signing_input, &jws.signature).is_ok(),
            Verifier::Parsed(key) => key.verify_sig(jws.signing_input, &jws.signature).is_ok(),
            Verifier::Library(key) => {
                jsonwebtoken::crypto::verify(jws.signature_text, jws.signing_input, key, jsonwebtoken::Algorithm::EdDSA)
                    .unwrap_or(false)
            }
        }
    }
}

impl fmt::Debug for KeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRecord").field("kid", &self.kid).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::RS256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RS384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::PS256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::PS512 => &signature::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}
