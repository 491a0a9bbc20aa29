//! What tokens say. Beside the registered claims (RFC 7519 section 4.1) stand the ones that simplejwt's clients read:
//! `token_type` and `user_id`.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The claims of an access token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccessClaims {
    /// `access`.
    pub token_type: String,
    /// Who signs.
    pub iss: String,
    /// Whom it is for.
    pub aud: Vec<String>,
    /// The user's id.
    pub sub: Uuid,
    /// The user's id, under simplejwt's name.
    pub user_id: Uuid,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// When it expires, in seconds since 1970.
    pub exp: i64,
    /// The token's id.
    #[serde(with = "uuid::serde::simple")]
    pub jti: Uuid,
    /// The session's id.
    #[serde(with = "uuid::serde::simple")]
    pub sid: Uuid,
    /// The user's name, for display.
    pub username: String,
    /// `admin` or nothing.
    pub roles: Vec<String>,
    /// Nothing yet (RFC 8693 section 4.2).
    pub scope: String,
}

/// The claims of a refresh token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefreshClaims {
    /// `refresh`.
    pub token_type: String,
    /// Who signs.
    pub iss: String,
    /// Whom it is for: its issuer.
    pub aud: Vec<String>,
    /// The user's id.
    pub sub: Uuid,
    /// The user's id, under simplejwt's name.
    pub user_id: Uuid,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// When it expires, in seconds since 1970.
    pub exp: i64,
    /// The token's id.
    #[serde(with = "uuid::serde::simple")]
    pub jti: Uuid,
    /// The session's id.
    #[serde(with = "uuid::serde::simple")]
    pub sid: Uuid,
}

/// What is read of a token of either kind; the rest is for others.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReadClaims {
    /// `access` or `refresh`.
    pub token_type: String,
    /// The user's id.
    pub user_id: Uuid,
    /// When it expires, in seconds since 1970.
    pub exp: i64,
    /// The token's id.
    #[serde(with = "uuid::serde::simple")]
    pub jti: Uuid,
    /// The session's id.
    #[serde(with = "uuid::serde::simple")]
    pub sid: Uuid,
}

impl AccessClaims {
    /// The value of `token_type`.
    pub const TOKEN_TYPE: &'static str = "access";
}

impl RefreshClaims {
    /// The value of `token_type`.
    pub const TOKEN_TYPE: &'static str = "refresh";
}
