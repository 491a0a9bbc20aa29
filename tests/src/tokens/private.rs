//! Private keys from JWKs (RFC 7518 section 6), for vectors that bring their own.

use super::key::{ALGORITHMS, Secret, SigningKey, ecdsa};
use aws_lc_rs::signature::{EcdsaKeyPair, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use std::sync::Arc;

impl SigningKey {
    /// The key of a JWK with its private part; `None` where its `alg` is none of [`ALGORITHMS`].
    ///
    /// # Panics
    ///
    /// When numbers are missing or make no key.
    #[must_use]
    pub fn from_private_jwk(jwk: &Value) -> Option<Self> {
        let algorithm = *ALGORITHMS.iter().find(|known| jwk["alg"] == **known)?;
        let number = |name: &str| {
            let text = jwk[name].as_str().expect("a number in base64url");
            URL_SAFE_NO_PAD.decode(text).expect("base64url")
        };
        let secret = match jwk["kty"].as_str().expect("a type") {
            "oct" => Secret::Hmac(number("k").into()),
            "RSA" => {
                let numbers: Vec<u8> = ["n", "e", "d", "p", "q", "dp", "dq", "qi"]
                    .iter()
                    .flat_map(|name| der(2, &positive(&number(name))))
                    .collect();
                // RFC 8017 appendix A.1.2: the version, then the numbers.
                let key = der(0x30, &[der(2, &[0]), numbers].concat());
                Secret::Rsa(Arc::new(RsaKeyPair::from_der(&key).expect("an RSA key")))
            }
            _ => {
                let point = [vec![4], number("x"), number("y")].concat();
                let pair = EcdsaKeyPair::from_private_key_and_public_key(ecdsa(algorithm).1, &number("d"), &point);
                Secret::Ecdsa(Arc::new(pair.expect("an EC key")))
            }
        };
        let id = jwk["kid"].as_str().unwrap_or_default().to_owned();
        Some(Self { id, algorithm, secret })
    }
}

/// An integer whose first bit is no sign.
fn positive(number: &[u8]) -> Vec<u8> {
    let sign = number.first().filter(|byte| **byte >= 0x80).map(|_| 0);
    sign.into_iter().chain(number.iter().copied()).collect()
}

/// One element (X.690 section 8.1).
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = match u8::try_from(content.len()) {
        Ok(short) if short < 0x80 => vec![short],
        _ => {
            let bytes: Vec<u8> = content.len().to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            [vec![0x80 | u8::try_from(bytes.len()).expect("a few bytes")], bytes].concat()
        }
    };
    [vec![tag], length, content.to_vec()].concat()
}
