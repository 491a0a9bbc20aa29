//! The flags of the token service: the settings of simplejwt that mean something here, and ours.

use crate::config::{
    BrowserConfig, ClaimNames, GivenAlgorithm, Origin, SignInConfig, SigningConfig, SlidingConfig, TokensConfig,
    UserIdField,
};
use crate::units::parse_duration;
use clap::builder::{BoolishValueParser, FalseyValueParser};
use clap::{ArgAction, Args, ValueEnum};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

/// What tokens say and who signs them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Tokens")]
pub(super) struct TokenFlags {
    /// The issuer that tokens name.
    #[arg(long, env = "PORTCULLIS_APP_ISSUER", default_value = "https://localhost:8443", value_name = "URL")]
    issuer: String,
    /// The audience that access tokens name.
    #[arg(long, env = "PORTCULLIS_APP_AUDIENCE", default_value = "api", value_name = "NAME")]
    audience: String,
    /// How long an access token counts.
    #[arg(long, env = "PORTCULLIS_APP_ACCESS_LIFETIME", default_value = "5min", value_parser = parse_duration, value_name = "TIME")]
    access_lifetime: Duration,
    /// How long a refresh token counts, and so an unused session.
    #[arg(long, env = "PORTCULLIS_APP_REFRESH_LIFETIME", default_value = "24h", value_parser = parse_duration, value_name = "TIME")]
    refresh_lifetime: Duration,
    /// How far the clocks of several instances may be apart: tokens count that much longer, and so does --reuse-grace.
    #[arg(long, env = "PORTCULLIS_APP_TOKEN_LEEWAY", default_value = "0s", value_parser = parse_duration, value_name = "TIME")]
    token_leeway: Duration,
    /// A refresh gives a new refresh token too.
    #[arg(long, env = "PORTCULLIS_APP_REFRESH_ROTATION", default_value = "true", action = ArgAction::Set, value_parser = BoolishValueParser::new(), value_name = "BOOL")]
    refresh_rotation: bool,
    /// The old refresh token then stops working, and its reuse ends the session.
    #[arg(long, env = "PORTCULLIS_APP_BLACKLIST_AFTER_ROTATION", default_value = "true", action = ArgAction::Set, value_parser = BoolishValueParser::new(), value_name = "BOOL")]
    blacklist_after_rotation: bool,
    /// How long a used refresh token still returns its successor.
    #[arg(long, env = "PORTCULLIS_APP_REUSE_GRACE", default_value = "10s", value_parser = parse_duration, value_name = "TIME")]
    reuse_grace: Duration,
    /// A sign-in is noted in the account.
    #[arg(long, env = "PORTCULLIS_APP_UPDATE_LAST_LOGIN", default_value = "true", action = ArgAction::Set, value_parser = BoolishValueParser::new(), value_name = "BOOL")]
    update_last_login: bool,
    /// An inactive account is refused.
    #[arg(long, env = "PORTCULLIS_APP_CHECK_USER_ACTIVE", default_value = "true", action = ArgAction::Set, value_parser = BoolishValueParser::new(), value_name = "BOOL")]
    check_user_active: bool,
    /// A new password ends the other sessions.
    #[arg(long, env = "PORTCULLIS_APP_REVOKE_ON_PASSWORD_CHANGE", default_value = "true", action = ArgAction::Set, value_parser = BoolishValueParser::new(), value_name = "BOOL")]
    revoke_on_password_change: bool,
    /// The most sessions of a user; one more ends the oldest.
    #[arg(long, env = "PORTCULLIS_APP_SESSIONS_MAX", default_value_t = 100, value_name = "N")]
    sessions_max: u32,
    /// What the user id claim says.
    #[arg(long, env = "PORTCULLIS_APP_USER_ID_FIELD", default_value = "id", value_name = "FIELD")]
    user_id_field: Field,
    /// The claim that names the user.
    #[arg(long, env = "PORTCULLIS_APP_USER_ID_CLAIM", default_value = "user_id", value_name = "NAME")]
    user_id_claim: String,
    /// The claim that tells access and refresh tokens apart.
    #[arg(long, env = "PORTCULLIS_APP_TOKEN_TYPE_CLAIM", default_value = "token_type", value_name = "NAME")]
    token_type_claim: String,
    /// The claim with the token's id.
    #[arg(long, env = "PORTCULLIS_APP_JTI_CLAIM", default_value = "jti", value_name = "NAME")]
    jti_claim: String,
    /// Sliding tokens too: /api/token/sliding/.
    #[arg(long, env = "PORTCULLIS_APP_SLIDING", value_parser = FalseyValueParser::new())]
    sliding: bool,
    /// How long a sliding token counts.
    #[arg(long, env = "PORTCULLIS_APP_SLIDING_LIFETIME", default_value = "5min", value_parser = parse_duration, value_name = "TIME")]
    sliding_lifetime: Duration,
    /// How long after its sign-in a sliding token may be exchanged for a later one.
    #[arg(long, env = "PORTCULLIS_APP_SLIDING_REFRESH_LIFETIME", default_value = "24h", value_parser = parse_duration, value_name = "TIME")]
    sliding_refresh_lifetime: Duration,
    /// Tokens in cookies that no script can read, and none in a body.
    #[arg(long, env = "PORTCULLIS_APP_BROWSER", value_parser = FalseyValueParser::new())]
    browser: bool,
    /// Whose pages may use those cookies where the browser does not say that they are ours; the issuer's when absent.
    #[arg(long, env = "PORTCULLIS_APP_BROWSER_ORIGIN", value_delimiter = ',', value_name = "ORIGIN")]
    browser_origin: Vec<Origin>,
    /// The secret of those who may introspect tokens (43 characters of base64url); nobody may when absent.
    #[arg(long, env = "PORTCULLIS_APP_INTROSPECTION_SECRET", value_name = "FILE")]
    introspection_secret: Option<PathBuf>,
    #[command(flatten)]
    signing: SigningFlags,
    #[command(flatten)]
    sign_in: SignInFlags,
}

