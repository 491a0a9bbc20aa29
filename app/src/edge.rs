//! The word of the edge: the signed assertion about one request is all that this application trusts.
//!
//! No bearer token is verified here. The edge has done that and says in `X-Auth-Assertion` who the caller is.

use http::HeaderMap;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serve::contract::identity::{ASSERTION_TYPE, Assertion, X_AUTH_ASSERTION};
use serve::contract::request_id::X_REQUEST_ID;

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
}

/// What an assertion is checked with.
pub struct Edge {
    key: DecodingKey,
    validation: Validation,
    upstream_name: String,
}

impl Edge {
    /// Trusts whoever holds `key` and calls this application `upstream_name`.
    #[must_use]
    pub fn new(key: &[u8], upstream_name: &str) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        // Checked below against `now`, with both ends of the interval and a message of their own.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        Self { key: DecodingKey::from_secret(key), validation, upstream_name: upstream_name.to_owned() }
    }

    /// Reads the assertion of one request.
    ///
    /// # Errors
    /// It is missing, forged, too old, or about another request.
    pub fn assertion(
        &self,
        method: &http::Method,
        path: &str,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Assertion, AssertionError> {
        let token = only(headers, &X_AUTH_ASSERTION).ok_or(AssertionError::Missing)?;
        if token.len() > ASSERTION_BYTES_MAX {
            return Err(AssertionError::Invalid);
        }
        let data = jsonwebtoken::decode::<Assertion>(token, &self.key, &self.validation)
            .map_err(|_| AssertionError::Invalid)?;
        if data.header.typ.as_deref() != Some(ASSERTION_TYPE) {
            return Err(AssertionError::Type);
        }
        let assertion = data.claims;
        if assertion.aud != self.upstream_name {
            return Err(AssertionError::Audience);
        }
        let now = u64::try_from(now.as_second()).map_err(|_| AssertionError::Time)?;
        if now >= assertion.exp.saturating_add(LEEWAY_SECONDS) || assertion.iat > now + LEEWAY_SECONDS {
            return Err(AssertionError::Time);
        }
        let same = assertion.method == method.as_str()
            && assertion.path == path
            && only(headers, &X_REQUEST_ID) == Some(assertion.request_id.as_str());
        if same { Ok(assertion) } else { Err(AssertionError::Request) }
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
