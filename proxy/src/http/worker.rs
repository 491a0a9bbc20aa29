//! What one worker owns: the snapshot as it uses it, connections, caches, its end of the log. Nothing here is shared.

use super::access_log::Access;
use crate::auth::{CACHE_BYTES_MAX, TokenCache};
use crate::config::LogFormat;
use crate::files::{SMALL_FILES_BYTES_MAX, SmallFiles};
use crate::snapshot::Snapshot;
use crate::upstream::{Pools, Upstream};
use arc_swap::ArcSwap;
use serve::drain::Drain;
use serve::telemetry::{LineSender, RequestLines};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// Where a worker finds the current snapshot, and its end of the request log.
#[derive(Clone)]
pub struct WorkerTools {
    /// Swapped on reload.
    pub current: Arc<ArcSwap<Snapshot>>,
    /// `None` when requests are not logged.
    pub log: Option<(LineSender, LogFormat)>,
}

/// The state of one worker.
pub struct WorkerState {
    current: RefCell<arc_swap::Cache<Arc<ArcSwap<Snapshot>>, Arc<Snapshot>>>,
    local: RefCell<Rc<Local>>,
    pools: Rc<Pools>,
    pub(super) files: SmallFiles,
    pub(super) tokens: TokenCache,
    pub(super) access: Option<Access>,
    pub(super) drain: Rc<Drain>,
}

/// A snapshot with the worker's own connections to its upstreams.
pub(super) struct Local {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) upstreams: Vec<Upstream>,
}

impl WorkerState {
    /// Must be called on the worker's local runtime.
    #[must_use]
    pub fn new(tools: WorkerTools, drain: Rc<Drain>) -> Rc<Self> {
        let pools = Pools::new();
        let access = tools.log.map(|(sender, format)| Access::new(RequestLines::new(sender), format));
        let mut current = arc_swap::Cache::new(tools.current);
        let local = RefCell::new(Local::new(current.load(), &pools));
        Rc::new(Self {
            current: RefCell::new(current),
            local,
            pools,
            files: SmallFiles::new(SMALL_FILES_BYTES_MAX),
            tokens: TokenCache::new(CACHE_BYTES_MAX),
            access,
            drain,
        })
    }

    /// The current snapshot; a request takes it once and keeps it. Costs one relaxed load unless it has changed, and
    /// no count that another worker's core would have to fetch.
    pub(super) fn local(&self) -> Rc<Local> {
        let mut current = self.current.borrow_mut();
        let snapshot = current.load();
        let mut local = self.local.borrow_mut();
        if !Arc::ptr_eq(snapshot, &local.snapshot) {
            *local = Local::new(snapshot, &self.pools);
        }
        Rc::clone(&local)
    }
}

impl Local {
    fn new(snapshot: &Arc<Snapshot>, pools: &Pools) -> Rc<Self> {
        let upstreams = snapshot.config.upstreams.iter().zip(&snapshot.transports);
        let upstreams = upstreams.map(|(upstream, transport)| pools.upstream(upstream, transport)).collect();
        Rc::new(Self { snapshot: Arc::clone(snapshot), upstreams })
    }
}
