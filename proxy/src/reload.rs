//! From a configuration file to the snapshot in force, while the proxy runs.

mod watch;

use watch::reading;
pub(crate) use watch::{Look, Stamps, Watch, stamps};

use crate::config::{self, Config, Problems, Server};
use crate::metrics::Reloads;
use crate::snapshot::{Snapshot, SnapshotError};
use crate::tls::{Certificates, TlsError};
use arc_swap::ArcSwap;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long reading the configuration may take, and then what it names. More than the usual `disk_timeout`, whose error
/// tells which disk it is.
const READ_WITHIN: Duration = Duration::from_secs(60);

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
    /// A new listener's address is not to be had, or its TLS.
    #[error("{0}")]
    Listener(String),
    /// A disk does not answer.
    #[error("what the configuration names was not read within {READ_WITHIN:?}: does a disk not answer?")]
    Stalled,
    /// A defect of ours.
    #[error("reading it panicked, which is a defect of this program: its log says where")]
    Panicked,
    /// An upgrade is under way, or this process has already handed over.
    #[error("{0}")]
    Busy(&'static str),
}

/// Reads and checks a file.
///
/// # Errors
/// Every mistake in it.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    config::load(path, &|name| std::env::var(name).ok()).map_err(ConfigError::Problems)
}

/// What a reload did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Sections that differ from the running ones but need a restart or an upgrade.
    pub need_restart: Vec<&'static str>,
    /// Listeners that were opened, with their real addresses.
    pub opened: Vec<(String, serve::listener::Address)>,
    /// Listeners that go on at their address with other settings.
    pub changed: Vec<String>,
    /// Listeners that accept no more.
    pub closed: Vec<String>,
}

/// In words, for the operator.
impl std::fmt::Display for Reloaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { need_restart, opened, changed, closed } = self;
        f.write_str("the configuration is in force")?;
        for (name, address) in opened {
            write!(f, "\nlistener \"{name}\" opened at {address}")?;
        }
        changed.iter().try_for_each(|name| write!(f, "\nlistener \"{name}\" changed"))?;
        closed.iter().try_for_each(|name| write!(f, "\nlistener \"{name}\" closed"))?;
        need_restart
            .iter()
            .try_for_each(|name| write!(f, "\n[{name}] differs: that takes a restart or `portcullis upgrade`"))
    }
}

/// Holds the snapshot in force and knows how to replace it.
pub(crate) struct Reloader {
    pub(crate) path: Option<PathBuf>,
    pub(crate) current: Arc<ArcSwap<Snapshot>>,
    pub(crate) certificates: Arc<Certificates>,
    pub(crate) counts: Arc<Reloads>,
    /// What was started once, as it was then.
    started: Arc<Config>,
    pub(crate) watch: RefCell<Watch>,
}

/// A snapshot that was built and is not in force yet.
pub(crate) struct Prepared {
    snapshot: Snapshot,
    need_restart: Vec<&'static str>,
}

impl Prepared {
    pub(crate) fn config(&self) -> &Config {
        &self.snapshot.config
    }
}

impl Reloader {
    /// Builds the first snapshot and the certificates.
    pub(crate) fn start(config: Config, path: Option<PathBuf>) -> Result<Self, ConfigError> {
        let certificates = Certificates::load(&config.sites, &config.server.state)?;
        let started = Arc::new(config);
        let snapshot = Snapshot::build(Arc::clone(&started), None)?;
        let mut watch = Watch::default();
        if let Some(path) = path.as_deref().filter(|_| started.server.reload_on_change) {
            // What was read a moment ago is what the files are compared with.
            let (_, read) = reading(Vec::new(), || load_seen(path));
            watch.follow(read);
        }
        Ok(Self {
            path,
            current: Arc::new(ArcSwap::from_pointee(snapshot)),
            certificates,
            counts: Arc::default(),
            started,
            watch: RefCell::new(watch),
        })
    }

    /// Builds what would be in force: of this configuration, or of the file, which is read again. Changes nothing. `None`:
    /// there is no file.
    ///
    /// Reading may have to wait for disks, so other threads do it, and not for ever.
    pub(crate) async fn prepare(&self, config: Option<Config>) -> Result<Option<Prepared>, ConfigError> {
        let config = match (config, &self.path) {
            (Some(config), _) => config,
            (None, Some(path)) => {
                let (path, known) = (path.clone(), self.watch.borrow().files());
                let (loaded, read) = elsewhere(move || reading(known, || load_seen(&path))).await?;
                self.watch.borrow_mut().follow(read);
                loaded?
            }
            (None, None) => return Ok(None),
        };
        let previous = self.current.load_full();
        let need_restart = static_changes(&self.started, &config);
        let snapshot = elsewhere(move || Snapshot::build(Arc::new(config), Some(&previous))).await??;
        Ok(Some(Prepared { snapshot, need_restart }))
    }

    /// Puts it in force. On an error nothing has changed.
    pub(crate) fn commit(&self, prepared: Prepared) -> Result<Reloaded, ConfigError> {
        let Prepared { snapshot, need_restart } = prepared;
        self.certificates.replace(&snapshot.config.sites, &snapshot.config.server.state)?;
        self.current.store(Arc::new(snapshot));
        Ok(Reloaded { need_restart, ..Reloaded::default() })
    }
}

/// Does on another thread what may have to wait for disks.
async fn elsewhere<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ConfigError> {
    let done = tokio::time::timeout(READ_WITHIN, tokio::task::spawn_blocking(work)).await;
    done.map_err(|_| ConfigError::Stalled)?.map_err(|error| {
        if error.is_panic() { ConfigError::Panicked } else { ConfigError::Busy("this process is stopping") }
    })
}

fn load_seen(path: &Path) -> (Result<Config, ConfigError>, Vec<PathBuf>) {
    let (loaded, seen) = config::load_seen(path, &|name| std::env::var(name).ok());
    (loaded.map_err(ConfigError::Problems), seen)
}

/// The static half: what is made once, at the start.
fn static_changes(old: &Config, new: &Config) -> Vec<&'static str> {
    let of_server = |config: &Config| {
        // Without `..`: a new key does not compile until it is on one side or the other.
        let Server {
            threads,
            connections_max,
            connections_per_client_max,
            bad_tokens_per_minute_max: _,
            drain_timeout: _,
            reload_on_change: _,
            state,
            buffer_memory_bytes_max: _,
            buffer_disk_bytes_max: _,
            file_memory_bytes_max,
            open_files_max,
            trusted_proxies: _,
            identity_headers: _,
            trace: _,
            overload,
            resolver: _,
            zone: _,
        } = &config.server;
        let files = (*file_memory_bytes_max, *open_files_max);
        (*threads, *connections_max, *connections_per_client_max, state.clone(), files, *overload)
    };
    let server = of_server(old) != of_server(new);
    let changes = [("server", server), ("admin", old.admin != new.admin), ("log", old.log != new.log)];
    changes.into_iter().filter_map(|(name, changed)| changed.then_some(name)).collect()
}
