//! What the proxy counts, and the page that shows it.
//!
//! Each worker writes counters of its own, so that counting on the request's path is a load and a store on memory that
//! no other core writes; they are added up when somebody reads them. What may be counted is bounded: label values are
//! texts of this program and names of the configuration, never anything that a client or an upstream sent.
//!
//! `families` is the one list of all metrics: the exposition and `docs/metrics.md` are made from it.

mod compressed;
mod endpoints;
mod exposition;
mod families;
mod family;
mod files;
mod links;
mod reference;
mod reloads;
mod requests;
mod upstreams;

pub use compressed::CompressedSample;
pub use endpoints::EndpointState;
pub use exposition::CONTENT_TYPE;
pub use files::FileCounters;
pub use links::{EndpointSample, LinkSample, LinkSamples, PostedSample};
pub use reference::reference;
pub use reloads::Reloads;
pub use requests::{Errors, Requests};
pub use upstreams::{Failure, HasWaited, UpstreamCounters, Upstreams, Waiting, Waits};

use serve::counters::{ConnectionCounters, Counter};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The counters of the whole process.
pub struct Metrics {
    started: SystemTime,
    workers: Vec<Arc<WorkerMetrics>>,
    dropped_log_blocks: Box<dyn Fn() -> u64 + Send + Sync>,
    keys: Box<dyn Fn() -> Vec<KeyFreshness> + Send + Sync>,
    links: Box<dyn Fn() -> LinkSamples + Send + Sync>,
    reloads: Arc<Reloads>,
    live_snapshots: Box<dyn Fn() -> usize + Send + Sync>,
    endpoints: Box<dyn Fn() -> Vec<EndpointState> + Send + Sync>,
    compressed: Box<dyn Fn() -> CompressedSample + Send + Sync>,
    overload: Box<dyn Fn() -> Option<OverloadSample> + Send + Sync>,
    adapted: Box<dyn Fn() -> Vec<AdaptedSample> + Send + Sync>,
}

/// The step that is taken for want of memory, from 0; bytes that are used, and that may be.
pub type OverloadSample = (u64, (u64, u64));

/// The limit of an upstream that follows from how long answers take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdaptedSample {
    /// The upstream's name in the configuration.
    pub upstream: String,
    /// Requests that may be in flight there.
    pub limit: usize,
    /// What an answer takes without a queue; `None`: not known yet.
    pub least: Option<Duration>,
}

/// How fresh the keys of one issuer are that come from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFreshness {
    /// The issuer's name in the configuration.
    pub issuer: String,
    /// How old the keys are; `None`: never loaded.
    pub age: Option<Duration>,
    /// Fetches that brought keys.
    pub fetched: u64,
    /// Fetches that did not.
    pub failed: u64,
}

/// The counters of one worker, which alone writes them.
#[derive(Debug, Default)]
pub struct WorkerMetrics {
    /// Its connections with clients.
    pub connections: Arc<ConnectionCounters>,
    /// Its requests.
    pub requests: Requests,
    /// Requests that waited for the upstream call of another one.
    pub coalesced: Counter,
    /// The errors that it made itself.
    pub errors: Errors,
    /// The requests that their route's rule refused, by the exact reason.
    pub refused_tokens: Errors,
    /// What it did with upstreams.
    pub upstreams: Upstreams,
    /// The files that it keeps.
    pub files: Arc<FileCounters>,
}

impl Metrics {
    /// Nothing has happened yet. `dropped_log_blocks` says how many blocks of request lines were dropped, `keys` how
    /// fresh the issuers' keys are.
    #[must_use]
    pub fn new(
        workers: NonZeroUsize,
        started: SystemTime,
        dropped_log_blocks: impl Fn() -> u64 + Send + Sync + 'static,
        keys: impl Fn() -> Vec<KeyFreshness> + Send + Sync + 'static,
    ) -> Self {
        let workers = (0..workers.get()).map(|_| Arc::default()).collect();
        Self {
            started,
            workers,
            dropped_log_blocks: Box::new(dropped_log_blocks),
            keys: Box::new(keys),
            links: Box::new(LinkSamples::default),
            overload: Box::new(|| None),
            adapted: Box::new(Vec::new),
            reloads: Arc::default(),
            live_snapshots: Box::new(|| 1),
            endpoints: Box::new(Vec::new),
            compressed: Box::new(CompressedSample::default),
        }
    }

    /// With what is counted of reloads, and the number of snapshots that live.
    #[must_use]
    pub fn with_reloads(
        self,
        reloads: Arc<Reloads>,
        live_snapshots: impl Fn() -> usize + Send + Sync + 'static,
    ) -> Self {
        Self { reloads, live_snapshots: Box::new(live_snapshots), ..self }
    }

    /// With what upstreams tell over their links, asked anew each time.
    #[must_use]
    pub fn with_links(self, links: impl Fn() -> LinkSamples + Send + Sync + 'static) -> Self {
        Self { links: Box::new(links), ..self }
    }

    /// With what is known of endpoints, asked anew each time.
    #[must_use]
    pub fn with_endpoints(self, endpoints: impl Fn() -> Vec<EndpointState> + Send + Sync + 'static) -> Self {
        Self { endpoints: Box::new(endpoints), ..self }
    }

    /// What is known of endpoints now.
    #[must_use]
    pub fn endpoints(&self) -> Vec<EndpointState> {
        (self.endpoints)()
    }

    /// With what is known of files that were compressed on the fly, asked anew each time.
    #[must_use]
    pub fn with_compressed(self, compressed: impl Fn() -> CompressedSample + Send + Sync + 'static) -> Self {
        Self { compressed: Box::new(compressed), ..self }
    }

    /// With what is given up for want of memory, asked anew each time; `None`: nothing ever is.
    #[must_use]
    pub fn with_overload(self, overload: impl Fn() -> Option<OverloadSample> + Send + Sync + 'static) -> Self {
        Self { overload: Box::new(overload), ..self }
    }

    /// With the limits that follow from how long answers take, asked anew each time.
    #[must_use]
    pub fn with_adapted(self, adapted: impl Fn() -> Vec<AdaptedSample> + Send + Sync + 'static) -> Self {
        Self { adapted: Box::new(adapted), ..self }
    }

    /// The counters of each worker.
    #[must_use]
    pub fn workers(&self) -> &[Arc<WorkerMetrics>] {
        &self.workers
    }

    /// All metrics in Prometheus's text format, version 0.0.4.
    #[must_use]
    pub fn exposition(&self) -> String {
        exposition::write(families::all(), self)
    }

    fn sum(&self, count: impl Fn(&WorkerMetrics) -> u64) -> u64 {
        self.workers.iter().map(|worker| count(worker)).fold(0, u64::wrapping_add)
    }
}
