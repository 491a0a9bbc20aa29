//! The real front server in process, with one listener or several on port 0.

use crate::certs::trusting_file;
use crate::client::Client;
use crate::deadline::within;
use crate::log::Log;
use crate::metrics::Metrics;
use portcullis::config::{self, Config};
use portcullis::run::{self, Running, StartOptions};
use serve::listener::Address;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// What a test's configuration leaves out: one worker, an operator's listener on a free port, all state in the
/// server's own folder; and one site for every name.
const DEFAULTS: [(&str, &str); 3] = [
    ("[server]", "threads = 1\nstate = \"{folder}/state\"\n"),
    ("[admin]", "address = \"127.0.0.1:0\"\n"),
    ("[log]", "format = \"json\"\n"),
];

/// A running front server with a folder of its own. Dropped, it stops at once.
pub struct Edge {
    running: Running,
    log: Log,
    folder: TempDir,
    variables: BTreeMap<String, String>,
}

/// What most tests of one feature need: everything on `http` goes to one upstream, `app`, and nobody is asked for a
/// token. The route stands last, so that its keys may follow.
#[must_use]
pub fn forwarding_to(endpoint: &str) -> String {
    format!(
        r#"
        [listener.http]
        address = "127.0.0.1:0"

        [upstream.app]
        endpoints = ["{endpoint}"]

        [[route]]
        match = "/**"
        auth = "public"
        forward = "app"
        "#
    )
}

/// As [`forwarding_to`], with a second listener, `https`, that speaks TLS with the development certificate of the
/// site `any`.
#[must_use]
pub fn forwarding_from_both(endpoint: &str) -> String {
    let https = "[listener.https]
address = \"127.0.0.1:0\"
tls = true

[site.any]
tls = \"self-signed\"
";
    forwarding_to(endpoint).replacen(
        "[listener.http]",
        &format!(
            "{https}
[listener.http]
tls = false"
        ),
        1,
    )
}

impl Edge {
    /// Starts it with this configuration. `{folder}` in the text stands for the server's own folder; what tests do
    /// not care about (threads, admin listener, state, log format) is set where the text does not.
    ///
    /// # Panics
    ///
    /// When it does not start; the message says why.
    pub async fn start(config: &str) -> Self {
        Self::start_in(TempDir::new().expect("a folder"), config).await
    }

    /// As [`Edge::start`], in a folder that the test has prepared.
    ///
    /// # Panics
    ///
    /// As [`Edge::start`].
    pub async fn start_in(folder: TempDir, config: &str) -> Self {
        Self::start_with(folder, config, BTreeMap::new()).await
    }

    /// As [`Edge::start_in`], with these environment variables.
    ///
    /// # Panics
    ///
    /// As [`Edge::start`].
    pub async fn start_with(folder: TempDir, config: &str, variables: BTreeMap<String, String>) -> Self {
        Self::start_adjusted(folder, config, variables, |_| {}).await
    }

    /// As [`Edge::start_with`], after a change of the checked configuration: for values that no file can hold.
    ///
    /// # Panics
    ///
    /// As [`Edge::start`].
    pub async fn start_adjusted(
        folder: TempDir,
        config: &str,
        variables: BTreeMap<String, String>,
        adjust: impl FnOnce(&mut Config),
    ) -> Self {
        let read = read(config, folder.path(), &variables);
        let log = Log::default();
        let options = StartOptions { request_log: Some(Box::new(log.clone())), ..StartOptions::default() };
        let mut config = read.unwrap_or_else(|problems| unreachable!("a test's configuration is good: {problems}"));
        adjust(&mut config);
        let started = run::start(config, options).await;
        let running = started.unwrap_or_else(|error| unreachable!("the front server starts: {error}"));
        Self { running, log, folder, variables }
    }

    /// The server's own folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it has logged of requests.
    #[must_use]
    pub const fn log(&self) -> &Log {
        &self.log
    }

    /// Where a listener is bound.
    ///
    /// # Panics
    ///
    /// When there is no TCP listener of this name.
    #[must_use]
    pub fn address(&self, listener: &str) -> SocketAddr {
        tcp(self.running.address(listener).expect("a listener of this name"))
    }

    /// The certificate that was made for development, of the site with this name.
    #[must_use]
    pub fn development_certificate(&self, site: &str) -> PathBuf {
        self.folder().join("state").join(format!("self-signed-{site}.pem"))
    }

