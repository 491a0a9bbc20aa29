//! Keys from elsewhere: a JWK set that is fetched, refreshed in the background and fetched once more when a token
//! names a key that it lacks.
//!
//! Requests come from several workers, each with a runtime of its own; one background task per issuer does all
//! fetching and publishes each set by swapping a pointer. Requests never fetch: they only ask the task to (see
//! [`demand`]) and wait a moment.

pub(crate) mod demand;
pub(crate) mod discovery;
pub(crate) mod fetch;
pub(crate) mod refresh;

use super::keys::KeySet;
use super::keys::jwk::{self, Origin, SetProblem};
use crate::config::Algorithm;
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use demand::Demand;
use discovery::{Discovery, DiscoveryError};
use fetch::{Endpoint, Fetched};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// For how long a set is used when no newer one can be had.
const STALE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Where a set comes from.
#[derive(Debug)]
pub(crate) enum Source {
    /// A URL of the set itself.
    Set(Endpoint),
    /// A document of the issuer that names it.
    Discovery(Discovery),
}

impl Source {
    async fn fetch(&self) -> Result<Fetched, DiscoveryError> {
        match self {
            Self::Set(endpoint) => Ok(endpoint.fetch().await?),
            Self::Discovery(discovery) => discovery.fetch().await,
        }
    }
}

/// How often a set was fetched, for the metrics; outlives a reload.
#[derive(Debug, Default)]
pub(crate) struct FetchCounts {
    pub(crate) good: AtomicU64,
    pub(crate) failed: AtomicU64,
}

/// The remote JWK set of one issuer.
#[derive(Debug)]
pub(crate) struct RemoteSet {
    /// The issuer's name, for the log.
    issuer: String,
    source: Source,
    algorithms: Vec<Algorithm>,
    loaded: ArcSwapOption<Loaded>,
    /// How requests ask for a fetch.
    pub(crate) demand: Demand,
    /// Fetches that failed since the last good one.
    failures: AtomicU32,
    pub(crate) counts: Arc<FetchCounts>,
}

/// The last good set.
#[derive(Debug)]
struct Loaded {
    keys: Arc<KeySet>,
    /// As it came, to see whether anything changed and to read it again under other rules after a reload.
    body: Bytes,
    at: Instant,
    /// When to fetch again.
    refresh_at: Instant,
}

impl RemoteSet {
    /// A set that is not loaded yet, or that starts with what `previous` (of the same URL) has loaded. `counts` go on.
    pub(crate) fn new(
        issuer: &str,
        source: Source,
        algorithms: &[Algorithm],
        previous: Option<&Self>,
        counts: Arc<FetchCounts>,
    ) -> Self {
        let set = Self {
            issuer: issuer.to_owned(),
            source,
            algorithms: algorithms.to_vec(),
            loaded: ArcSwapOption::empty(),
            demand: Demand::new(),
            failures: AtomicU32::new(0),
            counts,
        };
        if let Some(loaded) = previous.and_then(|previous| previous.loaded.load_full())
            && let Ok((keys, _)) = jwk::load_set(&loaded.body, Origin::Remote, algorithms)
        {
            let (body, at, refresh_at) = (loaded.body.clone(), loaded.at, loaded.refresh_at);
            set.loaded.store(Some(Arc::new(Loaded { keys: Arc::new(keys), body, at, refresh_at })));
        }
        set
    }

    /// The keys of the last good set.
    pub(crate) fn keys(&self) -> Option<Arc<KeySet>> {
        self.loaded.load().as_ref().map(|loaded| Arc::clone(&loaded.keys))
    }

    /// The generation of the last good set.
    pub(crate) fn generation(&self) -> Option<u64> {
        self.loaded.load().as_ref().map(|loaded| loaded.keys.generation())
    }

    /// Whether the last fetch was no good.
    pub(crate) fn has_failed(&self) -> bool {
        self.failures.load(Ordering::Relaxed) > 0
    }

