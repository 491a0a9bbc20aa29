//! The word of the edge: the signed assertion about one request is all that this application trusts.
//!
//! No bearer token is verified here. The edge has done that and says in `X-Auth-Assertion` who the caller is. With the
//! same key the edge asks for the link.
//!
//! Several keys may be good at once, so that a key can be replaced without a failed request.

mod replay;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, header};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use replay::Replay;
use serve::contract::csrf::{CSRF_NONCE_BYTES, CsrfKey};
use serve::contract::identity::{ASSERTION_TYPE, Assertion, X_AUTH_ASSERTION};
use serve::contract::link;
use serve::contract::request_id::X_REQUEST_ID;
use serve::shared_key::SharedKey;
use std::sync::{Arc, PoisonError, RwLock};

/// How far the clocks of edge and application may be apart, in seconds.
const LEEWAY_SECONDS: u64 = 5;
/// The largest assertion that is looked at, in bytes.
const ASSERTION_BYTES_MAX: usize = 16 * 1024;

/// Why an assertion does not count. For the log only: a client learns no more than "not authenticated".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    /// No such field, or several.
    #[error("no assertion")]
    Missing,
    /// Not a JWS of the expected form, or its signature is wrong.
    #[error("the assertion's form or signature is wrong")]
    Invalid,
    /// The JWS is no edge assertion.
    #[error("the assertion's type is wrong")]
    Type,
    /// It speaks to another application.
    #[error("the assertion is for another upstream")]
    Audience,
    /// It is too old or from the future.
    #[error("the assertion is out of its time")]
    Time,
    /// It speaks about another request.
    #[error("the assertion is about another request")]
    Request,
    /// It has been used before.
    #[error("the assertion has been used before")]
    Replay,
}

/// What an assertion is checked with.
pub struct Edge {
    keys: RwLock<Arc<[Key]>>,
    validation: Validation,
    upstream_name: String,
    replay: Replay,
}

/// One of the keys that count now.
struct Key {
    decoding: DecodingKey,
    mac: aws_lc_rs::hmac::Key,
    csrf: CsrfKey,
}

impl Key {
    fn all(keys: &[SharedKey]) -> Arc<[Self]> {
        let prepare = |key: &SharedKey| Self {
            decoding: DecodingKey::from_secret(key),
            mac: aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key),
            csrf: CsrfKey::new(key),
        };
        keys.iter().map(prepare).collect()
    }
}

impl Edge {
    /// Trusts whoever holds one of `keys` and calls this application `upstream_name`.
    #[must_use]
    pub fn new(keys: &[SharedKey], upstream_name: &str) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        // Checked below against `now`, with both ends of the interval and a message of their own.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let keys = RwLock::new(Key::all(keys));
        Self { keys, validation, upstream_name: upstream_name.to_owned(), replay: Replay::default() }
    }

    /// Trusts these keys from now on, and no others.
    pub fn replace(&self, keys: &[SharedKey]) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Key::all(keys);
    }

    fn keys(&self) -> Arc<[Key]> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A CSRF token for the session with this `sid`, which the edge will take. `nonce` must be random.
    #[must_use]
    pub fn mint_csrf(&self, sid: &str, nonce: [u8; CSRF_NONCE_BYTES]) -> String {
        // There is always a first key.
        self.keys().first().map(|key| key.csrf.mint(sid, nonce)).unwrap_or_default()
    }

    /// Whether a CSRF token is one for the session with this `sid`.
    #[must_use]
    pub fn accepts_csrf(&self, sid: &str, token: &str) -> bool {
        self.keys().iter().any(|key| key.csrf.accepts(sid, token.as_bytes()))
    }

    /// Reads a JWS that one of the keys has signed; says which.
    fn read<T: serde::de::DeserializeOwned>(
        &self,
        token: &str,
        typ: &str,
    ) -> Result<(T, Arc<[Key]>, usize), AssertionError> {
        if token.len() > ASSERTION_BYTES_MAX {
            return Err(AssertionError::Invalid);
        }
        let keys = self.keys();
        let decode = |key: &Key| jsonwebtoken::decode::<T>(token, &key.decoding, &self.validation).ok();
        let found = keys.iter().enumerate().find_map(|(index, key)| Some((index, decode(key)?)));
        let (index, data) = found.ok_or(AssertionError::Invalid)?;
        if data.header.typ.as_deref() != Some(typ) {
            return Err(AssertionError::Type);
        }
        Ok((data.claims, keys, index))
    }

    /// Whether the statement is for this application, of this time, and new.
    fn check(&self, aud: &str, iat: u64, exp: u64, now: Timestamp) -> Result<u64, AssertionError> {
        if aud != self.upstream_name {
            return Err(AssertionError::Audience);
        }
        let now = u64::try_from(now.as_second()).map_err(|_| AssertionError::Time)?;
        if now >= exp.saturating_add(LEEWAY_SECONDS) || iat > now + LEEWAY_SECONDS {
            return Err(AssertionError::Time);
        }
        Ok(now)
    }

    /// Reads an edge's request for the link, and returns the proof that this application holds the key as well.
    ///
    /// # Errors
    /// It is missing, forged, too old, or was used before.
    pub fn link(&self, headers: &HeaderMap, now: Timestamp) -> Result<String, AssertionError> {
        let token = only(headers, &header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        let token = token.ok_or(AssertionError::Missing)?;
        let (claims, keys, index) = self.read::<link::Claims>(token, link::REQUEST_TYPE)?;
        let now = self.check(&claims.aud, claims.iat, claims.exp, now)?;
        if !self.replay.is_first(&claims.jti, now) {
            return Err(AssertionError::Replay);
        }
        let key = keys.get(index).ok_or(AssertionError::Invalid)?;
        Ok(URL_SAFE_NO_PAD.encode(aws_lc_rs::hmac::sign(&key.mac, link::proof_text(&claims.jti).as_bytes())))
    }

    /// Reads the assertion of one request.
    ///
    /// # Errors
    /// It is missing, forged, too old, about another request, or has been used before.
    pub fn assertion(
        &self,
        method: &http::Method,
        path: &str,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Assertion, AssertionError> {
        let token = only(headers, &X_AUTH_ASSERTION).ok_or(AssertionError::Missing)?;
        let (assertion, ..) = self.read::<Assertion>(token, ASSERTION_TYPE)?;
        let now = self.check(&assertion.aud, assertion.iat, assertion.exp, now)?;
        let same = assertion.method == method.as_str()
            && assertion.path == path
            && only(headers, &X_REQUEST_ID) == Some(assertion.request_id.as_str());
        if !same {
            return Err(AssertionError::Request);
        }
        if self.replay.is_first(&assertion.jti, now) { Ok(assertion) } else { Err(AssertionError::Replay) }
    }
}

impl std::fmt::Debug for Edge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Edge").field("upstream_name", &self.upstream_name).finish_non_exhaustive()
    }
}

/// The value of a field that must be there exactly once.
fn only<'headers>(headers: &'headers HeaderMap, name: &http::HeaderName) -> Option<&'headers str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}
