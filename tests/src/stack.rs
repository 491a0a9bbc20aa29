//! The whole product in process: the application and, before it, the edge with the configuration that is shipped.

use crate::certs::trusting_file;
use crate::client::Client;
use crate::edge::Edge;
use portcullis_app::Running;
use portcullis_app::config::{Config, DatabaseUrl, DemoConfig, EdgeConfig, SignInConfig, TokensConfig, keys_below};
use portcullis_app::keys;
use portcullis_app::store::Database;
use portcullis_app::tokens::Tokens;
use rustls::ClientConfig;
use serde_json::{Value, json};
use serve::listener::Address;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// The name of the user that the first start makes.
pub const DEMO: &str = "demo";
/// That user's password here; in a real first start it is generated.
pub const DEMO_PASSWORD: &str = "correct horse battery";
/// What tokens name as their issuer.
const ISSUER: &str = "https://localhost:8443";

/// The application, the edge before it, and a folder for the state of both.
pub struct Stack {
    /// The front server. Stops first: it is declared first.
    pub edge: Edge,
    application: Running,
    trust: ClientConfig,
}

/// Somebody who is signed in.
pub struct User {
    /// For the login form.
    pub password: String,
    /// The access token.
    pub access: String,
    /// The refresh token.
    pub refresh: String,
}

impl Stack {
    /// Starts both on free ports, with an empty database, and waits until the stack is ready.
    ///
    /// # Panics
    ///
    /// When one does not start; the message says why.
    pub async fn start() -> Self {
        Self::start_with(|_| {}, str::to_owned).await
    }

    /// As [`Stack::start`], with other settings of the application and of the edge.
    ///
    /// # Panics
    ///
    /// As [`Stack::start`].
    pub async fn start_with(change: impl FnOnce(&mut Config), edit: impl FnOnce(&str) -> String) -> Self {
        let folder = TempDir::new().expect("a folder");
        let mut config = application(folder.path());
        change(&mut config);
        let started = portcullis_app::start(config).await;
        let application = started.unwrap_or_else(|error| unreachable!("the application starts: {error}"));
        let variables = variables(folder.path(), tcp(application.address()));
        let edge = Edge::start_with(folder, &edit(&shipped()), variables).await;
        edge.ready().await;
        let trust = trusting_file(&edge.development_certificate("main"));
        Self { edge, application, trust }
    }

    /// Lets the next signing key of the application sign, from outside, as the command does. Returns its name.
    ///
    /// # Panics
    ///
    /// When the application's database or keys can't be used.
    pub async fn rotate_keys(&self) -> String {
        let database = self.database().await;
        let active = self.keeper(&database).rotate(true, jiff::Timestamp::now()).await.expect("a rotation");
        database.close().await;
        active
    }

    /// The application's database, opened a second time.
    ///
    /// # Panics
    ///
    /// When it can't be.
    pub async fn database(&self) -> Database {
        let file = self.edge.folder().join("app").join("app.db");
        Database::open(&DatabaseUrl::Sqlite(file)).await.expect("the database")
    }

    /// What signs as the application does.
    ///
    /// # Panics
    ///
    /// When the application's keys can't be used.
    pub async fn tokens(&self, database: &Database) -> Tokens {
        let loaded = self.keeper(database).load(jiff::Timestamp::now()).await.expect("keys");
        Tokens::new(loaded.ring, TokensConfig::new(ISSUER.to_owned(), "api".to_owned()))
    }

    fn keeper(&self, database: &Database) -> keys::KeyKeeper {
        let signing = TokensConfig::new(ISSUER.to_owned(), "api".to_owned()).signing;
        let folder = keys_below(&self.edge.folder().join("app"));
        let keeper = keys::keeper(&signing, &folder, Duration::MAX, database.clone());
        keeper.expect("the sealing key").expect("keys of its own")
    }