    /// How old the last good set is; `None`: never loaded.
    pub(crate) fn age(&self, now: Instant) -> Option<Duration> {
        self.loaded.load().as_ref().map(|loaded| now.saturating_duration_since(loaded.at))
    }

    /// Takes over a body that was fetched. An unchanged one keeps its keys and so every verified token.
    fn take_over(&self, body: Bytes, at: Instant, refresh_at: Instant) -> Result<(), SetProblem> {
        let current = self.loaded.load_full();
        let keys = match current {
            Some(current) if current.body == body => Arc::clone(&current.keys),
            _ => {
                let (keys, problems) = jwk::load_set(&body, Origin::Remote, &self.algorithms)?;
                for (kid, problem) in problems {
                    tracing::warn!(issuer = self.issuer, kid, %problem, "a key of the issuer is not used");
                }
                Arc::new(keys)
            }
        };
        self.loaded.store(Some(Arc::new(Loaded { keys, body, at, refresh_at })));
        self.failures.store(0, Ordering::Relaxed);
        self.counts.good.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Notes a fetch that failed; a set that is too old is dropped. Returns how many failed in a row.
    fn note_failure(&self, error: &dyn std::error::Error, now: Instant) -> u32 {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        self.counts.failed.fetch_add(1, Ordering::Relaxed);
        let age_seconds = self.age(now).map(|age| age.as_secs());
        tracing::warn!(issuer = self.issuer, %error, failures, age_seconds, "the issuer's keys could not be fetched");
        if self.age(now).is_some_and(|age| age > STALE_MAX) {
            tracing::error!(issuer = self.issuer, "the issuer's keys are too old and no longer used");
            self.loaded.store(None);
        }
        failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    fn set() -> RemoteSet {
        let url = "http://127.0.0.1:1/".parse().expect("a URL");
        let tls = fetch::tls_config().expect("TLS");
        let endpoint = Endpoint::new(&url, false, &tls).expect("an endpoint");
        RemoteSet::new("id", Source::Set(endpoint), &[Algorithm::EdDSA], None, Arc::default())
    }

    fn body(kid: &str) -> Bytes {
        let x = URL_SAFE_NO_PAD.encode(Ed25519KeyPair::generate().expect("a key").public_key());
        let key = serde_json::json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x});
        serde_json::json!({"keys": [key]}).to_string().into()
    }

    #[test]
    fn an_unchanged_set_keeps_its_generation_and_a_changed_one_does_not() {
        let (set, now, first) = (set(), Instant::now(), body("k1"));
        assert_eq!(set.generation(), None);
        set.take_over(first.clone(), now, now).expect("a set");
        let generation = set.generation();
        set.take_over(first, now, now).expect("a set");
        assert_eq!(set.generation(), generation);
        set.take_over(body("k1"), now, now).expect("a set");
        assert_ne!(set.generation(), generation);
        let generation = set.generation();
        assert_eq!(set.take_over(Bytes::from_static(b"{}"), now, now), Err(SetProblem::Malformed));
        assert_eq!(set.generation(), generation, "a bad answer changes nothing");
    }

    #[test]
    fn failures_are_forgiven_for_a_day() {
        let (set, start) = (set(), Instant::now());
        set.take_over(body("k1"), start, start).expect("a set");
        assert_eq!(set.note_failure(&SetProblem::Malformed, start + STALE_MAX), 1);
        assert!(set.keys().is_some());
        assert_eq!(set.age(start + STALE_MAX), Some(STALE_MAX));
        assert_eq!(set.note_failure(&SetProblem::Malformed, start + STALE_MAX + Duration::from_secs(1)), 2);
        assert!(set.keys().is_none(), "too old to be believed");
        set.take_over(body("k1"), start, start).expect("a set");
        assert_eq!(set.note_failure(&SetProblem::Malformed, start), 1, "counted since the last good one");
        let counts = [&set.counts.good, &set.counts.failed].map(|count| count.load(Ordering::Relaxed));
        assert_eq!(counts, [2, 3], "counted since the start");
    }
}
