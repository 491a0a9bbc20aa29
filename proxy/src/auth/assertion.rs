//! The signed statement about one request that the application trusts: a compact JWS with HS256 over the shared key
//! (see `serve::contract::identity`).

use super::permit::Permit;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderValue, Method};
use serde::Serialize;
use serde_json::value::RawValue;
use serve::contract::csrf::CsrfKey;
use serve::contract::identity::{ASSERTION_LIFETIME_SECONDS, ASSERTION_TYPE};
use serve::shared_key::{self, SharedKeyError};
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// What a request is, for its assertion.
#[derive(Debug, Clone, Copy)]
pub struct RequestFacts<'a> {
    /// Random bits, never used before: the application takes no assertion twice.
    pub nonce: u128,
    /// The request's id.
    pub request_id: &'a str,
    /// The method as forwarded.
    pub method: &'a Method,
    /// The path as forwarded, without the query.
    pub path: &'a str,
}

/// Makes the assertions for one upstream. The key and the header are prepared once.
pub struct AssertionSigner {
    key: hmac::Key,
    /// While the shared key is replaced there are two, and pages that are open have tokens of either.
    csrf: Box<[CsrfKey]>,
    audience: String,
    header: String,
}

/// [`serve::contract::identity::Assertion`] with borrowed parts and the identity in the JSON that was made when its
/// token was verified.
#[derive(Serialize)]
struct Statement<'a> {
    aud: &'a str,
    iat: u64,
    exp: u64,
    jti: String,
    request_id: &'a str,
    method: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<&'a RawValue>,
}

impl AssertionSigner {
    /// Reads (or makes, where the configuration says so) the key file of an upstream.
    ///
    /// # Errors
    /// [`SharedKeyError`], worded for the operator.
    pub fn open(upstream: &str, file: &crate::config::KeyFile) -> Result<Self, SharedKeyError> {
        let keys = shared_key::load_all_or_create(&file.path, file.create)?;
        // The first of them signs; a file without a key is no key file.
        let first = keys.first().ok_or_else(|| SharedKeyError::Malformed { path: file.path.clone() })?;
        Ok(Self { csrf: keys.iter().map(CsrfKey::new).collect(), ..Self::new(upstream, first) })
    }

    /// A signer for the upstream of this name.
    #[must_use]
    pub fn new(upstream: &str, key: &[u8; shared_key::KEY_BYTES]) -> Self {
        let mut header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"HS256","typ":"{ASSERTION_TYPE}"}}"#));
        header.push('.');
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            csrf: [CsrfKey::new(key)].into(),
            audience: upstream.to_owned(),
            header,
        }
    }

    /// Whether the application made this double-submit token for this session, with the key that both share.
    #[must_use]
    pub(crate) fn accepts_csrf(&self, session: &str, token: &[u8]) -> bool {
        self.csrf.iter().any(|key| key.accepts(session, token))
    }

    /// The value of `X-Auth-Assertion` for one request, made on every route, public ones too: without an identity it
    /// says that the edge let nobody in particular pass.
    #[must_use]
    pub fn mint(&self, request: RequestFacts<'_>, permit: &Permit, now: SystemTime) -> HeaderValue {
        let iat = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let statement = Statement {
            aud: &self.audience,
            iat,
            exp: iat + ASSERTION_LIFETIME_SECONDS,
            jti: format!("{:032x}", request.nonce),
            request_id: request.request_id,
            method: request.method.as_str(),
            path: request.path,
            identity: permit.verified().map(|verified| verified.identity_json()),
        };
        // Texts and numbers always serialise. Were it otherwise, the application would refuse the empty assertion.
        let claims = serde_json::to_vec(&statement).unwrap_or_default();
        let mut token = String::with_capacity(self.header.len() + claims.len() * 4 / 3 + 48);
        token.push_str(&self.header);
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let tag = hmac::sign(&self.key, token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(tag, &mut token);
        let mut value = HeaderValue::from_maybe_shared(bytes::Bytes::from(token))
            // Base64url and dots are valid in any field.
            .unwrap_or(HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }
}

impl fmt::Debug for AssertionSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssertionSigner").field("audience", &self.audience).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{Algorithm, DecodingKey, Validation};
    use serve::contract::identity::Assertion;
    use std::time::Duration;

    fn read(value: &HeaderValue, key: &[u8]) -> jsonwebtoken::errors::Result<jsonwebtoken::TokenData<Assertion>> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&["app"]);
        validation.validate_exp = false;
        jsonwebtoken::decode(value.to_str().expect("ASCII"), &DecodingKey::from_secret(key), &validation)
    }

    #[test]
    fn while_the_key_is_replaced_csrf_tokens_of_both_count() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let file = crate::config::KeyFile { path: folder.path().join("edge.key"), create: true };
        let first = shared_key::load_or_create(&file.path, true).expect("a key");
        let text = std::fs::read_to_string(&file.path).expect("its text");
        std::fs::write(&file.path, format!("{}\n{}\n", "A".repeat(43), text.trim())).expect("two keys");
        let signer = AssertionSigner::open("app", &file).expect("a signer");
        for key in [first, [0; 32]] {
            let token = CsrfKey::new(&key).mint("s1", *b"0123456789abcdef");
            assert!(signer.accepts_csrf("s1", token.as_bytes()));
            assert!(!signer.accepts_csrf("s2", token.as_bytes()));
        }
        let stranger = CsrfKey::new(&[9; 32]).mint("s1", *b"0123456789abcdef");
        assert!(!signer.accepts_csrf("s1", stranger.as_bytes()));
    }

    #[test]
    fn the_application_reads_what_the_edge_minted() {
        let signer = AssertionSigner::new("app", &[7; 32]);
        let method = Method::POST;
        let request = RequestFacts { nonce: 7, request_id: "0123", method: &method, path: "/api/notes/\"ü" };
        let value = signer.mint(request, &Permit::grant(None), UNIX_EPOCH + Duration::from_secs(1000));
        assert!(value.is_sensitive());

        let read_back = read(&value, &[7; 32]).expect("an assertion");
        assert_eq!(read_back.header.typ.as_deref(), Some(ASSERTION_TYPE));
        assert_eq!(
            read_back.claims,
            Assertion {
                aud: "app".into(),
                iat: 1000,
                exp: 1030,
                jti: format!("{:032x}", 7),
                request_id: "0123".into(),
                method: "POST".into(),
                path: "/api/notes/\"ü".into(),
                identity: None,
            }
        );
        assert!(read(&value, &[8; 32]).is_err(), "another key");
    }
}
