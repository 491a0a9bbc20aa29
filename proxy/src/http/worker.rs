//! What one worker owns: the snapshot as it uses it, connections, caches, its end of the log. Nothing here is shared.

use super::access_log::{Access, SecretParameters};
use super::own_fields::Teller;
use crate::auth::{CACHE_BYTES_MAX, TokenCache};
use crate::config::{LogFormat, Upstream as Upstreamed};
use crate::files::SmallFiles;
use crate::metrics::WorkerMetrics;
use crate::overload::Overload;
use crate::snapshot::Snapshot;
use crate::upstream::{Pools, Upstream};
use arc_swap::ArcSwap;
use http::HeaderName;
use serve::contract::forwarded;
use serve::drain::Drain;
use serve::telemetry::{LineSender, RequestLines};
use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

/// Where a worker finds the current snapshot, and its end of the request log.
#[derive(Clone)]
pub struct WorkerTools {
    /// Swapped on reload.
    pub current: Arc<ArcSwap<Snapshot>>,
    /// What is given up for want of memory; `None`: nothing ever is.
    pub overload: Option<Arc<Overload>>,
    /// `None` when requests are not logged.
    pub log: Option<(LineSender, LogFormat)>,
}

/// The state of one worker.
pub struct WorkerState {
    current: RefCell<arc_swap::Cache<Arc<ArcSwap<Snapshot>>, Arc<Snapshot>>>,
    local: RefCell<Rc<Local>>,
    pools: Rc<Pools>,
    pub(super) files: Rc<SmallFiles>,
    pub(super) tokens: TokenCache,
    pub(super) teller: Teller,
    pub(super) access: Option<Access>,
    pub(super) overload: Option<Arc<Overload>>,
    pub(super) metrics: Arc<WorkerMetrics>,
    pub(super) drain: Rc<Drain>,
}

/// A snapshot with the worker's own connections to its upstreams.
pub(super) struct Local {
    /// As in the snapshot, for bodies, which outlive it.
    pub(super) identity_headers: Rc<[HeaderName]>,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) upstreams: Vec<Upstream>,
    /// By position. For the log; counted on this worker's core only.
    pub(super) site_names: Vec<Rc<str>>,
    /// What the log must not show.
    pub(super) secret_parameters: SecretParameters,
}

impl WorkerState {
    /// Must be called on the worker's local runtime.
    #[must_use]
    pub fn new(tools: WorkerTools, metrics: Arc<WorkerMetrics>, drain: Rc<Drain>) -> Rc<Self> {
        let pools = Pools::new();
        let access = tools.log.map(|(sender, format)| Access::new(RequestLines::new(sender), format));
        let mut current = arc_swap::Cache::new(tools.current);
        let local = RefCell::new(Local::new(current.load(), &pools, &metrics));
        let server = &current.load().config.server;
        let files = SmallFiles::new(server.file_memory_bytes_max, server.open_files_max, Arc::clone(&metrics.files));
        let files = Rc::new(files);
        files.sweep_regularly();
        Rc::new(Self {
            current: RefCell::new(current),
            local,
            pools,
            files,
            tokens: TokenCache::new(CACHE_BYTES_MAX),
            teller: Teller::default(),
            access,
            overload: tools.overload,
            metrics,
            drain,
        })
    }

    /// Whether the current snapshot trusts what this peer says of its clients.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        forwarded::is_trusted(peer, &self.local().snapshot.config.server.trusted_proxies)
    }

    /// Lets go of a snapshot that is not in force any more. The next request would do so too.
    pub(crate) fn refresh(&self) {
        drop(self.local());
    }

    /// The current snapshot; a request takes it once and keeps it. Costs one relaxed load unless it has changed, and
    /// no count that another worker's core would have to fetch.
    pub(super) fn local(&self) -> Rc<Local> {
        let mut current = self.current.borrow_mut();
        let snapshot = current.load();
        let mut local = self.local.borrow_mut();
        if !Arc::ptr_eq(snapshot, &local.snapshot) {
            *local = Local::new(snapshot, &self.pools, &self.metrics);
        }
        Rc::clone(&local)
    }
}

impl Local {
    fn new(snapshot: &Arc<Snapshot>, pools: &Rc<Pools>, metrics: &WorkerMetrics) -> Rc<Self> {
        let config = &snapshot.config;
        let counters = metrics.upstreams.of(config.upstreams.iter().map(|upstream| upstream.name.as_str()));
        let upstreams = config.upstreams.iter().zip(&snapshot.transports).zip(&snapshot.groups).zip(&snapshot.shared);
        let upstream = |((((config, transport), group), shared), counters): ((((&Upstreamed, _), _), _), _)| {
            pools.upstream(config, transport, group, counters, snapshot.links.get(&config.name), shared)
        };
        Rc::new(Self {
            upstreams: upstreams.zip(counters).map(upstream).collect(),
            site_names: config.sites.iter().map(|site| site.name.as_str().into()).collect(),
            secret_parameters: SecretParameters::of(config),
            identity_headers: config.server.identity_headers.as_slice().into(),
            snapshot: Arc::clone(snapshot),
        })
    }
}
