//! From a configuration file to the snapshot in force, while the proxy runs.

use crate::config::{self, Config, Problems, Server};
use crate::snapshot::{Snapshot, SnapshotError};
use crate::tls::{Certificates, TlsError};
use arc_swap::ArcSwap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a configuration is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Mistakes in the file.
    #[error("{0}")]
    Problems(Problems),
    /// Something that it names is missing.
    #[error("{0}")]
    Snapshot(#[from] SnapshotError),
    /// A certificate can't be used.
    #[error("{0}")]
    Tls(#[from] TlsError),
}

/// Reads and checks a file.
///
/// # Errors
/// Every mistake in it.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    config::load(path, &|name| std::env::var(name).ok()).map_err(ConfigError::Problems)
}

/// What a reload did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// Sections that differ from the running ones but need a restart.
    pub need_restart: Vec<&'static str>,
}

/// Holds the snapshot in force and knows how to replace it.
pub(crate) struct Reloader {
    pub(crate) path: Option<PathBuf>,
    pub(crate) current: Arc<ArcSwap<Snapshot>>,
    pub(crate) certificates: Arc<Certificates>,
}

impl Reloader {
    /// Builds the first snapshot and the certificates.
    pub(crate) fn start(config: Config, path: Option<PathBuf>) -> Result<Self, ConfigError> {
        let certificates = Certificates::load(&config.sites, &config.server.state)?;
        let snapshot = Snapshot::build(Arc::new(config), None)?;
        Ok(Self { path, current: Arc::new(ArcSwap::from_pointee(snapshot)), certificates })
    }

    /// Reads the file again and puts it in force.
    pub(crate) fn reload(&self) -> Result<Reloaded, ConfigError> {
        let Some(path) = &self.path else { return Ok(Reloaded { need_restart: Vec::new() }) };
        self.replace(load(path)?)
    }

    /// Puts a configuration in force. On an error nothing has changed.
    pub(crate) fn replace(&self, config: Config) -> Result<Reloaded, ConfigError> {
        let previous = self.current.load_full();
        let need_restart = static_changes(&previous.config, &config);
        let snapshot = Snapshot::build(Arc::new(config), Some(&previous))?;
        self.certificates.replace(&snapshot.config.sites, &snapshot.config.server.state)?;
        self.current.store(Arc::new(snapshot));
        Ok(Reloaded { need_restart })
    }
}

/// The static half: what is bound or started once. Budgets of bad tokens and held bodies, trusted proxies,
/// stripped fields and traces of `[server]` do reload.
fn static_changes(old: &Config, new: &Config) -> Vec<&'static str> {
    let of_server = |config: &Config| {
        // Without `..`: a new key does not compile until it is on one side or the other.
        let Server {
            threads,
            connections_max,
            connections_per_client_max,
            bad_tokens_per_minute_max: _,
            drain_timeout,
            state,
            buffer_memory_bytes_max: _,
            buffer_disk_bytes_max: _,
            file_memory_bytes_max,
            open_files_max,
            trusted_proxies: _,
            identity_headers: _,
            trace: _,
            resolver: _,
        } = &config.server;
        let files = (*file_memory_bytes_max, *open_files_max);
        (*threads, *connections_max, *connections_per_client_max, *drain_timeout, state.clone(), files)
    };
    let server = of_server(old) != of_server(new);
    let changes = [
        ("server", server),
        ("admin", old.admin != new.admin),
        ("log", old.log != new.log),
        ("listener", old.listeners != new.listeners),
    ];
    changes.into_iter().filter_map(|(name, changed)| changed.then_some(name)).collect()
}
