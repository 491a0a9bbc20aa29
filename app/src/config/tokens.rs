//! What tokens say, how long they count and who signs them: the settings of djangorestframework-simplejwt that mean
//! something here, under names of our own, and ours.

use super::BrowserConfig;
use std::path::PathBuf;
use std::time::Duration;

/// The longest life of an access token: what edges take at most (`lifetime_max`).
pub const ACCESS_LIFETIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest life of a refresh token: as long as browsers keep a cookie (draft-ietf-httpbis-rfc6265bis section 5.5).
const REFRESH_LIFETIME_MAX: Duration = Duration::from_secs(400 * 24 * 60 * 60);
/// What edges allow clocks to differ at most. Also the longest grace: a longer one would hide a stolen token.
pub(super) const LEEWAY_MAX: Duration = Duration::from_secs(5 * 60);
/// Less than that would be gone before its first use.
const LIFETIME_MIN: Duration = Duration::from_secs(1);
/// The longest name of a claim, in characters.
const CLAIM_CHARS_MAX: usize = 64;
/// The most sessions that a user may have.
const SESSIONS_MAX: u32 = 1000;
/// Claims that have a meaning of their own.
const RESERVED: [&str; 10] = ["iss", "sub", "aud", "exp", "nbf", "iat", "sid", "username", "roles", "scope"];
/// Where a sliding token says until when it may be refreshed (simplejwt's `SLIDING_TOKEN_REFRESH_EXP_CLAIM`).
pub(crate) const REFRESH_EXP: &str = "refresh_exp";

/// What the tokens of this application say.
#[derive(Debug, Clone)]
pub struct TokensConfig {
    /// The `iss` claim.
    pub issuer: String,
    /// The `aud` claim of access tokens.
    pub audience: String,
    /// How long an access token lives.
    pub access_lifetime: Duration,
    /// How long a refresh token lives, and so an unused session.
    pub refresh_lifetime: Duration,
    /// How far the clocks of several instances may be apart: tokens and the grace count that much longer here.
    pub leeway: Duration,
    /// Whether a refresh gives a new refresh token.
    pub rotate: bool,
    /// Whether the old refresh token then stops working. Only that makes a stolen one show.
    pub blacklist_after_rotation: bool,
    /// How long a used refresh token still returns its successor, for clients that refresh twice at once.
    pub reuse_grace: Duration,
    /// Whether a sign-in is noted in the account.
    pub update_last_login: bool,
    /// Who signs.
    pub signing: SigningConfig,
    /// How claims are called.
    pub claims: ClaimNames,
    /// What the user id claim says.
    pub user_id_field: UserIdField,
    /// Whether an inactive account is refused.
    pub check_user_active: bool,
    /// Whether a new password ends the other sessions.
    pub revoke_on_password_change: bool,
    /// Sliding tokens, beside the pairs.
    pub sliding: Option<SlidingConfig>,
    /// Tokens in cookies, instead of bodies.
    pub browser: Option<BrowserConfig>,
    /// The file of the secret that a caller of introspection must show; nobody may introspect without it.
    pub introspection_secret: Option<PathBuf>,
    /// How many sessions a user has at once; one more ends the oldest.
    pub sessions_max: u32,
}

/// Who signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SigningConfig {
    /// Ed25519 keys of our own, in the database, sealed.
    Own {
        /// How long a key signs before the next one does.
        rotate_after: Duration,
        /// How long a key is published before it signs, so that every edge knows it.
        announce: Duration,
        /// The file of the secret that seals private keys; one in the state folder when absent.
        sealing_key: Option<PathBuf>,
    },
    /// One key from a file.
    Given {
        /// What it is used with.
        algorithm: GivenAlgorithm,
        /// The secret, or the private key as PKCS #8 in PEM.
        file: PathBuf,
    },
}

/// What a given key is used with (RFC 7518 section 3.1, RFC 8037).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenAlgorithm {
    /// Ed25519.
    EdDsa,
    /// A secret of 32 bytes or more.
    Hs256,
    /// RSA of 2048 bits or more.
    Rs256,
    /// P-256.
    Es256,
}

/// The names of claims that clients of simplejwt may have set otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimNames {
    /// Names the user: `user_id`.
    pub user_id: String,
    /// Tells access and refresh tokens apart: `token_type`.
    pub token_type: String,
    /// The token's id: `jti`.
    pub jti: String,
}

/// What the user id claim says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserIdField {
    /// The account's id.
    Id,
    /// The account's name.
    Username,
}