/// Who signs.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Signing keys")]
pub(super) struct SigningFlags {
    /// How tokens are signed: with keys of our own (EdDSA), or with the one of --signing-key.
    #[arg(long, env = "PORTCULLIS_APP_ALGORITHM", default_value = "EdDSA", value_name = "ALGORITHM")]
    algorithm: Algorithm,
    /// A key of yours: a private key in PEM, or for HS256 a secret of 32 bytes or more. Our own keys when absent.
    #[arg(long, env = "PORTCULLIS_APP_SIGNING_KEY", value_name = "FILE")]
    signing_key: Option<PathBuf>,
    /// The secret that seals our own keys in the database (43 characters of base64url), the same for all instances; one
    /// in the state folder when absent.
    #[arg(long, env = "PORTCULLIS_APP_SEALING_KEY", value_name = "FILE")]
    sealing_key: Option<PathBuf>,
    /// How long a key of our own signs before the next one does.
    #[arg(long, env = "PORTCULLIS_APP_KEY_ROTATE_AFTER", default_value = "30d", value_parser = parse_duration, value_name = "TIME")]
    key_rotate_after: Duration,
    /// How long a key of our own is published before it signs.
    #[arg(long, env = "PORTCULLIS_APP_KEY_ANNOUNCE", default_value = "20min", value_parser = parse_duration, value_name = "TIME")]
    key_announce: Duration,
}

