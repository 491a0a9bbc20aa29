//! The files of one route: which name a request means, and what is answered when it is a directory or missing.

use super::answer::{answer, respond};
use super::at_hand::AtHand;
use super::body::FileBody;
use super::cache_control::{Audience, CachePolicy, is_fingerprinted};
use super::coding::{Codings, Results};
use super::error::{FileError, FilesError};
use super::error_pages::ErrorPages;
use super::find::{Found, Memory, Tree};
use super::internal;
use super::listing;
use super::path::{HiddenNames, RelativePath, is_plainly_spelled};
use super::releases::Releases;
use super::representation::Choice;
use super::small::SmallFiles;
use crate::config::{self, ask_disk};
use bytes::Bytes;
use http::header::{ALLOW as ALLOW_FIELD, CACHE_CONTROL, LOCATION};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use rustix::io::Errno;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The methods of files, for `Allow` beside [`FileError::MethodNotAllowed`].
pub const ALLOW: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

/// What the file server looks at of a request.
#[derive(Debug, Clone, Copy)]
pub struct FileRequest<'a> {
    /// GET, HEAD and OPTIONS are answered.
    pub method: &'a Method,
    /// The path as the client has written it, percent-encoded, without the query.
    pub raw_path: &'a str,
    /// The query without `?`; kept when a directory is redirected to its slash.
    pub query: Option<&'a str>,
    /// For conditions and ranges.
    pub headers: &'a HeaderMap,
}

/// Serves the files beneath one directory. Built with the snapshot, shared by all workers; what changes while serving
/// is in each worker's own [`SmallFiles`].
#[derive(Debug)]
pub struct FileServer {
    /// Of releases only the model: see [`Releases`].
    tree: Tree,
    releases: Option<Releases>,
    error_pages: ErrorPages,
    /// Whether directories without an index are listed.
    lists: bool,
    /// Decoded segments that are cut from a path before it is looked up.
    prefix: Vec<Box<str>>,
    index: RelativePath,
    fallback: Option<RelativePath>,
    /// Missing below these is never answered with the fallback.
    assets: Box<[config::FileGlob]>,
    hidden: HiddenNames,
}

impl FileServer {
    /// Opens the root.
    ///
    /// # Errors
    /// When it is no directory that can be entered, when its disk does not answer in time, or when index or fallback are
    /// no names below it.
    pub fn open(config: &config::Files) -> Result<Self, FilesError> {
        let (root, patience, config) = (&config.root, config.disk_timeout, config.clone());
        within(root, patience, move || Self::open_waiting(&config))
    }

    fn open_waiting(config: &config::Files) -> Result<Self, FilesError> {
        let prefix = config.strip_prefix.as_deref().unwrap_or_default();
        let tree = Tree {
            cache_policy: CachePolicy {
                configured: config.cache_control.clone(),
                rules: config.cache.as_slice().into(),
                types: config.types.as_slice().into(),
                audience: Audience::Everyone,
            },
            cached_bytes_max: config.cached_bytes_max,
            fresh_for: config.fresh_for,
            codings: Codings::new(config),
            ..Tree::open(&config.root, config.symlinks, config.disk_timeout)?
        };
        let releases = config.releases_kept.map(|kept| Releases::open(config, kept, &tree)).transpose()?;
        let error_pages = match &releases {
            None => ErrorPages::read(&tree.root, &config.error_pages),
            // Those of the release.
            Some(_) => ErrorPages::default(),
        };
        Ok(Self {
            tree,
            releases,
            error_pages,
            lists: config.listing,
            prefix: prefix.split('/').filter(|segment| !segment.is_empty()).map(Box::from).collect(),
            index: plain(&config.index)?,
            fallback: config.fallback.as_deref().map(plain).transpose()?,
            assets: config.assets.as_slice().into(),
            hidden: if config.hidden { HiddenNames::Allowed } else { HiddenNames::Refused },
        })
    }

    /// Opens a directory whose files an application hands over by `X-Accel-Redirect`: see [`Self::serve_internal`].
    ///
    /// # Errors
    /// When it is no directory that can be entered, or its disk does not answer in time.
    pub fn internal(root: &Path) -> Result<Self, FilesError> {
        let asked = root.to_owned();
        let open = move || Tree::open(&asked, config::Symlinks::No, config::DISK_TIMEOUT);
        Ok(Self {
            tree: within(root, config::DISK_TIMEOUT, open)?,
            releases: None,
            error_pages: ErrorPages::default(),
            lists: false,
            prefix: Vec::new(),
            index: plain("index.html")?,
            fallback: None,
            assets: Box::default(),
            hidden: HiddenNames::Allowed,
        })
    }

