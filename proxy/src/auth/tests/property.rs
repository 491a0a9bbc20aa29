//! For any bytes as a token, the verifier returns an error, or claims whose signature the plain library accepts too.

use super::support::{NOW, claims, issuer};
use crate::auth::keys::KeySet;
use crate::auth::keys::jwk::{Origin, load_set};
use crate::auth::policy::Policy;
use crate::auth::verify::{Candidate, verify};
use crate::config::{self, Algorithm, Keys, RequiredClaim, SecretBytes};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{DecodingKey, Validation};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// A key of each family that is published, and what believes them.
struct World {
    rsa: RsaKeyPair,
    ec: EcdsaKeyPair,
    ed: Ed25519KeyPair,
    jwks: Vec<Value>,
    keys: KeySet,
    policy: Policy,
}

static WORLD: LazyLock<World> = LazyLock::new(World::new);

const ALGORITHMS: [Algorithm; 4] = [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];
const NAMES: [&str; 4] = ["RS256", "PS256", "ES256", "EdDSA"];

impl World {
    fn new() -> Self {
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
        let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let ed = Ed25519KeyPair::generate().expect("a key");
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (n, e) = (rsa.public_key().modulus(), rsa.public_key().exponent());
        let (n, e) = (text(n.big_endian_without_leading_zero()), text(e.big_endian_without_leading_zero()));
        let (x, y) = ec.public_key().as_ref()[1..].split_at(32);
        let jwks = vec![
            json!({"kty": "RSA", "kid": "RS256", "alg": "RS256", "n": n, "e": e}),
            json!({"kty": "RSA", "kid": "PS256", "alg": "PS256", "n": n, "e": e}),
            json!({"kty": "EC", "kid": "ES256", "alg": "ES256", "crv": "P-256", "x": text(x), "y": text(y)}),
            json!({"kty": "OKP", "kid": "EdDSA", "alg": "EdDSA", "crv": "Ed25519", "x": text(ed.public_key().as_ref())}),
        ];
        let set = json!({ "keys": jwks }).to_string();
        let (keys, problems) = load_set(set.as_bytes(), Origin::Remote, &ALGORITHMS).expect("a set");
        assert!(problems.is_empty(), "{problems:?}");
        let lax = config::Issuer {
            algorithms: ALGORITHMS.to_vec(),
            require: vec![RequiredClaim::Exp],
            ..issuer(Keys::Secret(SecretBytes(Vec::new())))
        };
        Self { rsa, ec, ed, jwks, keys, policy: Policy::new(&lax) }
    }

    fn sign(&self, algorithm: usize, input: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let mut signature = vec![0; self.rsa.public_modulus_len()];
        match algorithm {
            0 => self.rsa.sign(&RSA_PKCS1_SHA256, &random, input, &mut signature).expect("a signature"),
            1 => self.rsa.sign(&RSA_PSS_SHA256, &random, input, &mut signature).expect("a signature"),
            2 => signature = self.ec.sign(&random, input).expect("a signature").as_ref().to_vec(),
            _ => signature = self.ed.sign(input).as_ref().to_vec(),
        }
        signature
    }

    fn token(&self, signer: usize, header: &str, claims: &str) -> Vec<u8> {
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.sign(signer, input.as_bytes()));
        format!("{input}.{signature}").into_bytes()
    }

    /// The name of the key under which the verifier accepts these bytes.
    fn accepts(&self, token: &[u8]) -> Option<String> {
        let candidate = Candidate { policy: &self.policy, keys: Some(&self.keys) };
        let (_, verified) = verify(token, &[candidate], NOW).ok()?;
        Some(verified.kid().expect("every key has a name").to_owned())
    }

    /// Whether the library accepts them under that key, with its own reading of token and key.
    fn plainly_signed(&self, token: &[u8], kid: &str) -> bool {
        let jwk = self.jwks.iter().find(|jwk| jwk["kid"] == kid).expect("a key of this name");
        let jwk: Jwk = serde_json::from_value(jwk.clone()).expect("a key");
        let mut validation = Validation::new(kid.parse().expect("an algorithm"));
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let key = DecodingKey::from_jwk(&jwk).expect("a usable key");
        let token = std::str::from_utf8(token).expect("what was accepted is text");
        jsonwebtoken::decode::<Value>(token, &key, &validation).is_ok()
    }
}

