//! The verifier for the fuzzer: whatever bytes come, it ends, and what it accepts the plain library accepts too.

use super::claims::Claims;
use super::dpop;
use super::keys::KeySet;
use super::keys::record::KeyRecord;
use super::policy::Policy;
use super::token::{CompactJws, Header};
use super::verify::{Candidate, verify};
use crate::config::{Algorithm, ErrorShape, Issuer, Keys, RequiredClaim, SecretBytes};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use std::time::Duration;

/// The key of the only issuer; the fuzzer's tokens are signed with it.
const SECRET: [u8; 32] = [7; 32];

/// The time of every run, in seconds since 1970.
const NOW: u64 = 1_800_000_000;

/// Verifies `bytes` as a token; then, with the part before the first `\xff` as header and the rest as claims, a token
/// that is signed well, so that more than the first checks are reached. Never panics.
///
/// Returns whether the plain library agreed with everything that was accepted.
#[must_use]
pub fn fuzz_verify(bytes: &[u8]) -> bool {
    let raw = agrees(bytes);
    let (header, claims) = bytes.split_at(memchr::memchr(0xff, bytes).unwrap_or(bytes.len()));
    let mut token = URL_SAFE_NO_PAD.encode(header);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims.get(1..).unwrap_or_default(), &mut token);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &SECRET), token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(tag, &mut token);
    raw & agrees(token.as_bytes())
}

/// Reads `bytes` as a DPoP proof, whose key comes with it, and checks its signature. Never panics.
pub fn fuzz_proof(bytes: &[u8]) {
    dpop::fuzz(bytes);
}

fn agrees(token: &[u8]) -> bool {
    let Ok(record) = KeyRecord::from_secret(None, Algorithm::HS256, &SECRET) else { return false };
    let (keys, policy) = (KeySet::new(vec![record]), Policy::new(&issuer()));
    let accepted = verify(token, &[Candidate { policy: &policy, keys: Some(&keys) }], NOW).is_ok();
    // Whatever was found before, the readers behind it must end too.
    if let Ok(jws) = CompactJws::parse(token) {
        let _ = Header::parse(&jws.header);
        if let Ok(claims) = Claims::parse(&jws.payload) {
            let _ = (claims.audiences(), claims.date("exp"), claims.subject("sub"));
        }
    }
    !accepted || plainly_signed(token)
}

/// What `jsonwebtoken` says of the signature, by its own reading of the token.
fn plainly_signed(token: &[u8]) -> bool {
    let Some((input, signature)) = std::str::from_utf8(token).ok().and_then(|token| token.rsplit_once('.')) else {
        return false;
    };
    let key = DecodingKey::from_secret(&SECRET);
    jsonwebtoken::crypto::verify(signature, input.as_bytes(), &key, jsonwebtoken::Algorithm::HS256).unwrap_or(false)
}

/// One that asks for as little as can be configured, so that as much as possible is accepted.
fn issuer() -> Issuer {
    Issuer {
        name: "fuzz".to_owned(),
        iss: None,
        keys: Keys::Secret(SecretBytes(SECRET.to_vec())),
        algorithms: vec![Algorithm::HS256],
        types: vec!["jwt".to_owned()],
        audiences: Vec::new(),
        leeway: Duration::from_secs(30),
        lifetime_max: Duration::from_secs(24 * 60 * 60),
        require: vec![RequiredClaim::Sub],
        subject_claim: "sub".to_owned(),
        must: Default::default(),
        errors: ErrorShape::Problem,
        realm: "fuzz".to_owned(),
        revocations: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fuzzer_reaches_acceptance() {
        let good = b"{\"alg\":\"HS256\"}\xff{\"sub\":\"ann\"}";
        assert!(fuzz_verify(good) && fuzz_verify(b"") && fuzz_verify(b"\xff") && fuzz_verify(b"a.b.c"));
        let signed = |header: &str, claims: &str| {
            let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &SECRET), input.as_bytes());
            format!("{input}.{}", URL_SAFE_NO_PAD.encode(tag))
        };
        let (keys, policy) = (
            KeySet::new(vec![KeyRecord::from_secret(None, Algorithm::HS256, &SECRET).expect("a key")]),
            Policy::new(&issuer()),
        );
        let token = signed(r#"{"alg":"HS256"}"#, r#"{"sub":"ann"}"#);
        assert!(verify(token.as_bytes(), &[Candidate { policy: &policy, keys: Some(&keys) }], NOW).is_ok());
        assert!(plainly_signed(token.as_bytes()) && !plainly_signed(&token.as_bytes()[1..]));
    }
}
