//! The tokens of this application: signed with one Ed25519 key, and read back only by the endpoints that issue them.

mod claims;
mod key;

pub use claims::{AccessClaims, ReadClaims, RefreshClaims};
pub use key::{KeyError, SigningKey};

use crate::config::TokensConfig;
use crate::domain::account::{Role, User};
use crate::domain::revocation;
use crate::domain::session::Refresh;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, Header, Validation};
use serde::Serialize;
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
}

/// Signing failed: the key can't be used.
#[derive(Debug, thiserror::Error)]
#[error("a token could not be signed")]
pub struct SignError(#[from] jsonwebtoken::errors::Error);

/// Signs and reads tokens.
#[derive(Debug)]
pub struct Tokens {
    key: SigningKey,
    config: TokensConfig,
}

impl Tokens {
    /// Signs with `key` what `config` says.
    #[must_use]
    pub const fn new(key: SigningKey, config: TokensConfig) -> Self {
        Self { key, config }
    }

    /// The public keys, as a JWK set (RFC 7517 section 5).
    #[must_use]
    pub fn jwks(&self) -> serde_json::Value {
        serde_json::json!({ "keys": [self.key.jwk()] })
    }

    /// How long a used refresh token still returns its successor.
    #[must_use]
    pub const fn reuse_grace(&self) -> Duration {
        self.config.reuse_grace
    }

    /// When no edge accepts an access token any more that was issued up to `now`: how long revocations are kept.
    #[must_use]
    pub fn outlived(&self, now: Timestamp) -> Timestamp {
        revocation::outlived(now, self.config.access_lifetime)
    }

    /// A new link of a session's chain.
    #[must_use]
    pub fn new_refresh(&self, now: Timestamp) -> Refresh {
        Refresh { id: Uuid::new_v4(), issued_at: now, expires_at: after(now, self.config.refresh_lifetime) }
    }

    /// Writes a refresh token. The same link always gives the same text: Ed25519 signatures are deterministic
    /// (RFC 8032 section 5.1.6).
    ///
    /// # Errors
    /// The key can't be used.
    pub fn sign_refresh(&self, user: Uuid, session: Uuid, refresh: &Refresh) -> Result<String, SignError> {
        self.sign(&RefreshClaims {
            token_type: RefreshClaims::TOKEN_TYPE.to_owned(),
            iss: self.config.issuer.clone(),
            // For its issuer alone: no resource server that checks audiences takes it for an access token.
            aud: vec![self.config.issuer.clone()],
            sub: user,
            user_id: user,
            iat: refresh.issued_at.as_second(),
            exp: refresh.expires_at.as_second(),
            jti: refresh.id,
            sid: session,
        })
    }

    /// Writes a new access token.
    ///
    /// # Errors
    /// The key can't be used.
    pub fn sign_access(&self, user: &User, session: Uuid, now: Timestamp) -> Result<String, SignError> {
        self.sign(&AccessClaims {
            token_type: AccessClaims::TOKEN_TYPE.to_owned(),
            iss: self.config.issuer.clone(),
            aud: vec![self.config.audience.clone()],
            sub: user.id,
            user_id: user.id,
            iat: now.as_second(),
            exp: after(now, self.config.access_lifetime).as_second(),
            jti: Uuid::new_v4(),
            sid: session,
            username: user.username.as_str().to_owned(),
            roles: match user.role {
                Role::Admin => vec![Role::Admin.as_str().to_owned()],
                Role::User => Vec::new(),
            },
            scope: String::new(),
        })
    }

    /// Reads a refresh token.
    ///
    /// # Errors
    /// It is not ours, has expired, or is an access token.
    pub fn read_refresh(&self, token: &str, now: Timestamp) -> Result<ReadClaims, TokenError> {
        let claims = self.read_any(token, now)?;
        if claims.token_type == RefreshClaims::TOKEN_TYPE { Ok(claims) } else { Err(TokenError::WrongType) }
    }

    /// Reads a token of either type.
    ///
    /// # Errors
    /// It is not ours or has expired.
    pub fn read_any(&self, token: &str, now: Timestamp) -> Result<ReadClaims, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Invalid);
        }
        let mut validation = Validation::new(Algorithm::EdDSA);
        // Compared below, with `now` and without leeway, so that a test can say what time it is.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        validation.set_issuer(&[&self.config.issuer]);
        let data = jsonwebtoken::decode::<ReadClaims>(token, self.key.decoding(), &validation)
            .map_err(|_| TokenError::Invalid)?;
        if data.header.kid.as_deref() != Some(self.key.id()) {
            return Err(TokenError::Invalid);
        }
        if data.claims.exp <= now.as_second() { Err(TokenError::Expired) } else { Ok(data.claims) }
    }

    fn sign(&self, claims: &impl Serialize) -> Result<String, SignError> {
        let header = Header { kid: Some(self.key.id().to_owned()), ..Header::new(Algorithm::EdDSA) };
        Ok(jsonwebtoken::encode(&header, claims, self.key.encoding())?)
    }
}