/// What happens to a token on its way.
#[derive(Debug, Clone)]
enum Change {
    None,
    Replace(prop::sample::Index, u8),
    Insert(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    CutAt(prop::sample::Index),
    SegmentOf(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let any_index = any::<prop::sample::Index>;
    prop_oneof![
        3 => Just(Change::None),
        3 => (any_index(), any::<u8>()).prop_map(|(at, byte)| Change::Replace(at, byte)),
        1 => (any_index(), any::<u8>()).prop_map(|(at, byte)| Change::Insert(at, byte)),
        1 => any_index().prop_map(Change::Remove),
        1 => any_index().prop_map(Change::CutAt),
        2 => (0..3_usize, 0..4_usize).prop_map(|(segment, signer)| Change::SegmentOf(segment, signer)),
    ]
}

fn changed(mut token: Vec<u8>, change: &Change) -> Vec<u8> {
    match change {
        Change::None => {}
        Change::Replace(at, byte) => {
            let at = at.index(token.len());
            token[at] = *byte;
        }
        Change::Insert(at, byte) => token.insert(at.index(token.len()), *byte),
        Change::Remove(at) => drop(token.remove(at.index(token.len()))),
        Change::CutAt(at) => token.truncate(at.index(token.len())),
        Change::SegmentOf(segment, signer) => {
            let header = json!({"alg": NAMES[*signer], "kid": NAMES[*signer]}).to_string();
            let other = WORLD.token(*signer, &header, &claims(json!({"sub": "mallory"})).to_string());
            let mut parts: Vec<&[u8]> = token.split(|byte| *byte == b'.').collect();
            parts[*segment] = other.split(|byte| *byte == b'.').nth(*segment).expect("a segment");
            return parts.join(&b'.');
        }
    }
    token
}

proptest! {
    #[test]
    fn what_is_accepted_is_signed(signer in 0..4_usize, alg in 0..4_usize, kid in prop::option::of(0..4_usize),
                                  extra in prop::option::of("[a-z0-9]{1,5}"), subject in ".{0,12}", change in change()) {
        // Mostly the signer's own algorithm, else one that it is not.
        let alg = if subject.len().is_multiple_of(3) { alg } else { signer };
        let mut header = json!({"alg": NAMES[alg]});
        if let Some(kid) = kid {
            header["kid"] = json!(NAMES[if subject.len().is_multiple_of(2) { kid } else { signer }]);
        }
        if let Some(extra) = extra {
            header[extra] = json!(1);
        }
        let token = WORLD.token(signer, &header.to_string(), &claims(json!({"sub": subject})).to_string());
        let token = changed(token, &change);
        if let Some(kid) = WORLD.accepts(&token) {
            prop_assert!(WORLD.plainly_signed(&token, &kid), "{}", String::from_utf8_lossy(&token));
            prop_assert_eq!(&kid, NAMES[signer], "nobody else signed it");
        }
    }

    #[test]
    fn bytes_that_nobody_signed_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert_eq!(WORLD.accepts(&bytes), None);
    }

    #[test]
    fn text_that_looks_like_a_token_is_refused(token in r"[A-Za-z0-9_-]{2,60}\.[A-Za-z0-9_-]{2,60}\.[A-Za-z0-9_-]{2,90}") {
        prop_assert_eq!(WORLD.accepts(token.as_bytes()), None);
    }
}

#[test]
fn unchanged_tokens_of_every_key_are_accepted_by_both() {
    for (signer, name) in NAMES.into_iter().enumerate() {
        for header in [json!({"alg": name}), json!({"alg": name, "kid": name})] {
            let token = WORLD.token(signer, &header.to_string(), &claims(json!({})).to_string());
            assert_eq!(WORLD.accepts(&token).as_deref(), Some(name), "{header}");
            assert!(WORLD.plainly_signed(&token, name));
        }
    }
}

/// The same input has the same answer, whatever was asked before.
#[test]
fn the_verifier_is_a_function() {
    let good = WORLD.token(3, r#"{"alg":"EdDSA"}"#, &claims(json!({})).to_string());
    let bad = changed(good.clone(), &Change::SegmentOf(1, 3));
    for _ in 0..100 {
        assert_eq!((WORLD.accepts(&good).as_deref(), WORLD.accepts(&bad)), (Some("EdDSA"), None));
    }
}
