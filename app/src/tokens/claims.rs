//! What tokens say. Beside the registered claims (RFC 7519 section 4.1) stand the ones that simplejwt's clients read,
//! under the names that were set.

use crate::config::{ClaimNames, TokensConfig, UserIdField};
use crate::domain::account::{Role, User};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenType {
    /// Opens APIs.
    Access,
    /// Opens nothing but the token service.
    Refresh,
    /// Opens APIs, and is exchanged for a later one.
    Sliding,
    /// Whatever it is, we have not made it so.
    Other,
}

impl TokenType {
    /// The value of the token type claim.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
            Self::Sliding => "sliding",
            Self::Other => "other",
        }
    }

    fn parse(text: &str) -> Self {
        let known = [Self::Access, Self::Refresh, Self::Sliding].into_iter().find(|kind| kind.as_str() == text);
        known.unwrap_or(Self::Other)
    }
}

/// What a token of any type says of itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp {
    pub(super) kind: TokenType,
    pub(super) id: Uuid,
    pub(super) session: Uuid,
    pub(super) issued_at: Timestamp,
    pub(super) expires_at: Timestamp,
}

/// The claims of a token for this user.
pub(super) fn write(config: &TokensConfig, user: &User, stamp: &Stamp) -> Map<String, Value> {
    let Stamp { kind, id, session, issued_at, expires_at } = stamp;
    let user_id = match config.user_id_field {
        UserIdField::Id => user.id.to_string(),
        UserIdField::Username => user.username.as_str().to_owned(),
    };
    let mut claims = Map::new();
    let mut set = |name: &str, value: Value| drop(claims.insert(name.to_owned(), value));
    set(&config.claims.token_type, json!(kind.as_str()));
    set(&config.claims.user_id, json!(user_id));
    set(&config.claims.jti, json!(id.simple().to_string()));
    set("iss", json!(config.issuer));
    set("sub", json!(user.id.to_string()));
    set("sid", json!(session.simple().to_string()));
    set("iat", json!(issued_at.as_second()));
    set("exp", json!(expires_at.as_second()));
    if *kind == TokenType::Refresh {
        // For its issuer alone: no resource server that checks audiences takes it for an access token.
        set("aud", json!([config.issuer]));
    } else {
        set("aud", json!([config.audience]));
        set("username", json!(user.username.as_str()));
        set("roles", if user.role == Role::Admin { json!([Role::Admin.as_str()]) } else { json!([]) });
        // Nothing yet (RFC 8693 section 4.2).
        set("scope", json!(""));
    }
    claims
}

/// What is read of a token; the rest is for others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadClaims {
    /// What it is for.
    pub kind: TokenType,
    /// The account's id.
    pub user: Uuid,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// When it expires, in seconds since 1970.
    pub exp: i64,
    /// The token's id.
    pub jti: Uuid,
    /// The session's id.
    pub sid: Uuid,
    /// Every claim, as it was signed.
    pub all: Map<String, Value>,
}

impl ReadClaims {
    /// Reads what [`write`] has written; none when something is missing.
    pub(super) fn read(names: &ClaimNames, all: Map<String, Value>) -> Option<Self> {
        let text = |name: &str| all.get(name).and_then(Value::as_str);
        let number = |name: &str| all.get(name).and_then(Value::as_i64);
        Some(Self {
            kind: TokenType::parse(text(&names.token_type)?),
            user: text("sub")?.parse().ok()?,
            iat: number("iat")?,
            exp: number("exp")?,
            jti: text(&names.jti)?.parse().ok()?,
            sid: text("sid")?.parse().ok()?,
            all,
        })
    }
}