/// `now` and then some, at most the end of time.
fn after(now: Timestamp, lifetime: Duration) -> Timestamp {
    SignedDuration::try_from(lifetime)
        .ok()
        .and_then(|lifetime| now.checked_add(lifetime).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::account::Username;

    fn tokens(folder: &std::path::Path) -> Tokens {
        let key = SigningKey::load_or_create(folder).expect("a key");
        Tokens::new(key, TokensConfig::new("https://id.test".to_owned(), "api".to_owned()))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).expect("a moment")
    }

    fn ada() -> User {
        User {
            id: Uuid::now_v7(),
            username: Username::parse("ada").expect("a name"),
            role: Role::Admin,
            active: true,
            created_at: at(0),
            last_login: None,
        }
    }

    #[test]
    fn tokens_are_read_until_they_expire() {
        let folder = tempfile::tempdir().expect("a folder");
        let tokens = tokens(folder.path());
        let (ada, session) = (ada(), Uuid::new_v4());
        let link = tokens.new_refresh(at(0));
        let refresh = tokens.sign_refresh(ada.id, session, &link).expect("signed");
        let access = tokens.sign_access(&ada, session, at(0)).expect("signed");

        let read = tokens.read_refresh(&refresh, at(1)).expect("ours");
        assert_eq!((read.jti, read.sid, read.user_id), (link.id, session, ada.id));
        assert_eq!(tokens.read_any(&access, at(299)).expect("ours").sid, session);
        let day = 24 * 3600;
        for (token, second, error) in [
            (&access, 1, TokenError::WrongType),
            (&access, 300, TokenError::Expired),
            (&refresh, day, TokenError::Expired),
            (&"garbage".to_owned(), 1, TokenError::Invalid),
            (&format!("{refresh}x"), 1, TokenError::Invalid),
            (&"a".repeat(TOKEN_BYTES_MAX + 1), 1, TokenError::Invalid),
        ] {
            assert_eq!(tokens.read_refresh(token, at(second)).err(), Some(error), "{token} at {second}");
        }
    }

    #[test]
    fn another_key_or_issuer_is_not_ours() {
        let (folder, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let ours = tokens(folder.path());
        let key = SigningKey::load_or_create(folder.path()).expect("a key");
        let renamed = Tokens::new(key, TokensConfig::new("https://other.test".to_owned(), "api".to_owned()));
        for stranger in [tokens(other.path()), renamed] {
            let link = stranger.new_refresh(at(0));
            let refresh = stranger.sign_refresh(ada().id, Uuid::new_v4(), &link).expect("signed");
            assert_eq!(ours.read_any(&refresh, at(1)).err(), Some(TokenError::Invalid));
        }
    }

    #[test]
    fn the_same_link_gives_the_same_token() {
        let folder = tempfile::tempdir().expect("a folder");
        let tokens = tokens(folder.path());
        let (user, session, link) = (Uuid::now_v7(), Uuid::new_v4(), tokens.new_refresh(at(0)));
        let sign = || tokens.sign_refresh(user, session, &link).expect("signed");
        assert_eq!(sign(), sign());
    }
}
