//! Clients with a key, and the proofs that they make.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// The time of every test, in seconds since 1970.
pub(super) const NOW: u64 = 1_800_000_000;

pub(super) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Somebody with a key.
pub(super) struct Client {
    algorithm: &'static str,
    pair: Pair,
}

enum Pair {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl Client {
    pub(super) fn new(algorithm: &'static str) -> Self {
        let pair = match algorithm {
            "ES256" => Pair::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key")),
            "EdDSA" | "Ed25519" => Pair::Ed(Ed25519KeyPair::generate().expect("a key")),
            _ => Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).expect("a key")),
        };
        Self { algorithm, pair }
    }

    pub(super) fn jwk(&self) -> Value {
        match &self.pair {
            Pair::Ec(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y)})
            }
            Pair::Ed(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(pair.public_key())}),
            Pair::Rsa(pair) => {
                let (modulus, exponent) = (pair.public_key().modulus(), pair.public_key().exponent());
                let digits = |bytes: &[u8]| base64url(bytes);
                json!({"kty": "RSA", "n": digits(modulus.big_endian_without_leading_zero()),
                    "e": digits(exponent.big_endian_without_leading_zero())})
            }
        }
    }

    /// As RFC 7638 says, by another way than the code under test: a map of JSON is in the order of its keys.
    pub(super) fn thumbprint(&self) -> String {
        base64url(digest(&SHA256, self.jwk().to_string().as_bytes()))
    }

    pub(super) fn header(&self) -> Value {
        json!({"typ": "dpop+jwt", "alg": self.algorithm, "jwk": self.jwk()})
    }

    /// A proof with this header and these claims, signed whatever they say.
    pub(super) fn sign(&self, header: &str, claims: &str) -> String {
        let input = format!("{}.{}", base64url(header), base64url(claims));
        let rsa = |pair: &RsaKeyPair, encoding: &'static dyn RsaEncoding| {
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(encoding, &SystemRandom::new(), input.as_bytes(), &mut signature).expect("a signature");
            signature
        };
        let signature = match &self.pair {
            Pair::Ec(pair) => pair.sign(&SystemRandom::new(), input.as_bytes()).expect("a signature").as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(input.as_bytes()).as_ref().to_vec(),
            Pair::Rsa(pair) if self.algorithm.starts_with('P') => rsa(pair, &RSA_PSS_SHA256),
            Pair::Rsa(pair) => rsa(pair, &RSA_PKCS1_SHA256),
        };
        format!("{input}.{}", base64url(signature))
    }

    /// A proof for `token`, with changes of its claims; `null` removes one.
    pub(super) fn proof(&self, token: &str, changes: Value) -> String {
        self.sign(&self.header().to_string(), &claims(token, changes).to_string())
    }
}

/// The claims of a good proof at [`NOW`], with changes; `null` removes one.
pub(super) fn claims(token: &str, changes: Value) -> Value {
    let mut claims = json!({
        "jti": "e1j3V_bKic8-LAEB", "htm": "GET", "htu": "https://notes.example/notes", "iat": NOW,
        "ath": base64url(digest(&SHA256, token.as_bytes())),
    });
    for (name, value) in changes.as_object().expect("an object") {
        match value {
            Value::Null => drop(claims.as_object_mut().expect("an object").remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}
