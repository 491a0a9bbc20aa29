//! The issuers of one snapshot: rules and keys by name, carried over from the snapshot before where nothing changed.

use super::jwks::discovery::Discovery;
use super::jwks::fetch::{self, Endpoint, UrlProblem};
use super::jwks::{FetchCounts, RemoteSet, Source, refresh};
use super::keys::jwk::{self, Origin, SET_BYTES_MAX, SetProblem};
use super::keys::pem::{self, PemProblem};
use super::keys::record::KeyRecord;
use super::keys::{KeyProblem, KeySet};
use super::linked::LinkedSet;
use super::policy::Policy;
use super::revocations::Revocations;
use crate::config::{self, ErrorShape, Keys};
use crate::link::{LinkedUpstream, Links, RevocationSet};
use crate::metrics::KeyFreshness;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Why an issuer can't be used.
#[derive(Debug, thiserror::Error)]
#[error("issuer {name:?}: {source}")]
pub struct IssuerError {
    /// Its name in the configuration.
    pub name: String,
    /// What is wrong.
    pub source: IssuerProblem,
}

/// What is wrong with an issuer.
#[derive(Debug, thiserror::Error)]
pub enum IssuerProblem {
    /// The file can't be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The JWK set file is not usable.
    #[error("{}: {source}", path.display())]
    Jwks {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: SetProblem,
    },
    /// The JWK set in the configuration is not usable.
    #[error("jwks: {0}")]
    Set(SetProblem),
    /// The PEM file is not usable.
    #[error("{}: {source}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: PemProblem,
    },
    /// The secret is not usable.
    #[error("secret: {0}")]
    Secret(#[from] KeyProblem),
    /// The URL of keys or of the document that names it is not usable.
    #[error("keys: {0}")]
    Url(#[from] UrlProblem),
    /// The check lets no configuration with unknown names through.
    #[error("the upstream {0:?} has no link")]
    Link(String),
    /// TLS for fetching could not be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// One issuer, ready to verify.
#[derive(Debug)]
pub(crate) struct Issuer {
    config: config::Issuer,
    /// What its tokens must say.
    pub(crate) policy: Policy,
    keys: KeySource,
}

#[derive(Debug)]
enum KeySource {
    /// Known when the snapshot is built; with the bytes it was read from.
    Fixed {
        keys: Arc<KeySet>,
        content: Vec<u8>,
    },
    Remote(Arc<RemoteSet>),
    Linked(Arc<LinkedSet>),
}

impl Issuer {
    /// The keys at this moment; `None`: never loaded.
    pub(crate) fn keys(&self) -> Option<Arc<KeySet>> {
        match &self.keys {
            KeySource::Fixed { keys, .. } => Some(Arc::clone(keys)),
            KeySource::Remote(set) => set.keys(),
            KeySource::Linked(set) => set.keys(),
        }
    }

    /// Whether what was verified under this generation still counts.
    pub(crate) fn is_current(&self, generation: u64) -> bool {
        match &self.keys {
            KeySource::Fixed { keys, .. } => keys.generation() == generation,
            KeySource::Remote(set) => set.generation() == Some(generation),
            KeySource::Linked(set) => set.generation() == Some(generation),
        }
    }

    /// The set that can be fetched again, if there is one.
    pub(crate) fn remote(&self) -> Option<&RemoteSet> {
        match &self.keys {
            KeySource::Fixed { .. } | KeySource::Linked(_) => None,
            KeySource::Remote(set) => Some(set),
        }
    }

    /// Whether there may be newer keys that did not come: the last fetch failed, or the link is silent.
    pub(crate) fn may_lack_keys(&self, now: std::time::Instant) -> bool {
        match &self.keys {
            KeySource::Fixed { .. } => false,
            KeySource::Remote(set) => set.has_failed(),
            KeySource::Linked(set) => !set.linked().is_heard(now),
        }
    }

    /// How its refusals look.
    pub(crate) fn errors(&self) -> ErrorShape {
        self.config.errors
    }

    /// The realm of its challenges.
    pub(crate) fn realm(&self) -> &str {
        &self.config.realm
    }

    fn name(&self) -> &str {
        &self.config.name
    }
}

/// All issuers of one snapshot.
#[derive(Debug, Default)]
pub struct Issuers(Vec<Arc<Issuer>>);

impl Issuers {
    /// Builds the issuers. One that is configured as in `previous` is taken over with its keys and so with every
    /// verified token; one with other rules but the same URL keeps the set that was fetched. Files are read again.
    ///
    /// # Errors
    /// [`IssuerError`] for the first issuer that can't be used. A remote set that is not loaded yet is no error: see
    /// [`Issuers::ready`].
    pub fn build(issuers: &[config::Issuer], previous: Option<&Self>) -> Result<Self, IssuerError> {
        Self::build_with(issuers, &Links::default(), previous)
    }

    /// As [`Issuers::build`], with the links of the snapshot's upstreams.
    ///
    /// # Errors
    /// As [`Issuers::build`].
    pub fn build_with(issuers: &[config::Issuer], links: &Links, previous: Option<&Self>) -> Result<Self, IssuerError> {
        let build = |config: &config::Issuer| {
            let before = previous.and_then(|previous| previous.get(&config.name));
            build(config, links, before).map_err(|source| IssuerError { name: config.name.clone(), source })
        };
        issuers.iter().map(build).collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Issuer>> {
        self.0.iter().find(|issuer| issuer.name() == name)
    }

    /// Starts the tasks that keep remote sets fresh, on the runtime that this is called on. They end when the guard
    /// is dropped. On reload start the new ones before the old guard goes.
    #[must_use = "dropping the guard stops the tasks"]
    pub fn spawn_refresh(&self) -> RefreshGuard {
        let mut tasks = JoinSet::new();
        for issuer in &self.0 {
            match &issuer.keys {
                KeySource::Fixed { .. } => {}
                KeySource::Remote(set) => drop(tasks.spawn(refresh::run(Arc::clone(set)))),
                KeySource::Linked(set) => drop(tasks.spawn(Arc::clone(set).follow())),
            }
        }
        RefreshGuard { _tasks: tasks }
    }

    /// What was posted of an issuer's tokens to the admin listener; `None`: there is no such issuer.
    #[must_use]
    pub fn posted(&self, name: &str) -> Option<&RevocationSet> {
        self.get(name).map(|issuer| &*issuer.policy.revocations.posted)
    }

    /// The name and the posted revocations of each issuer.
    pub fn all_posted(&self) -> impl Iterator<Item = (&str, &Arc<RevocationSet>)> {
        self.0.iter().map(|issuer| (issuer.name(), &issuer.policy.revocations.posted))
    }

    /// Whether every remote set has been loaded once.
    ///
    /// # Errors
    /// Which one has not, for the readiness page.
    pub fn ready(&self) -> Result<(), String> {
        match self.0.iter().find(|issuer| issuer.keys().is_none()) {
            Some(issuer) => Err(format!("the keys of issuer {:?} are not loaded", issuer.name())),
            None => Ok(()),
        }
    }

    /// How fresh the keys of each remote issuer are, for the metrics.
    pub fn freshness(&self) -> impl Iterator<Item = KeyFreshness> {
        let now = Instant::now();
        self.0.iter().filter_map(move |issuer| {
            let set = issuer.remote()?;
            Some(KeyFreshness {
                issuer: issuer.name().to_owned(),
                age: set.age(now),
                fetched: set.counts.good.load(Ordering::Relaxed),
                failed: set.counts.failed.load(Ordering::Relaxed),
            })
        })
    }
}

/// The tasks that keep remote sets fresh, until this is dropped.
#[derive(Debug)]
pub struct RefreshGuard {
    _tasks: JoinSet<()>,
}

fn build(config: &config::Issuer, links: &Links, before: Option<&Arc<Issuer>>) -> Result<Arc<Issuer>, IssuerProblem> {
    let revocations = Revocations {
        posted: before.map(|before| Arc::clone(&before.policy.revocations.posted)).unwrap_or_default(),
        linked: config.revocations.as_deref().and_then(|upstream| links.get(upstream)),
    };
    // A link that was gone for a revision is another one, although it has the same name.
    let told_by_same = |before: &Issuer| match (&before.policy.revocations.linked, &revocations.linked) {
        (Some(before), Some(now)) => Arc::ptr_eq(before, now),
        (before, now) => before.is_none() && now.is_none(),
    };
    let same = before.filter(|before| before.config == *config && told_by_same(before));
    let keys = match &config.keys {
        Keys::JwksUrl { url, insecure } => {
            if let Some(same) = same {
                return Ok(Arc::clone(same));
            }
            remote(config, Source::Set(Endpoint::new(url, *insecure, &fetch::tls_config()?)?), before)
        }
        Keys::Discovery { url, insecure } => {
            if let Some(same) = same {
                return Ok(Arc::clone(same));
            }
            let issuer = config.iss.as_deref().unwrap_or_default();
            remote(config, Source::Discovery(Discovery::new(url, issuer, *insecure, &fetch::tls_config()?)?), before)
        }
        Keys::JwksFile { path } => {
            let content = read(path)?;
            if let Some(same) = same.filter(|same| same.was_read_from(&content)) {
                return Ok(Arc::clone(same));
            }
            let (keys, problems) = jwk::load_set(&content, Origin::File, &config.algorithms)
                .map_err(|source| IssuerProblem::Jwks { path: path.clone(), source })?;
            warn(&config.name, problems);
            KeySource::Fixed { keys: Arc::new(keys), content }
        }
        Keys::Jwks(set) => {
            if let Some(same) = same {
                return Ok(Arc::clone(same));
            }
            let (keys, problems) = jwk::load_set(set.to_string().as_bytes(), Origin::File, &config.algorithms)
                .map_err(IssuerProblem::Set)?;
            warn(&config.name, problems);
            KeySource::Fixed { keys: Arc::new(keys), content: Vec::new() }
        }
        Keys::PemFile { path } => {
            let content = read(path)?;
            if let Some(same) = same.filter(|same| same.was_read_from(&content)) {
                return Ok(Arc::clone(same));
            }
            let keys = pem::load(&content, &config.algorithms)
                .map_err(|source| IssuerProblem::Pem { path: path.clone(), source })?;
            KeySource::Fixed { keys: Arc::new(keys), content }
        }
        Keys::Secret(secret) => {
            if let Some(same) = same {
                return Ok(Arc::clone(same));
            }
            KeySource::Fixed { keys: Arc::new(secret_keys(&secret.0, &config.algorithms)?), content: Vec::new() }
        }
        Keys::Link { upstream } => {
            let linked = links.get(upstream).ok_or_else(|| IssuerProblem::Link(upstream.clone()))?;
            if let Some(same) = same.filter(|same| same.is_told_by(&linked)) {
                return Ok(Arc::clone(same));
            }
            KeySource::Linked(Arc::new(LinkedSet::new(&config.name, &config.algorithms, linked)))
        }
    };
    let mut policy = Policy::new(config);
    policy.revocations = Arc::new(revocations);
    Ok(Arc::new(Issuer { config: config.clone(), policy, keys }))
}

fn warn(issuer: &str, problems: Vec<(Option<String>, KeyProblem)>) {
    for (kid, problem) in problems {
        tracing::warn!(issuer, kid, %problem, "a key of the issuer is not used");
    }
}

/// A set that goes on with what was fetched for the same `iss` from the same place.
fn remote(config: &config::Issuer, source: Source, before: Option<&Arc<Issuer>>) -> KeySource {
    let previous = before.and_then(|before| before.remote());
    let same_place = |before: &&Arc<Issuer>| (&before.config.keys, &before.config.iss) == (&config.keys, &config.iss);
    let loaded = before.filter(same_place).and_then(|before| before.remote());
    let counts = previous.map_or_else(Arc::<FetchCounts>::default, |previous| Arc::clone(&previous.counts));
    KeySource::Remote(Arc::new(RemoteSet::new(&config.name, source, &config.algorithms, loaded, counts)))
}

impl Issuer {
    fn is_told_by(&self, linked: &Arc<LinkedUpstream>) -> bool {
        matches!(&self.keys, KeySource::Linked(set) if Arc::ptr_eq(set.linked(), linked))
    }

    fn was_read_from(&self, found: &[u8]) -> bool {
        matches!(&self.keys, KeySource::Fixed { content, .. } if content == found)
    }
}

fn secret_keys(secret: &[u8], algorithms: &[config::Algorithm]) -> Result<KeySet, KeyProblem> {
    let algorithm = algorithms.first().ok_or(KeyProblem::Algorithm)?;
    Ok(KeySet::new(vec![KeyRecord::from_secret(None, *algorithm, secret)?]))
}

fn read(path: &Path) -> Result<Vec<u8>, IssuerProblem> {
    let read = || {
        let mut content = Vec::new();
        // One byte more than fits, so that a set that is too large is noticed.
        File::open(path)?.take(SET_BYTES_MAX as u64 + 1).read_to_end(&mut content)?;
        Ok(content)
    };
    read().map_err(|source| IssuerProblem::File { path: path.to_owned(), source })
}
