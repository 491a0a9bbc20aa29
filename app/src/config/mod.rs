//! What the application is told at its start, checked and complete.

mod browser;
mod sign_in;
mod tokens;

pub use browser::{BrowserConfig, Origin};
pub use sign_in::SignInConfig;
pub(crate) use tokens::REFRESH_EXP;
pub use tokens::{
    ACCESS_LIFETIME_MAX, BadSettings, ClaimNames, GivenAlgorithm, SigningConfig, SlidingConfig, TokensConfig,
    UserIdField,
};

use serve::listener::Address;
use serve::telemetry::Format;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything that differs between two installations.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the host listens.
    pub listen: Address,
    /// How many workers serve, one thread each.
    pub threads: NonZeroUsize,
    /// Where rows are kept.
    pub database: DatabaseUrl,
    /// The folder of all state: signing keys, attachments, the SQLite file.
    pub state: PathBuf,
    /// How long the host waits for a response's head.
    pub request_timeout: Duration,
    /// How long the host lets work finish when it is told to stop.
    pub drain_timeout: Duration,
    /// How many requests are served at once; more are answered 503.
    pub in_flight_max: usize,
    /// How many connections are open at once; more wait in the kernel's queue.
    pub connections_max: usize,
    /// How the line of a request looks; none are written without it.
    pub access_log: Option<Format>,
    /// The largest attachment, in bytes.
    pub attachment_bytes_max: u64,
    /// Whose word about identities counts.
    pub edge: EdgeConfig,
    /// What tokens say.
    pub tokens: TokensConfig,
    /// How often a sign-in may be tried.
    pub sign_in: SignInConfig,
    /// The user that is made at the first start.
    pub demo: Option<DemoConfig>,
}

impl Config {
    /// Where the files of attachments are, named by their digest.
    #[must_use]
    pub fn attachments(&self) -> PathBuf {
        self.state.join("attachments")
    }

    /// Where the secret is that seals the signing keys.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        keys_below(&self.state)
    }
}

/// Where the secret is that seals the signing keys.
#[must_use]
pub fn keys_below(state: &Path) -> PathBuf {
    state.join("keys")
}

/// How the edge proves itself.
#[derive(Debug, Clone)]
pub struct EdgeConfig {
    /// The file of the key that assertions are signed with.
    pub assertion_key: PathBuf,
    /// Whether a missing key file is made.
    pub assertion_key_create: bool,
    /// How the edge calls this application: the `aud` of an assertion.
    pub upstream_name: String,
}

/// The first user.
#[derive(Clone)]
pub struct DemoConfig {
    /// The name.
    pub username: String,
    /// The password; generated and printed once when absent.
    pub password: Option<String>,
}

impl std::fmt::Debug for DemoConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DemoConfig").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Where rows are kept.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file of SQLite.
    Sqlite(PathBuf),
    /// A PostgreSQL URL, which may hold a password.
    Postgres(String),
}

/// Why a text is no [`DatabaseUrl`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected \"sqlite:///path/app.db\" or \"postgres://user@host/name\"")]
pub struct BadDatabaseUrl;

impl std::str::FromStr for DatabaseUrl {
    type Err = BadDatabaseUrl;

    fn from_str(text: &str) -> Result<Self, BadDatabaseUrl> {
        if let Some(path) = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:")) {
            return if path.is_empty() { Err(BadDatabaseUrl) } else { Ok(Self::Sqlite(path.into())) };
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
        }
        Err(BadDatabaseUrl)
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            // The rest of the URL may hold a password.
            Self::Postgres(_) => f.write_str("postgres://..."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_urls_name_one_of_two_kinds() {
        for (text, url) in [
            ("sqlite:///var/app.db", Ok(DatabaseUrl::Sqlite("/var/app.db".into()))),
            ("sqlite://var/app.db", Ok(DatabaseUrl::Sqlite("var/app.db".into()))),
            ("postgres://u:p@h/d", Ok(DatabaseUrl::Postgres("postgres://u:p@h/d".to_owned()))),
            ("mysql://h/d", Err(BadDatabaseUrl)),
            ("sqlite://", Err(BadDatabaseUrl)),
        ] {
            assert_eq!(text.parse(), url, "{text}");
        }
    }

    #[test]
    fn a_printed_url_hides_the_password() {
        let url: DatabaseUrl = "postgres://u:secret@h/d".parse().expect("a URL");
        assert!(!format!("{url:?}").contains("secret"));
    }
}
