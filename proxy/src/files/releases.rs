//! A site that is deployed in releases: directories beside each other, of which `current` names the one that is served.
//!
//! `current` is looked at again at most every `fresh_for`, by the first request that comes then, on a blocking thread; all
//! workers see the switch at once. Between two looks nothing is asked of the system. What can't be served (no
//! `current`, a name that leads elsewhere) is logged once, and the last good release goes on.

use super::error::FilesError;
use super::error_pages::ErrorPages;
use super::find::Tree;
use super::open::Root;
use super::open_files::ServerId;
use crate::config::{self, Symlinks, current_release, is_release};
use arc_swap::ArcSwapOption;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Entries beside `current` that are looked at: what is beyond is no release.
const ENTRIES_MAX: usize = 10_000;

/// The releases of one route.
#[derive(Debug)]
pub(super) struct Releases {
    place: Place,
    /// How long `current` is believed without another look: as long as a file.
    fresh_for: Duration,
    /// Always there; an option only so that it can be built.
    live: ArcSwapOption<Live>,
    built: Instant,
    /// When `current` is to be looked at again: milliseconds since `built`.
    due_ms: AtomicU64,
    /// What was logged last, so that it is not logged each second.
    complaint: Mutex<Option<String>>,
}

/// Where releases are, and how they are opened.
#[derive(Debug, Clone)]
struct Place {
    directory: PathBuf,
    /// How many beside the current one stay reachable.
    kept: usize,
    symlinks: Symlinks,
    disk_timeout: Duration,
    error_pages: Arc<[(http::StatusCode, String)]>,
}

/// What is served now.
#[derive(Debug)]
pub(super) struct Live {
    name: String,
    identity: (u64, u64),
    /// The current release.
    pub tree: Tree,
    /// Others: those that were served before, the last one first, then the newest. Only for files whose names are
    /// fingerprints.
    pub earlier: Box<[Tree]>,
    /// The names of those that were served before, the last one first.
    served: Vec<String>,
    /// Pages of the current release.
    pub error_pages: ErrorPages,
}

/// A release that was found on the disk.
struct Look {
    name: String,
    identity: (u64, u64),
    root: Root,
    earlier: Vec<Root>,
    served: Vec<String>,
    error_pages: ErrorPages,
}

/// The release that is served, and those that were before.
struct Known {
    name: String,
    identity: (u64, u64),
    served: Vec<String>,
}

impl Releases {
    /// Opens the current release. `model` is how the files of all of them are served.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn open(config: &config::Files, kept: usize, model: &Tree) -> Result<Self, FilesError> {
        let place = Place {
            directory: config.root.clone(),
            kept,
            symlinks: config.symlinks,
            disk_timeout: config.disk_timeout,
            error_pages: config.error_pages.as_slice().into(),
        };
        let look = place.look(None).map_err(|reason| FilesError::Release { reason })?;
        let live = look.map(|look| Arc::new(Live::new(look, model)));
        Ok(Self {
            place,
            fresh_for: config.fresh_for,
            live: ArcSwapOption::from(live),
            built: Instant::now(),
            due_ms: AtomicU64::new(millis(config.fresh_for)),
            complaint: Mutex::new(None),
        })
    }

    /// Changes how the files of the release are served; before anything is.
    pub(super) fn adjust(&mut self, change: impl Fn(&mut Tree)) {
        let live = std::mem::take(&mut self.live).into_inner().and_then(Arc::into_inner);
        let live = live.map(|mut live| {
            change(&mut live.tree);
            live.earlier.iter_mut().for_each(&change);
            Arc::new(live)
        });
        self.live = ArcSwapOption::from(live);
    }

    /// The name of the current release in memory; `None`: `current` must be looked at first. No system call.
    pub(super) fn fresh_id(&self, now: Instant) -> Option<ServerId> {
        if self.is_due(now) {
            return None;
        }
        self.live.load().as_ref().map(|live| live.tree.id)
    }

    /// What is served now.
    pub(super) fn live(&self) -> Option<Arc<Live>> {
        self.live.load_full()
    }

    /// Looks at `current` if it is time, and switches.
    pub(super) async fn follow(&self, model: &Tree, now: Instant) {
        let due = self.due_ms.load(Ordering::Relaxed);
        let since = millis(now.saturating_duration_since(self.built));
        let next = since.saturating_add(millis(self.fresh_for));
        // One request looks, those that come meanwhile are served what was right a second ago.
        if since < due || self.due_ms.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return;
        }
        let Some(live) = self.live() else { return };
        let known = Known { name: live.name.clone(), identity: live.identity, served: live.served.clone() };
        let place = self.place.clone();
        let looked = live.tree.root.disk().ask(move || place.look(Some(known))).await;
        let complaint = match looked {
            Ok(Ok(None)) => None,
            Ok(Ok(Some(look))) => {
                tracing::info!(releases = %self.place.directory.display(), release = %look.name, "a release is served");
                self.live.store(Some(Arc::new(Live::new(look, model))));
                None
            }
            Ok(Err(reason)) => Some(reason),
            Err(error) => Some(format!("it could not be looked at: {error}")),
        };
        let mut last = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = complaint.as_ref().filter(|_| *last != complaint) {
            tracing::error!(releases = %self.place.directory.display(), %reason, "the last good release goes on");
        }
        *last = complaint;
    }

    fn is_due(&self, now: Instant) -> bool {
        millis(now.saturating_duration_since(self.built)) >= self.due_ms.load(Ordering::Relaxed)
    }
}