/// Tokens that are access and refresh token in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlidingConfig {
    /// How long one counts.
    pub lifetime: Duration,
    /// How long after the sign-in it may be exchanged for a later one.
    pub refresh_lifetime: Duration,
}

/// Settings that can't be meant, each in words that name its flag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct BadSettings(pub Vec<String>);

impl Default for ClaimNames {
    fn default() -> Self {
        Self { user_id: "user_id".to_owned(), token_type: "token_type".to_owned(), jti: "jti".to_owned() }
    }
}

impl SigningConfig {
    /// How long a key of our own signs.
    pub const ROTATE_AFTER: Duration = Duration::from_secs(30 * 24 * 60 * 60);
    /// How long it is published before: twice what edges keep a key set for.
    pub const ANNOUNCE: Duration = Duration::from_secs(20 * 60);
}

impl TokensConfig {
    /// The defaults for an issuer and an audience.
    #[must_use]
    pub fn new(issuer: String, audience: String) -> Self {
        Self {
            issuer,
            audience,
            access_lifetime: Duration::from_secs(5 * 60),
            refresh_lifetime: Duration::from_secs(24 * 60 * 60),
            leeway: Duration::ZERO,
            rotate: true,
            blacklist_after_rotation: true,
            reuse_grace: Duration::from_secs(10),
            update_last_login: true,
            signing: SigningConfig::Own {
                rotate_after: SigningConfig::ROTATE_AFTER,
                announce: SigningConfig::ANNOUNCE,
                sealing_key: None,
            },
            claims: ClaimNames::default(),
            user_id_field: UserIdField::Id,
            check_user_active: true,
            revoke_on_password_change: true,
            sliding: None,
            browser: None,
            introspection_secret: None,
            sessions_max: 100,
        }
    }

    /// How long after its first use, as the clock of any instance tells, a refresh token returns its successor.
    #[must_use]
    pub const fn grace(&self) -> Duration {
        self.reuse_grace.saturating_add(self.leeway)
    }

    /// The longest life of any token that edges take.
    #[must_use]
    pub fn bearer_lifetime(&self) -> Duration {
        let sliding = self.sliding.map_or(Duration::ZERO, |sliding| sliding.lifetime);
        self.access_lifetime.max(sliding)
    }

    /// The longest life of any token.
    #[must_use]
    pub fn lifetime_max(&self) -> Duration {
        self.bearer_lifetime().max(self.refresh_lifetime)
    }

    /// Refuses what can't be meant.
    ///
    /// # Errors
    /// Every such setting.
    pub fn check(&self) -> Result<(), BadSettings> {
        let mut wrong = Vec::new();
        let mut must = |holds: bool, message: &str| {
            if !holds {
                wrong.push(message.to_owned());
            }
        };
        must(!self.issuer.trim().is_empty(), "--issuer: must not be empty");
        must(!self.audience.trim().is_empty(), "--audience: must not be empty");
        must(
            self.audience != self.issuer,
            "--audience: must differ from --issuer, which is the audience of refresh tokens: they would open every API",
        );
        must(
            (LIFETIME_MIN..=ACCESS_LIFETIME_MAX).contains(&self.access_lifetime),
            "--access-lifetime: must be from 1s to 24h, the longest that edges take",
        );
        must(self.refresh_lifetime > self.access_lifetime, "--refresh-lifetime: must be longer than --access-lifetime");
        must(self.refresh_lifetime <= REFRESH_LIFETIME_MAX, "--refresh-lifetime: must be at most 400d");
        must(self.leeway <= LEEWAY_MAX, "--token-leeway: must be at most 5min");
        must(self.reuse_grace <= LEEWAY_MAX, "--reuse-grace: must be at most 5min");
        must((1..=SESSIONS_MAX).contains(&self.sessions_max), "--sessions-max: must be from 1 to 1000");
        if let SigningConfig::Own { rotate_after, announce, sealing_key: _ } = &self.signing {
            must(
                rotate_after > announce,
                "--key-rotate-after: must be longer than --key-announce: the next key would sign before edges know it",
            );
        }
        if let Some(sliding) = &self.sliding {
            must(
                (LIFETIME_MIN..=ACCESS_LIFETIME_MAX).contains(&sliding.lifetime),
                "--sliding-lifetime: must be from 1s to 24h, the longest that edges take",
            );
            must(
                (sliding.lifetime..=REFRESH_LIFETIME_MAX).contains(&sliding.refresh_lifetime),
                "--sliding-refresh-lifetime: must be from --sliding-lifetime to 400d",
            );
            must(
                self.browser.is_none(),
                "--sliding: not together with --browser: a sliding token in a cookie could never be renewed safely",
            );
        }
        if let Some(browser) = &self.browser {
            must(!browser.origins.is_empty(), "--browser-origin: at least one is needed where --issuer is no origin");
        }
        wrong.extend(self.claims.wrong(self.user_id_field));
        if wrong.is_empty() { Ok(()) } else { Err(BadSettings(wrong)) }
    }
}

