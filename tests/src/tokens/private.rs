//! Private keys from JWKs (RFC 7518 section 6), for vectors that bring their own.

use super::decode;
use super::key::{ALGORITHMS, Secret, SigningKey, ecdsa};
use aws_lc_rs::rsa::{KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{EcdsaKeyPair, RsaKeyPair};
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
        let number = |name: &str| decode(jwk[name].as_str().expect("a number"));
        let secret = match jwk["kty"].as_str().expect("a type") {
            "oct" => Secret::Hmac(number("k").into()),
            "RSA" => {
                let components = KeyPairComponents {
                    public_key: PublicKeyComponents { n: number("n"), e: number("e") },
                    d: number("d"),
                    p: number("p"),
                    q: number("q"),
                    dP: number("dp"),
                    dQ: number("dq"),
                    qInv: number("qi"),
                };
                Secret::Rsa(Arc::new(RsaKeyPair::from_components(&components).expect("an RSA key")))
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
