//! The edge's request for the link, and the proof that it asks for in return.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, HOST};
use http::{HeaderMap, HeaderValue, Request, Uri};
use http_body_util::Empty;
use serve::contract::link::{Claims, PATH, PROOF, REQUEST_LIFETIME_SECONDS, REQUEST_TYPE, proof_text};
use serve::shared_key::SharedKey;
use std::time::{SystemTime, UNIX_EPOCH};

/// Who the edge is to one upstream.
#[derive(Clone)]
pub(super) struct Credentials {
    key: hmac::Key,
    audience: String,
}

impl Credentials {
    /// Whether both are one edge's to one upstream.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        let of = |credentials: &Self| hmac::sign(&credentials.key, b"the same").as_ref().to_vec();
        self.audience == other.audience && of(self) == of(other)
    }

    pub(super) fn new(upstream: &str, key: &SharedKey) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key), audience: upstream.to_owned() }
    }

    /// A request that counts once, with the `jti` that the answer must prove. `None`: there is no randomness.
    pub(super) fn request(
        &self,
        host: &str,
        seen: Option<&str>,
        now: SystemTime,
    ) -> Option<(Request<Empty<Bytes>>, String)> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).ok()?;
        let jti = URL_SAFE_NO_PAD.encode(random);
        let iat = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let claims = Claims { aud: self.audience.clone(), iat, exp: iat + REQUEST_LIFETIME_SECONDS, jti: jti.clone() };
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"HS256","typ":"{REQUEST_TYPE}"}}"#));
        let mut token = format!("{header}.{}", URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims).ok()?));
        let tag = hmac::sign(&self.key, token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(tag, &mut token);

        let mut request = Request::new(Empty::new());
        *request.uri_mut() = Uri::from_static(PATH);
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::try_from(host).unwrap_or(HeaderValue::from_static("localhost")));
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        let mut value = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
        if let Some(seen) = seen.and_then(|seen| HeaderValue::try_from(seen).ok()) {
            headers.insert("last-event-id", seen);
        }
        Some((request, jti))
    }

    /// Whether who answered holds the key.
    pub(super) fn is_proved(&self, jti: &str, answer: &HeaderMap) -> bool {
        let proof = answer.get(&PROOF).and_then(|proof| URL_SAFE_NO_PAD.decode(proof).ok());
        proof.is_some_and(|proof| hmac::verify(&self.key, proof_text(jti).as_bytes(), &proof).is_ok())
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("audience", &self.audience).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_believed_from_who_holds_the_key_and_for_its_own_request() {
        let ours = Credentials::new("app", &[7; 32]);
        let (_, jti) = ours.request("app", None, SystemTime::now()).expect("a request");
        let proof = |key: [u8; 32], jti: &str| {
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), proof_text(jti).as_bytes());
            let mut headers = HeaderMap::new();
            headers.insert(&PROOF, URL_SAFE_NO_PAD.encode(tag).parse().expect("a value"));
            headers
        };
        assert!(ours.is_proved(&jti, &proof([7; 32], &jti)));
        assert!(!ours.is_proved(&jti, &proof([8; 32], &jti)), "another key");
        assert!(!ours.is_proved(&jti, &proof([7; 32], "x")), "another request");
        assert!(!ours.is_proved(&jti, &HeaderMap::new()));
    }
}
