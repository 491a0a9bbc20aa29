//! Public keys as JWKs (RFC 7517, RFC 7518 section 6, RFC 8037).

use super::base64url;
use super::key::SigningKey;
use serde_json::{Value, json};

/// An elliptic curve as a JWK names it.
pub(super) struct Curve {
    pub(super) name: &'static str,
    pub(super) coordinate_bytes: usize,
}

/// The JWK set of these keys, as text.
#[must_use]
pub fn jwk_set(keys: &[&SigningKey]) -> String {
    let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
    json!({ "keys": keys }).to_string()
}

pub(super) fn named(mut key: Value, id: &str, algorithm: &str) -> Value {
    key["kid"] = json!(id);
    key["alg"] = json!(algorithm);
    key["use"] = json!("sig");
    key
}

pub(super) fn octets(secret: &[u8]) -> Value {
    json!({ "kty": "oct", "k": base64url(secret) })
}

/// From the uncompressed point: 4, x, y.
pub(super) fn ec(curve: Curve, point: &[u8]) -> Value {
    let (x, y) = point[1..].split_at(curve.coordinate_bytes);
    json!({ "kty": "EC", "crv": curve.name, "x": base64url(x), "y": base64url(y) })
}

pub(super) fn ed25519(public: &[u8]) -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "x": base64url(public) })
}

/// From PKCS #1 (RFC 8017 appendix A.1.1): SEQUENCE { INTEGER modulus, INTEGER exponent }.
pub(super) fn rsa(public: &[u8]) -> Value {
    let (sequence, _) = der_value(public);
    let (modulus, rest) = der_value(sequence);
    let (exponent, _) = der_value(rest);
    let unsigned = |integer: &[u8]| base64url(&integer[integer.iter().take_while(|byte| **byte == 0).count()..]);
    json!({ "kty": "RSA", "n": unsigned(modulus), "e": unsigned(exponent) })
}

/// The content of the first DER element and what follows it.
fn der_value(der: &[u8]) -> (&[u8], &[u8]) {
    let short = usize::from(der[1]);
    let (start, length) = if short < 0x80 {
        (2, short)
    } else {
        let start = 2 + (short & 0x7f);
        (start, der[2..start].iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
    };
    der[start..].split_at(length)
}

#[cfg(test)]
mod tests {
    use super::super::{ALGORITHMS, Token};
    use super::*;
    use jsonwebtoken::jwk::{Jwk, JwkSet};
    use jsonwebtoken::{Algorithm, DecodingKey, Validation};

    /// A third party's verifier accepts what these keys sign: else every refusal in the end-to-end tests is worthless.
    #[test]
    fn tokens_of_every_algorithm_are_good() {
        for algorithm in ALGORITHMS {
            let key = SigningKey::new("k", algorithm);
            let set: JwkSet = serde_json::from_str(&jwk_set(&[&key])).expect("a JWK set");
            let jwk: &Jwk = set.keys.first().expect("a key");
            let Ok(known) = algorithm.parse::<Algorithm>() else {
                assert_eq!(algorithm, "ES512", "the library of the comparison lacks P-521 only");
                continue;
            };
            let mut validation = Validation::new(known);
            validation.set_audience(&[super::super::AUDIENCE]);
            let token = Token::good(&key, "alice").sign(&key);
            let decoded =
                jsonwebtoken::decode::<Value>(&token, &DecodingKey::from_jwk(jwk).expect("a usable key"), &validation);
            assert_eq!(decoded.expect("a good token").claims["sub"], "alice", "{algorithm}");
        }
    }
}