    /// Makes the edge read its configuration and everything that it names again, as SIGHUP does.
    ///
    /// # Panics
    ///
    /// When it can't.
    pub async fn reload(&self) {
        let reloaded = self.edge.reload(&shipped()).await;
        reloaded.unwrap_or_else(|problems| unreachable!("the shipped file is good: {problems}"));
    }

    /// A client of the edge, HTTP/1.1 over TLS.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::https(self.edge.address("https"), self.trust.clone())
    }

    /// A client that reaches the application's own port.
    #[must_use]
    pub fn application(&self) -> Client {
        Client::http(tcp(self.application.address()))
    }

    /// Makes a user and signs him in.
    ///
    /// # Panics
    ///
    /// When the application does not let him.
    pub async fn register(&self, username: &str) -> User {
        let password = format!("the password of {username}");
        let body = json!({ "username": username, "password": password });
        let _ = self.client().post("/api/register/").json(&body).send().await.expect_status(201);
        self.sign_in(username, &password).await
    }

    /// Signs the demo user in, who is an admin.
    ///
    /// # Panics
    ///
    /// As [`Stack::register`].
    pub async fn sign_in_demo(&self) -> User {
        self.sign_in(DEMO, DEMO_PASSWORD).await
    }

    async fn sign_in(&self, username: &str, password: &str) -> User {
        let body = json!({ "username": username, "password": password });
        let pair = self.client().post("/api/token/").json(&body).send().await.expect_status(200).json();
        let text = |value: &Value| value.as_str().expect("a token").to_owned();
        User { password: password.to_owned(), access: text(&pair["access"]), refresh: text(&pair["refresh"]) }
    }
}

/// The configuration that is shipped.
fn shipped() -> String {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::fs::read_to_string(repository.join("deploy/portcullis.toml")).expect("the shipped file")
}

/// The application on a free port, with an empty SQLite database and all other state below this folder.
#[must_use]
pub fn application(folder: &Path) -> Config {
    let state = folder.join("app");
    Config {
        listen: "127.0.0.1:0".parse().expect("an address"),
        threads: NonZeroUsize::MIN,
        database: DatabaseUrl::Sqlite(state.join("app.db")),
        state,
        request_timeout: Duration::from_secs(60),
        drain_timeout: Duration::from_secs(5),
        in_flight_max: 256,
        connections_max: 256,
        access_log: None,
        attachment_bytes_max: 25 << 20,
        edge: EdgeConfig {
            assertion_key: folder.join("assertion.key"),
            assertion_key_create: true,
            upstream_name: "app".to_owned(),
        },
        tokens: TokensConfig::new(ISSUER.to_owned(), "api".to_owned()),
        sign_in: SignInConfig::default(),
        demo: Some(DemoConfig { username: DEMO.to_owned(), password: Some(DEMO_PASSWORD.to_owned()) }),
    }
}

/// What `deploy/portcullis.toml` leaves to the environment.
fn variables(folder: &Path, application: SocketAddr) -> BTreeMap<String, String> {
    let below = |name: &str| folder.join(name).display().to_string();
    let site = Path::new(env!("CARGO_MANIFEST_DIR")).join("../static").display().to_string();
    let free = || "127.0.0.1:0".to_owned();
    [
        ("PORTCULLIS_STATE", below("state")),
        ("PORTCULLIS_ADMIN", free()),
        ("PORTCULLIS_HTTPS", free()),
        ("PORTCULLIS_HTTP", free()),
        ("PORTCULLIS_APP_ENDPOINT", application.to_string()),
        ("PORTCULLIS_ASSERTION_KEY", below("assertion.key")),
        ("PORTCULLIS_ISSUER", ISSUER.to_owned()),
        ("PORTCULLIS_STATIC", site),
        ("PORTCULLIS_ATTACHMENTS", below("app/attachments")),
        ("PORTCULLIS_LOG_FORMAT", "json".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn tcp(address: &Address) -> SocketAddr {
    let Address::Tcp(address) = address else { unreachable!("a TCP listener") };
    *address
}