    /// A client of the listener `http`.
    #[must_use]
    pub fn http(&self) -> Client {
        Client::http(self.address("http"))
    }

    /// A client of the listener `https`, which has the development certificate of the site `any`.
    #[must_use]
    pub fn https(&self) -> Client {
        Client::https(self.address("https"), trusting_file(&self.development_certificate("any")))
    }

    /// A client of the operator's listener.
    ///
    /// # Panics
    ///
    /// When it is switched off.
    #[must_use]
    pub fn admin(&self) -> Client {
        Client::http(tcp(self.running.admin().expect("an operator's listener")))
    }

    /// Waits until it says that it is ready, which may take a fetch of keys.
    pub async fn ready(&self) {
        let ready = async { while self.admin().get("/readyz").send().await.status != 200 {} };
        within("the front server to be ready", ready).await;
    }

    /// What it has counted, in the format of metrics, which is checked to the letter.
    ///
    /// # Panics
    ///
    /// When the page is not as the format says.
    pub async fn metrics(&self) -> Metrics {
        let answer = self.admin().get("/metrics").send().await.expect_status(200);
        assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        Metrics::parse(answer.text())
    }

    /// Waits until a sample, such as `portcullis_connections_open`, has this value: the end of a connection is counted
    /// by another thread than the one that sees it.
    pub async fn counted(&self, sample: &str, value: u64) {
        let counted = async { while self.metrics().await.get(sample) != value {} };
        within(format!("{sample} to be {value}"), counted).await;
    }

    /// Waits until the samples that begin so have this sum.
    pub async fn counted_sum(&self, start: &str, sum: u64) {
        let counted = async { while self.metrics().await.sum(start) != sum {} };
        within(format!("{start} to be {sum} in all"), counted).await;
    }

    /// Waits until a sample has at least this value.
    pub async fn counted_at_least(&self, sample: &str, value: u64) {
        let counted = async { while self.metrics().await.get(sample) < value {} };
        within(format!("{sample} to be {value} or more"), counted).await;
    }

    /// Replaces the configuration, as SIGHUP does.
    ///
    /// # Errors
    ///
    /// What `portcullis check` would print; the server goes on with what it had.
    pub async fn reload(&self, config: &str) -> Result<(), String> {
        self.put_in_force(self.read(config)?).await
    }

    /// Reads a configuration; the second half of [`Edge::reload`] is [`Edge::put_in_force`].
    ///
    /// # Errors
    ///
    /// The mistakes in it.
    pub fn read(&self, config: &str) -> Result<Config, String> {
        read(config, self.folder(), &self.variables)
    }

    /// Replaces the configuration by one that was read.
    ///
    /// # Errors
    ///
    /// When something that it names can't be used; the server goes on with what it had.
    pub async fn put_in_force(&self, config: Config) -> Result<(), String> {
        self.running.reload(Some(config)).await.map(drop).map_err(|error| error.to_string())
    }

    /// Stops it as SIGTERM does and waits for the end: nothing new is accepted, what is under way finishes. Says how
    /// many connections were cut.
    pub async fn drain(self) -> usize {
        self.running.shutdown().await.cut
    }
}

fn read(config: &str, folder: &Path, variables: &BTreeMap<String, String>) -> Result<Config, String> {
    let folder_name = folder.to_str().expect("a folder with a name in UTF-8");
    let mut text = config.to_owned();
    for (table, keys) in DEFAULTS {
        if text.contains(table) {
            let missing = keys.lines().filter(|line| !text.contains(line.split('=').next().unwrap_or_default().trim()));
            let missing: Vec<&str> = missing.collect();
            text = text.replacen(table, &format!("{table}\n{}\n", missing.join("\n")), 1);
        } else {
            write!(text, "\n{table}\n{keys}").expect("a string takes text");
        }
    }
    if !text.contains("[site.") {
        text.push_str("\n[site.any]\n");
    }
    let text = text.replace("{folder}", folder_name);
    let variable = |name: &str| variables.get(name).cloned();
    config::load_str("test.toml", &text, &variable, folder).map_err(|problems| problems.to_string())
}

fn tcp(address: &Address) -> SocketAddr {
    let Address::Tcp(address) = address else { unreachable!("a TCP listener") };
    *address
}