impl ClaimNames {
    fn wrong(&self, field: UserIdField) -> Vec<String> {
        let Self { user_id, token_type, jti } = self;
        let named = [("--user-id-claim", user_id), ("--token-type-claim", token_type), ("--jti-claim", jti)];
        let mut wrong = Vec::new();
        for (at, (flag, name)) in named.iter().enumerate() {
            // The subject is the user's id anyway.
            let subject = *flag == "--user-id-claim" && *name == "sub" && field == UserIdField::Id;
            if name.is_empty() || name.chars().count() > CLAIM_CHARS_MAX {
                wrong.push(format!("{flag}: must have 1 to {CLAIM_CHARS_MAX} characters"));
            } else if !subject && (RESERVED.contains(&name.as_str()) || name.as_str() == REFRESH_EXP) {
                wrong.push(format!("{flag}: {name:?} has a meaning of its own"));
            } else if named.iter().take(at).any(|(_, other)| other == name) {
                wrong.push(format!("{flag}: {name:?} is the name of another claim"));
            }
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(change: impl FnOnce(&mut TokensConfig)) -> String {
        let mut config = TokensConfig::new("https://id.test".to_owned(), "api".to_owned());
        change(&mut config);
        config.check().err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_can_not_be_meant_is_refused_by_the_name_of_its_flag() {
        type Change = fn(&mut TokensConfig);
        const HOUR: Duration = Duration::from_secs(3600);
        let table: [(Change, &str); 17] = [
            (|_| {}, ""),
            (|c| c.issuer = String::new(), "--issuer: must not be empty"),
            (|c| c.audience = " ".to_owned(), "--audience: must not be empty"),
            (|c| c.audience = c.issuer.clone(), "--audience: must differ"),
            (|c| c.access_lifetime = Duration::ZERO, "--access-lifetime: must be from 1s"),
            (|c| c.access_lifetime = 25 * HOUR, "--access-lifetime: must be from 1s"),
            (|c| c.refresh_lifetime = c.access_lifetime, "--refresh-lifetime: must be longer"),
            (|c| c.refresh_lifetime = 401 * 24 * HOUR, "--refresh-lifetime: must be at most 400d"),
            (|c| c.leeway = HOUR, "--token-leeway"),
            (|c| c.reuse_grace = HOUR, "--reuse-grace"),
            (|c| c.sessions_max = 0, "--sessions-max"),
            (
                |c| c.signing = SigningConfig::Own { rotate_after: HOUR, announce: HOUR, sealing_key: None },
                "--key-rotate-after: must be longer",
            ),
            (|c| c.claims.jti = String::new(), "--jti-claim: must have 1 to 64"),
            (|c| c.claims.token_type = "exp".to_owned(), "--token-type-claim: \"exp\" has a meaning"),
            (|c| c.claims.jti = c.claims.user_id.clone(), "--jti-claim: \"user_id\" is the name of another"),
            (
                |c| c.sliding = Some(SlidingConfig { lifetime: 2 * HOUR, refresh_lifetime: HOUR }),
                "--sliding-refresh-lifetime",
            ),
            (|c| c.browser = Some(BrowserConfig { origins: Vec::new() }), "--browser-origin"),
        ];
        for (change, message) in table {
            let said = wrong(change);
            assert!(said.starts_with(message) && said.is_empty() == message.is_empty(), "{message:?}: {said:?}");
        }
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let said = wrong(|config| {
            config.issuer = String::new();
            config.leeway = Duration::from_secs(3600);
        });
        assert_eq!(said.lines().count(), 2, "{said}");
    }

    #[test]
    fn the_subject_may_be_the_user_id_claim() {
        assert_eq!(wrong(|config| config.claims.user_id = "sub".to_owned()), "");
        let named = wrong(|config| {
            config.claims.user_id = "sub".to_owned();
            config.user_id_field = UserIdField::Username;
        });
        assert!(named.starts_with("--user-id-claim"), "{named}");
    }
}