    /// For a route that asks who the client is: by default only the client itself may keep the answers.
    #[must_use]
    pub fn for_identified_clients(mut self) -> Self {
        self.adjust(|tree| tree.cache_policy.audience = Audience::Client);
        self
    }

    /// Keeps what is compressed on the fly among these results, which the process shares.
    #[must_use]
    pub fn with_results(mut self, results: &Arc<Results>) -> Self {
        self.adjust(|tree| tree.codings.results = Arc::clone(results));
        self
    }

    fn adjust(&mut self, change: impl Fn(&mut Tree)) {
        change(&mut self.tree);
        if let Some(releases) = &mut self.releases {
            releases.adjust(change);
        }
    }

    /// The page in place of a problem with this status.
    #[must_use]
    pub fn error_page(&self, status: StatusCode) -> Option<Bytes> {
        match &self.releases {
            None => self.error_pages.of(status),
            Some(releases) => releases.live()?.error_pages.of(status),
        }
    }

    /// Answers from this worker's memory, without decoding, waiting or any system call; `None` when [`Self::serve`]
    /// must look at the disk first.
    pub fn try_serve_cached(
        &self,
        request: &FileRequest<'_>,
        files: &SmallFiles,
        now: Instant,
    ) -> Option<Result<AtHand, FileError>> {
        if !is_read(request.method) {
            if request.method == Method::OPTIONS {
                return Some(Ok(AtHand::Other(options())));
            }
            return Some(Err(FileError::MethodNotAllowed));
        }
        let id = match &self.releases {
            None => self.tree.id,
            Some(releases) => releases.fresh_id(now)?,
        };
        let representation = files.fresh(id, request.raw_path, now)?;
        let coding = match representation.variants.is_empty() {
            true => None,
            false => match representation.variants.choose(request.headers) {
                Choice::Ready(coding) => coding,
                Choice::Make { .. } => return None,
            },
        };
        Some(AtHand::of(representation, coding, request.method, request.headers))
    }

    /// Answers a request for a file of this route.
    ///
    /// # Errors
    /// See [`FileError`]; none of them is the server's fault except [`FileError::Unavailable`] and
    /// [`FileError::Stalled`].
    pub async fn serve(
        &self,
        request: FileRequest<'_>,
        files: &SmallFiles,
        now: Instant,
    ) -> Result<Response<FileBody>, FileError> {
        if let Some(answered) = self.try_serve_cached(&request, files, now) {
            return answered.map(AtHand::into_response);
        }
        match &self.releases {
            None => self.serve_from(Trees { current: &self.tree, earlier: &[] }, &request, files, now).await,
            Some(releases) => {
                releases.follow(&self.tree, now).await;
                let live = releases.live().ok_or(FileError::NotFound { no_store: false })?;
                let trees = Trees { current: &live.tree, earlier: &live.earlier };
                self.serve_from(trees, &request, files, now).await
            }
        }
    }

    async fn serve_from(
        &self,
        trees: Trees<'_>,
        request: &FileRequest<'_>,
        files: &SmallFiles,
        now: Instant,
    ) -> Result<Response<FileBody>, FileError> {
        let tree = trees.current;
        let path = RelativePath::parse(request.raw_path, &self.prefix, self.hidden)?;
        let key = is_plainly_spelled(request.raw_path).then_some(request.raw_path);
        let memory = Memory { files, key, now };
        let found = if path.final_slash() {
            tree.find(&path.join(&self.index), memory).await
        } else {
            tree.find(&path, memory).await
        };
        match found {
            Ok(Found::File(representation)) => {
                let representation = tree.negotiate(representation, request.headers, memory).await;
                answer(request.method, request.headers, &representation)
            }
            Ok(Found::Directory) if path.final_slash() => Err(FileError::NotFound { no_store: false }),
            Ok(Found::Directory) => redirect_to_slash(request),
            Err(FileError::NotFound { .. }) if path.final_slash() && self.lists => {
                match listing::serve(tree, &path, self.hidden, request.headers).await {
                    Err(FileError::NotFound { .. }) => self.serve_missing(trees, &path, request, memory).await,
                    answered => answered,
                }
            }
            Err(FileError::NotFound { .. }) => self.serve_missing(trees, &path, request, memory).await,
            Err(error) => Err(error),
        }
    }

