//! The tokens of this application: signed with our keys, and read back only by the endpoints that issue them.

mod claims;
mod key;
mod ring;
mod seal;

pub use claims::{ReadClaims, TokenType};
pub use key::{KeyError, SigningKey};
pub use ring::KeyRing;
pub use seal::{Seal, SealError};

use crate::config::{REFRESH_EXP, SlidingConfig, TokensConfig};
use crate::domain::account::User;
use crate::domain::revocation::{self, EDGE_LEEWAY_MAX};
use crate::domain::session::Refresh;
use claims::Stamp;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Header, Validation};
use serde_json::{Map, Value, json};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use uuid::Uuid;

/// The longest token that is looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Why a token does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not one of ours, or damaged.
    #[error("Token is invalid")]
    Invalid,
    /// Its time is over.
    #[error("Token is expired")]
    Expired,
    /// An access token where a refresh token is needed, or the other way round.
    #[error("Token has wrong type")]
    WrongType,
    /// A sliding token that may be refreshed no more.
    #[error("Token 'refresh_exp' claim has expired")]
    RefreshExpired,
}

/// Signing failed: the key can't be used.
#[derive(Debug, thiserror::Error)]
#[error("a token could not be signed")]
pub struct SignError(#[from] jsonwebtoken::errors::Error);

/// Signs and reads tokens.
#[derive(Debug)]
pub struct Tokens {
    ring: RwLock<Arc<KeyRing>>,
    config: TokensConfig,
}

impl Tokens {
    /// Signs with the keys of `ring` what `config` says.
    #[must_use]
    pub fn new(ring: KeyRing, config: TokensConfig) -> Self {
        Self { ring: RwLock::new(Arc::new(ring)), config }
    }

    /// Goes on with other keys.
    pub fn replace(&self, ring: KeyRing) {
        // A value is put there whole, so a panic elsewhere can't have left half of one.
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
    }

    /// The keys of this moment.
    #[must_use]
    pub fn ring(&self) -> Arc<KeyRing> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The public keys, as a JWK set (RFC 7517 section 5).
    #[must_use]
    pub fn jwks(&self) -> Value {
        self.ring().jwks().clone()
    }

    /// What tokens say.
    #[must_use]
    pub const fn config(&self) -> &TokensConfig {
        &self.config
    }

    /// A new link of a session's chain.
    #[must_use]
    pub fn new_refresh(&self, now: Timestamp) -> Refresh {
        Refresh { id: Uuid::new_v4(), issued_at: now, expires_at: after(now, self.config.refresh_lifetime) }
    }

    /// When no edge accepts an access token any more that was issued up to `now`: how long revocations are kept.
    #[must_use]
    pub fn outlived(&self, now: Timestamp) -> Timestamp {
        revocation::outlived(now, self.config.bearer_lifetime())
    }

    /// Sessions that ended by themselves before that have no token left anywhere.
    #[must_use]
    pub fn forgettable(&self, now: Timestamp) -> Timestamp {
        before(now, self.config.bearer_lifetime().saturating_add(EDGE_LEEWAY_MAX))
    }

    /// The moment that counts when something expires at `now`.
    #[must_use]
    pub fn lenient(&self, now: Timestamp) -> Timestamp {
        before(now, self.config.leeway)
    }

    /// Writes a refresh token. The same link and the same key give the same text, except with ES256: Ed25519 signatures
    /// are deterministic (RFC 8032 section 5.1.6).
    ///
    /// # Errors
    /// The key can't be used.
    pub fn sign_refresh(&self, user: &User, session: Uuid, refresh: &Refresh) -> Result<String, SignError> {
        let Refresh { id, issued_at, expires_at } = *refresh;
        let stamp = Stamp { kind: TokenType::Refresh, id, session, issued_at, expires_at };
        self.sign(&claims::write(&self.config, user, &stamp))
    }

    /// Writes a new access token.
    ///
    /// # Errors
    /// The key can't be used.
    pub fn sign_access(&self, user: &User, session: Uuid, now: Timestamp) -> Result<String, SignError> {
        let expires_at = after(now, self.config.access_lifetime);
        let stamp = Stamp { kind: TokenType::Access, id: Uuid::new_v4(), session, issued_at: now, expires_at };
        self.sign(&claims::write(&self.config, user, &stamp))
    }

    /// Writes a sliding token: `origin` is the link that its sign-in has made; it may be refreshed as long as that.
    ///
    /// # Errors
    /// The key can't be used.
    pub fn sign_sliding(
        &self,
        sliding: &SlidingConfig,
        user: &User,
        session: Uuid,
        origin: &Refresh,
        now: Timestamp,
    ) -> Result<String, SignError> {
        let expires_at = after(now, sliding.lifetime);
        let stamp = Stamp { kind: TokenType::Sliding, id: origin.id, session, issued_at: now, expires_at };
        let mut claims = claims::write(&self.config, user, &stamp);
        claims.insert(REFRESH_EXP.to_owned(), json!(origin.expires_at.as_second()));
        self.sign(&claims)
    }

    /// The first and only link of a session with sliding tokens.
    #[must_use]
    pub fn new_sliding(&self, sliding: &SlidingConfig, now: Timestamp) -> Refresh {
        Refresh { id: Uuid::new_v4(), issued_at: now, expires_at: after(now, sliding.refresh_lifetime) }
    }

    /// Reads a refresh token.
    ///
    /// # Errors
    /// It is not ours, has expired, or is of another type.
    pub fn read_refresh(&self, token: &str, now: Timestamp) -> Result<ReadClaims, TokenError> {
        self.read(token, TokenType::Refresh, now)
    }

    /// Reads a sliding token that may still be refreshed, and the moment until which it may.
    ///
    /// # Errors
    /// It is not ours, has expired, is of another type, or its sign-in is too long ago.
    pub fn read_sliding(&self, token: &str, now: Timestamp) -> Result<(ReadClaims, Timestamp), TokenError> {
        let claims = self.read(token, TokenType::Sliding, now)?;
        let end = claims.all.get(REFRESH_EXP).and_then(Value::as_i64).ok_or(TokenError::Invalid)?;
        let end = Timestamp::from_second(end).map_err(|_| TokenError::Invalid)?;
        if end <= self.lenient(now) { Err(TokenError::RefreshExpired) } else { Ok((claims, end)) }
    }

    fn read(&self, token: &str, kind: TokenType, now: Timestamp) -> Result<ReadClaims, TokenError> {
        let claims = self.read_any(token, now)?;
        if claims.kind == kind { Ok(claims) } else { Err(TokenError::WrongType) }
    }

    /// Reads a token of any type.
    ///
    /// # Errors
    /// It is not ours or has expired.
    pub fn read_any(&self, token: &str, now: Timestamp) -> Result<ReadClaims, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Invalid);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
        let ring = self.ring();
        let key = ring.find(header.kid.as_deref()).ok_or(TokenError::Invalid)?;
        // The key says which algorithm it is used with, never the token (RFC 8725 section 3.1).
        let mut validation = Validation::new(key.algorithm());
        // Compared below, with `now`, so that a test can say what time it is.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        validation.set_issuer(&[&self.config.issuer]);
        let data = jsonwebtoken::decode::<Map<String, Value>>(token, key.decoding(), &validation)
            .map_err(|_| TokenError::Invalid)?;
        let claims = ReadClaims::read(&self.config.claims, data.claims).ok_or(TokenError::Invalid)?;
        if claims.exp <= self.lenient(now).as_second() { Err(TokenError::Expired) } else { Ok(claims) }
    }

    fn sign(&self, claims: &Map<String, Value>) -> Result<String, SignError> {
        let ring = self.ring();
        let key = ring.active();
        let header = Header { kid: key.id().map(str::to_owned), ..Header::new(key.algorithm()) };
        Ok(jsonwebtoken::encode(&header, claims, key.encoding())?)
    }
}

/// `now` and then some, at most the end of time.
fn after(now: Timestamp, lifetime: Duration) -> Timestamp {
    SignedDuration::try_from(lifetime)
        .ok()
        .and_then(|lifetime| now.checked_add(lifetime).ok())
        .unwrap_or(Timestamp::MAX)
}

/// `now` less some, at least the start of time.
fn before(now: Timestamp, leeway: Duration) -> Timestamp {
    SignedDuration::try_from(leeway).ok().and_then(|leeway| now.checked_sub(leeway).ok()).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests;
