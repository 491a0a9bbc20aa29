//! Keys that sign, one kind per algorithm family.

use super::jwk::{self, Curve};
use aws_lc_rs::rand::{self, SystemRandom};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
    RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use aws_lc_rs::{digest, hmac};
use serde_json::Value;
use std::sync::{Arc, OnceLock};

/// Every algorithm that an issuer can be configured with (RFC 7518 section 3.1, RFC 8037).
pub const ALGORITHMS: [&str; 13] = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
];

/// A key with the name that its tokens carry.
#[derive(Clone)]
pub struct SigningKey {
    /// The `kid`.
    pub id: String,
    pub(super) algorithm: &'static str,
    pub(super) secret: Secret,
}

#[derive(Clone)]
pub(super) enum Secret {
    Hmac(Arc<[u8]>),
    Rsa(Arc<RsaKeyPair>),
    Ecdsa(Arc<EcdsaKeyPair>),
    Ed25519(Arc<Ed25519KeyPair>),
}

impl SigningKey {
    /// Makes a key for an algorithm of [`ALGORITHMS`].
    ///
    /// # Panics
    ///
    /// When the algorithm is none of them.
    #[must_use]
    pub fn new(id: &str, algorithm: &str) -> Self {
        let algorithm = *ALGORITHMS.iter().find(|known| **known == algorithm).expect("a known algorithm");
        let secret = match &algorithm[..2] {
            "HS" => {
                let mut bytes = [0; digest::SHA512_OUTPUT_LEN];
                rand::fill(&mut bytes).expect("random bytes");
                Secret::Hmac(bytes.into())
            }
            "RS" | "PS" => Secret::Rsa(rsa_key()),
            "ES" => Secret::Ecdsa(Arc::new(EcdsaKeyPair::generate(ecdsa(algorithm).1).expect("a key"))),
            _ => Secret::Ed25519(Arc::new(Ed25519KeyPair::generate().expect("a key"))),
        };
        Self { id: id.to_owned(), algorithm, secret }
    }

    /// An HMAC key over these bytes, for example those of a public key.
    ///
    /// # Panics
    ///
    /// As [`SigningKey::new`].
    #[must_use]
    pub fn hmac(id: &str, algorithm: &str, bytes: &[u8]) -> Self {
        Self { secret: Secret::Hmac(bytes.into()), ..Self::new(id, algorithm) }
    }

    /// The name of its algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> &'static str {
        self.algorithm
    }

    /// The shared secret of an HMAC key.
    #[must_use]
    pub fn secret(&self) -> Option<&[u8]> {
        if let Secret::Hmac(bytes) = &self.secret { Some(bytes) } else { None }
    }

    /// The public half as a JWK (RFC 7517); the whole secret for HMAC.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let key = match &self.secret {
            Secret::Hmac(bytes) => jwk::octets(bytes),
            Secret::Rsa(pair) => jwk::rsa(pair.public_key().as_ref()),
            Secret::Ecdsa(pair) => jwk::ec(ecdsa(self.algorithm).0, pair.public_key().as_ref()),
            Secret::Ed25519(pair) => jwk::ed25519(pair.public_key().as_ref()),
        };
        jwk::named(key, &self.id, self.algorithm)
    }

    /// Signs as RFC 7518 section 3 says.
    ///
    /// # Panics
    ///
    /// Only when the cryptographic library fails.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.secret {
            Secret::Hmac(bytes) => {
                let algorithm = match self.algorithm {
                    "HS384" => hmac::HMAC_SHA384,
                    "HS512" => hmac::HMAC_SHA512,
                    _ => hmac::HMAC_SHA256,
                };
                hmac::sign(&hmac::Key::new(algorithm, bytes), message).as_ref().to_vec()
            }
            Secret::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(rsa_encoding(self.algorithm), &SystemRandom::new(), message, &mut signature)
                    .expect("a signature");
                signature
            }
            Secret::Ecdsa(pair) => pair.sign(&SystemRandom::new(), message).expect("a signature").as_ref().to_vec(),
            Secret::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

pub(super) fn ecdsa(algorithm: &str) -> (Curve, &'static EcdsaSigningAlgorithm) {
    match algorithm {
        "ES384" => (Curve { name: "P-384", coordinate_bytes: 48 }, &ECDSA_P384_SHA384_FIXED_SIGNING),
        "ES512" => (Curve { name: "P-521", coordinate_bytes: 66 }, &ECDSA_P521_SHA512_FIXED_SIGNING),
        _ => (Curve { name: "P-256", coordinate_bytes: 32 }, &ECDSA_P256_SHA256_FIXED_SIGNING),
    }
}

fn rsa_encoding(algorithm: &str) -> &'static dyn RsaEncoding {
    match algorithm {
        "RS384" => &RSA_PKCS1_SHA384,
        "RS512" => &RSA_PKCS1_SHA512,
        "PS256" => &RSA_PSS_SHA256,
        "PS384" => &RSA_PSS_SHA384,
        "PS512" => &RSA_PSS_SHA512,
        _ => &RSA_PKCS1_SHA256,
    }
}

/// One RSA key a process: finding the primes is the slowest thing that these tests do.
fn rsa_key() -> Arc<RsaKeyPair> {
    static KEY: OnceLock<Arc<RsaKeyPair>> = OnceLock::new();
    Arc::clone(KEY.get_or_init(|| Arc::new(RsaKeyPair::generate(KeySize::Rsa2048).expect("a key"))))
}