    /// What stands for a missing file: the same name in an earlier release, where it is a fingerprint; the fallback for
    /// the addresses of a single-page application, never for an asset (a script that is gone must not be answered, and
    /// kept for a year, as a page).
    async fn serve_missing(
        &self,
        trees: Trees<'_>,
        path: &RelativePath,
        request: &FileRequest<'_>,
        memory: Memory<'_>,
    ) -> Result<Response<FileBody>, FileError> {
        if !path.final_slash() && is_fingerprinted(path.file_name()) {
            for tree in trees.earlier {
                if let Some(representation) = tree.find_file(path, memory).await? {
                    let representation = tree.negotiate(representation, request.headers, memory).await;
                    return answer(request.method, request.headers, &representation);
                }
            }
        }
        if path.looks_like_asset() || self.assets.iter().any(|glob| glob.matches(path.as_str())) {
            return Err(FileError::NotFound { no_store: true });
        }
        let Some(fallback) = &self.fallback else { return Err(FileError::NotFound { no_store: false }) };
        // Under its own name: one entry for all addresses, and no client's path looks like it (they begin with `/`).
        let memory = Memory { key: Some(fallback.as_str()), ..memory };
        let tree = trees.current;
        let Some(representation) = tree.find_file(fallback, memory).await? else {
            return Err(FileError::NotFound { no_store: false });
        };
        let representation = tree.negotiate(representation, request.headers, memory).await;
        answer(request.method, request.headers, &representation)
    }

    /// Answers with a file that an application has handed over: `redirect` is the value of its `X-Accel-Redirect`, a
    /// percent-encoded path below this root, and `application` the fields of its answer. Any method but HEAD gets the
    /// file as for GET, as the application has already done what was asked.
    ///
    /// # Errors
    /// See [`FileError`]; [`FileError::BadPath`], [`FileError::FieldsTooLarge`] and [`FileError::NotFound`] are the
    /// application's fault here.
    pub async fn serve_internal(
        &self,
        redirect: &str,
        request: FileRequest<'_>,
        application: &HeaderMap,
        files: &SmallFiles,
        now: Instant,
    ) -> Result<Response<FileBody>, FileError> {
        let raw_path = redirect.split_once('?').map_or(redirect, |(path, _)| path);
        let path = RelativePath::parse(raw_path, &[], HiddenNames::Allowed)?;
        if path.final_slash() {
            return Err(FileError::NotFound { no_store: true });
        }
        let representation = match files.fresh(self.tree.id, raw_path, now) {
            Some(representation) => representation,
            None => match self.tree.find(&path, Memory { files, key: Some(raw_path), now }).await {
                Ok(Found::File(representation)) => representation,
                Ok(Found::Directory) | Err(FileError::NotFound { .. }) => {
                    return Err(FileError::NotFound { no_store: true });
                }
                Err(error) => return Err(error),
            },
        };
        let representation = internal::apply(&representation, application)?;
        if is_read(request.method) {
            answer(request.method, request.headers, &representation)
        } else {
            // RFC 9110 sections 13.1 and 14.2: conditions and ranges of another method were the application's matter.
            answer(&Method::GET, &HeaderMap::new(), &representation)
        }
    }
}

/// Where a request's file may lie.
#[derive(Clone, Copy)]
struct Trees<'a> {
    current: &'a Tree,
    /// The newest first.
    earlier: &'a [Tree],
}

fn is_read(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

/// What may be done here (RFC 9110 section 9.3.7).
fn options() -> Response<FileBody> {
    let mut headers = HeaderMap::with_capacity(2);
    headers.insert(ALLOW_FIELD, ALLOW);
    respond(StatusCode::NO_CONTENT, headers, FileBody::empty())
}

/// Opens what is below a root; whoever builds a snapshot is not held up by a disk that is gone.
fn within<T: Send + 'static>(
    root: &Path,
    patience: Duration,
    open: impl FnOnce() -> Result<T, FilesError> + Send + 'static,
) -> Result<T, FilesError> {
    ask_disk(patience, open).unwrap_or_else(|error| {
        let root = root.to_owned();
        Err(match error.kind() {
            ErrorKind::TimedOut => FilesError::Stalled { root, patience },
            _ => FilesError::Root { root, source: Errno::from_io_error(&error).unwrap_or(Errno::AGAIN) },
        })
    })
}

fn plain(name: &str) -> Result<RelativePath, FilesError> {
    RelativePath::from_plain(name).map_err(|source| FilesError::Name { name: name.to_owned(), source })
}

/// 308 to the same path with a slash, so that relative links in the index work; the query stays. The path has passed
/// the checks: it has one leading slash and no backslash, so it can't name another host.
fn redirect_to_slash(request: &FileRequest<'_>) -> Result<Response<FileBody>, FileError> {
    let mut location = format!("{}/", request.raw_path);
    if let Some(query) = request.query {
        location.push('?');
        location.push_str(query);
    }
    let location = HeaderValue::try_from(location).map_err(|_| FileError::NotFound { no_store: false })?;
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(LOCATION, location);
    // The directory may become a file one day.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(respond(StatusCode::PERMANENT_REDIRECT, headers, FileBody::empty()))
}