impl Live {
    fn new(look: Look, model: &Tree) -> Self {
        Self {
            name: look.name,
            identity: look.identity,
            tree: model.of_root(look.root),
            earlier: look.earlier.into_iter().map(|root| model.of_root(root)).collect(),
            served: look.served,
            error_pages: look.error_pages,
        }
    }
}

impl Place {
    /// Waits for the disk. `None`: it is the release that is known.
    fn look(&self, known: Option<Known>) -> Result<Option<Look>, String> {
        let name = current_release(&self.directory).map_err(|error| error.to_string())?;
        let cant = |error: rustix::io::Errno| format!("{} can't be opened: {error}", self.directory.display());
        let releases = Root::open(&self.directory, self.symlinks, self.disk_timeout).map_err(cant)?;
        let (root, identity) = releases.below(&name).map_err(cant)?;
        if known.as_ref().is_some_and(|known| (&known.name, known.identity) == (&name, identity)) {
            return Ok(None);
        }
        let served = known.map(|known| known.served_before(&name, self.kept)).unwrap_or_default();
        let others = earlier(&self.directory, &name, &served);
        let earlier = others.iter().filter_map(|name| Some(releases.below(name).ok()?.0)).take(self.kept).collect();
        let error_pages = ErrorPages::read(&root, &self.error_pages);
        Ok(Some(Look { name, identity, root, earlier, served, error_pages }))
    }
}

impl Known {
    /// Which were served before this one, as many as are kept.
    fn served_before(self, current: &str, kept: usize) -> Vec<String> {
        let earlier = self.served.into_iter().filter(|name| *name != self.name);
        std::iter::once(self.name.clone()).chain(earlier).filter(|name| name != current).take(kept).collect()
    }
}

/// The releases beside the current one: those that were served before, then the newest. Whose pages are open is known of
/// the first only; of the others, after a start, their folders' times have to tell, which a deploy may bring along.
fn earlier(directory: &Path, current: &str, served: &[String]) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut found: Vec<(SystemTime, String)> = entries
        .take(ENTRIES_MAX)
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let metadata = entry.metadata().ok().filter(fs::Metadata::is_dir)?;
            let name = Some(entry.file_name()).filter(|name| is_release(name))?.into_string().ok()?;
            let is_other = name != current && !served.contains(&name);
            is_other.then_some((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), name))
        })
        .collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    served.iter().cloned().chain(found.into_iter().map(|(_, name)| name)).collect()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
