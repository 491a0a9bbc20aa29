//! What a route does.

use super::{CacheRule, Compress, FileGlob, HostPolicy, MediaPattern, PathRule, Template};
use http::{HeaderValue, StatusCode};
use std::path::PathBuf;
use std::time::Duration;

/// What a route does in the end.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Serve files from a directory.
    Files(Files),
    /// Forward to an upstream.
    Forward(Forward),
    /// Send the client elsewhere.
    Redirect(Redirect),
    /// A fixed answer.
    Respond(Respond),
}

/// How long a request waits for a disk where nothing else is configured: longer than a disk needs to spin up.
pub const DISK_TIMEOUT: Duration = Duration::from_secs(10);

/// `files = { root = "..." }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The directory; nothing outside is ever opened.
    pub root: PathBuf,
    /// Set where `root` holds releases, of which `current` names the one that is served: how many others stay reachable.
    pub releases_kept: Option<usize>,
    /// What a directory stands for. Default `index.html`.
    pub index: String,
    /// Served with 200 for paths that match no file and look like no asset (single-page applications).
    pub fallback: Option<String>,
    /// What is missing here is never answered with the fallback.
    pub assets: Vec<FileGlob>,
    /// The literal prefix of the route's match, `/` for `/**`: cut from the path before it is looked up below `root`
    /// when `strip_prefix` is set.
    pub strip_prefix: Option<String>,
    /// `Cache-Control` by default: `no-cache` for pages, a day for the rest, a year and immutable for fingerprinted names.
    pub cache_control: Option<HeaderValue>,
    /// The same for some files, the narrower pattern first.
    pub cache: Vec<CacheRule>,
    /// Content types by extension, lower-case.
    pub types: Vec<(String, HeaderValue)>,
    /// Pages in place of problems, by status: files below the root.
    pub error_pages: Vec<(StatusCode, String)>,
    /// Whether a directory without an index is listed. Default false.
    pub listing: bool,
    /// Whether names that begin with a dot are served. Default no, `.well-known` apart.
    pub hidden: bool,
    /// Which links are followed. Default none.
    pub symlinks: Symlinks,
    /// Files up to this size are kept in memory by each worker. Default 256 KiB.
    pub cached_bytes_max: u64,
    /// The types whose files come compressed to clients that take it.
    pub compressible_types: Vec<MediaPattern>,
    /// Whether twins that were compressed beforehand are looked for.
    pub precompressed: bool,
    /// What is compressed when there is no twin; `None`: nothing.
    pub compress: Option<Compress>,
    /// How long a file is served without looking at the disk. Default 1 s.
    pub fresh_for: Duration,
    /// How long a request waits for one answer of the disk. Default [`DISK_TIMEOUT`].
    pub disk_timeout: Duration,
}

impl Files {
    /// The files of one directory, every other key at its default; nothing is compressed on the fly.
    #[must_use]
    pub fn of(directory: PathBuf) -> Self {
        Self {
            root: directory,
            releases_kept: None,
            error_pages: Vec::new(),
            listing: false,
            index: "index.html".to_owned(),
            fallback: None,
            assets: Vec::new(),
            strip_prefix: None,
            cache_control: None,
            cache: Vec::new(),
            types: Vec::new(),
            hidden: false,
            symlinks: Symlinks::No,
            cached_bytes_max: 256 * 1024,
            compressible_types: MediaPattern::compressible(),
            precompressed: true,
            compress: None,
            fresh_for: Duration::from_secs(1),
            disk_timeout: DISK_TIMEOUT,
        }
    }
}

/// Which symbolic links are followed beneath a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symlinks {
    /// None.
    No,
    /// Those that stay beneath the root all the way.
    SameRoot,
    /// All.
    Any,
}

/// `forward = "app"` or `forward = { upstream = "app", ... }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// The upstream's name.
    pub upstream: String,
    /// Where an `X-Accel-Redirect` answer of this upstream is looked up; `None`: the field is dropped and the answer
    /// passed on as it is.
    pub internal_root: Option<PathBuf>,
    /// How the path changes on its way.
    pub path: PathRule,
    /// The `Host` of the forwarded request. Default preserve.
    pub host: HostPolicy,
}

/// `redirect = { to = "https://{host}{path}{query}", status = 308 }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// The target, with `{host}`, `{path}` and `{query}` filled in (`{query}` includes its `?`).
    pub to: Template,
    /// 301, 302, 303, 307 or 308. Default 308.
    pub status: StatusCode,
}

/// `respond = { status = 200, body = "...", content_type = "..." }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Respond {
    /// Any final status.
    pub status: StatusCode,
    /// The body.
    pub body: String,
    /// Default `text/plain; charset=utf-8`.
    pub content_type: HeaderValue,
}