/// How often a sign-in may be tried.
#[derive(Debug, Args)]
#[command(next_help_heading = "Sign-ins")]
struct SignInFlags {
    /// Tries at one account that need no waiting.
    #[arg(long, env = "PORTCULLIS_APP_SIGN_IN_ACCOUNT_BURST", default_value = "10", value_name = "N")]
    sign_in_account_burst: NonZeroU32,
    /// One more try at an account each time this has passed.
    #[arg(long, env = "PORTCULLIS_APP_SIGN_IN_ACCOUNT_PAUSE", default_value = "6s", value_parser = parse_duration, value_name = "TIME")]
    sign_in_account_pause: Duration,
    /// Tries from one address that need no waiting.
    #[arg(long, env = "PORTCULLIS_APP_SIGN_IN_ADDRESS_BURST", default_value = "100", value_name = "N")]
    sign_in_address_burst: NonZeroU32,
    /// One more try from an address each time this has passed.
    #[arg(long, env = "PORTCULLIS_APP_SIGN_IN_ADDRESS_PAUSE", default_value = "1s", value_parser = parse_duration, value_name = "TIME")]
    sign_in_address_pause: Duration,
    /// Accounts and addresses that are remembered at once.
    #[arg(long, env = "PORTCULLIS_APP_SIGN_IN_REMEMBERED_MAX", default_value_t = 65_536, value_name = "N")]
    sign_in_remembered_max: usize,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Field {
    Id,
    Username,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Algorithm {
    #[value(name = "EdDSA")]
    EdDsa,
    #[value(name = "HS256")]
    Hs256,
    #[value(name = "RS256")]
    Rs256,
    #[value(name = "ES256")]
    Es256,
}

impl TokenFlags {
    /// The settings, not yet checked against each other.
    pub(super) fn into_config(self) -> Result<(TokensConfig, SignInConfig), String> {
        let Self {
            issuer,
            audience,
            access_lifetime,
            refresh_lifetime,
            token_leeway,
            refresh_rotation,
            blacklist_after_rotation,
            reuse_grace,
            update_last_login,
            check_user_active,
            revoke_on_password_change,
            sessions_max,
            user_id_field,
            user_id_claim,
            token_type_claim,
            jti_claim,
            sliding,
            sliding_lifetime,
            sliding_refresh_lifetime,
            browser,
            browser_origin,
            introspection_secret,
            signing,
            sign_in,
        } = self;
        let origins = if browser_origin.is_empty() { issuer.parse().into_iter().collect() } else { browser_origin };
        let tokens = TokensConfig {
            access_lifetime,
            refresh_lifetime,
            leeway: token_leeway,
            rotate: refresh_rotation,
            blacklist_after_rotation,
            reuse_grace,
            update_last_login,
            signing: signing.into_config()?,
            claims: ClaimNames { user_id: user_id_claim, token_type: token_type_claim, jti: jti_claim },
            user_id_field: match user_id_field {
                Field::Id => UserIdField::Id,
                Field::Username => UserIdField::Username,
            },
            check_user_active,
            revoke_on_password_change,
            sliding: sliding
                .then_some(SlidingConfig { lifetime: sliding_lifetime, refresh_lifetime: sliding_refresh_lifetime }),
            browser: browser.then_some(BrowserConfig { origins }),
            introspection_secret,
            sessions_max,
            issuer,
            audience,
        };
        tokens.check().map_err(|error| error.to_string())?;
        Ok((tokens, sign_in.into_config()))
    }
}

impl SigningFlags {
    pub(super) fn into_config(self) -> Result<SigningConfig, String> {
        let Self { algorithm, signing_key, sealing_key, key_rotate_after, key_announce } = self;
        let algorithm = match (algorithm, &signing_key) {
            (Algorithm::EdDsa, None) => {
                return Ok(SigningConfig::Own { rotate_after: key_rotate_after, announce: key_announce, sealing_key });
            }
            (_, None) => {
                return Err("--algorithm: only EdDSA keys are made; give another one with --signing-key".to_owned());
            }
            (Algorithm::EdDsa, Some(_)) => GivenAlgorithm::EdDsa,
            (Algorithm::Hs256, Some(_)) => GivenAlgorithm::Hs256,
            (Algorithm::Rs256, Some(_)) => GivenAlgorithm::Rs256,
            (Algorithm::Es256, Some(_)) => GivenAlgorithm::Es256,
        };
        Ok(SigningConfig::Given { algorithm, file: signing_key.unwrap_or_default() })
    }
}

impl SignInFlags {
    fn into_config(self) -> SignInConfig {
        let Self {
            sign_in_account_burst,
            sign_in_account_pause,
            sign_in_address_burst,
            sign_in_address_pause,
            sign_in_remembered_max,
        } = self;
        SignInConfig {
            account_burst: sign_in_account_burst,
            account_pause: sign_in_account_pause,
            address_burst: sign_in_address_burst,
            address_pause: sign_in_address_pause,
            remembered_max: sign_in_remembered_max,
        }
    }
}
