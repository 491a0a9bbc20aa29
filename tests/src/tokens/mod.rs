//! Tokens for every algorithm, signed by keys of the tests' own, and their JWK sets.
//!
//! Signed with the cryptographic library itself and not with the code under test or its JWT library: both sides
//! would share a misunderstanding. A [`Token`] is taken apart and put together by hand, so that a broken token is
//! one line in a table.

mod jwk;
mod key;
mod private;

pub use jwk::jwk_set;
pub use key::{ALGORITHMS, SigningKey};

use aws_lc_rs::{hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use serve::contract::identity::{ASSERTION_TYPE, Assertion};
use std::time::SystemTime;

/// The issuer that [`Token::good`] names.
pub const ISSUER: &str = "https://issuer.test";
/// The audience that [`Token::good`] names.
pub const AUDIENCE: &str = "api";

/// A token in the making: header and claims, to be bent before [`Token::sign`].
#[derive(Debug, Clone)]
pub struct Token {
    /// The JOSE header.
    pub header: Map<String, Value>,
    /// The claims.
    pub claims: Map<String, Value>,
}

impl Token {
    /// A token that a correct verifier accepts now: signed by `key`, for `subject`, five minutes long.
    #[must_use]
    pub fn good(key: &SigningKey, subject: &str) -> Self {
        let now = seconds_since_1970();
        Self { header: Map::new(), claims: Map::new() }
            .header("alg", json!(key.algorithm()))
            .header("typ", json!("JWT"))
            .header("kid", json!(key.id))
            .claim("iss", json!(ISSUER))
            .claim("aud", json!([AUDIENCE]))
            .claim("sub", json!(subject))
            .claim("iat", json!(now))
            .claim("exp", json!(now + 300))
            .claim("jti", json!(unique()))
    }

    /// Sets a member of the header; `null` removes it.
    #[must_use]
    pub fn header(mut self, name: &str, value: Value) -> Self {
        set(&mut self.header, name, value);
        self
    }

    /// Sets a claim; `null` removes it.
    #[must_use]
    pub fn claim(mut self, name: &str, value: Value) -> Self {
        set(&mut self.claims, name, value);
        self
    }

    /// Moves `iat`, `exp` and, when there, `nbf` by this many seconds.
    #[must_use]
    pub fn shifted(mut self, seconds: i64) -> Self {
        for name in ["iat", "exp", "nbf"] {
            if let Some(time) = self.claims.get(name).and_then(Value::as_i64) {
                self.claims.insert(name.to_owned(), json!(time + seconds));
            }
        }
        self
    }

    /// The compact form (RFC 7515 section 7.1).
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> String {
        let header = Value::Object(self.header.clone()).to_string();
        let claims = Value::Object(self.claims.clone()).to_string();
        sign_text(&header, &claims, key)
    }
}

/// The compact form of a header and claims that need not even be JSON.
#[must_use]
pub fn sign_text(header: &str, claims: &str, key: &SigningKey) -> String {
    let signed = format!("{}.{}", base64url(header), base64url(claims));
    let signature = key.sign(signed.as_bytes());
    format!("{signed}.{}", base64url(signature))
}

/// Base64url without padding (RFC 7515 section 2).
#[must_use]
pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of base64url without padding.
///
/// # Panics
///
/// When it is none.
#[must_use]
pub fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("base64url")
}

/// The claims inside a compact token, unverified.
///
/// # Panics
///
/// When it is no compact token.
#[must_use]
pub fn claims_of(token: &str) -> Value {
    part(token, 1)
}

/// The header of a compact token, unverified.
///
/// # Panics
///
/// When it is no compact token.
#[must_use]
pub fn header_of(token: &str) -> Value {
    part(token, 0)
}

/// The claims of an assertion (see [`serve::contract::identity`]) after a check of its header and signature; `key` is
/// the shared key as its file holds it.
///
/// # Panics
///
/// When anything about it is wrong.
#[must_use]
pub fn read_assertion(assertion: &str, key: &str) -> Assertion {
    let header = header_of(assertion);
    assert_eq!((&header["alg"], &header["typ"]), (&json!("HS256"), &json!(ASSERTION_TYPE)));
    let key = URL_SAFE_NO_PAD.decode(key).expect("the key is base64url");
    assert_eq!(key.len(), 32, "the shared key has 256 bits");
    let (signed, signature) = assertion.rsplit_once('.').expect("a token has three parts");
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    hmac::verify(&key, signed.as_bytes(), &signature).expect("the edge's signature");
    serde_json::from_value(claims_of(assertion)).expect("the claims of an assertion")
}

/// The key that edge and application share, from its file.
///
/// # Panics
///
/// When there is none.
#[must_use]
pub fn shared_key(file: &std::path::Path) -> [u8; 32] {
    let text = std::fs::read_to_string(file).expect("the shared key");
    URL_SAFE_NO_PAD.decode(text.trim()).expect("the key is base64url").try_into().expect("256 bits")
}

/// The time as tokens count it.
///
/// # Panics
///
/// When the clock stands before 1970.
#[must_use]
pub fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map(|elapsed| elapsed.as_secs()).expect("after 1970")
}

fn part(token: &str, index: usize) -> Value {
    let text = token.split('.').nth(index).expect("a token has three parts");
    let bytes = URL_SAFE_NO_PAD.decode(text).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}

fn set(members: &mut Map<String, Value>, name: &str, value: Value) {
    if value.is_null() {
        members.remove(name);
    } else {
        members.insert(name.to_owned(), value);
    }
}

fn unique() -> String {
    let mut bytes = [0; 12];
    rand::fill(&mut bytes).expect("random bytes");
    base64url(bytes)
}
