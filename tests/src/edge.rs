//! The real front server in process, with one listener or several on port 0.

use crate::client::Client;
use serve::listener::Address;
use std::net::SocketAddr;
use std::path::Path;
use tempfile::TempDir;

/// A running front server with a folder of its own. Dropped, it stops at once.
pub struct Edge {
    folder: TempDir,
}

/// What most tests of one feature need: everything on `http` goes to one upstream, `app`, and nobody is asked for a
/// token. Further tables may follow.
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

impl Edge {
    /// Starts it with this configuration. `{folder}` in the text stands for the server's own folder; what tests do
    /// not care about (threads, admin listener, state, access log) is set where the text has no such table.
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
        Self { folder }
    }

    /// The server's own folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where a listener is bound.
    ///
    /// # Panics
    ///
    /// When there is no TCP listener of this name.
    #[must_use]
    pub fn address(&self, listener: &str) -> SocketAddr {
        unimplemented!()
    }

    /// The certificate that was made for development.
    #[must_use]
    pub fn development_certificate(&self) -> std::path::PathBuf {
        unimplemented!()
    }

    /// A client of the listener `http`.
    #[must_use]
    pub fn http(&self) -> Client {
        Client::http(self.address("http"))
    }

    /// A client of the operator's listener.
    #[must_use]
    pub fn admin(&self) -> Client {
        unimplemented!()
    }

    /// Replaces the configuration, as SIGHUP does.
    ///
    /// # Errors
    ///
    /// What `portcullis check` would print; the server goes on with what it had.
    pub async fn reload(&self, config: &str) -> Result<(), String> {
        unimplemented!()
    }

    /// Stops it as SIGTERM does and waits for the end: nothing new is accepted, what is under way finishes.
    pub async fn drain(self) -> usize {
        unimplemented!()
    }
}
