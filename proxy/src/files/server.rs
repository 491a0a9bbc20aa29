//! The files of one route: which name a request means, and what is answered when it is a directory or missing.

use super::answer::{answer, respond};
use super::body::FileBody;
use super::cache_control::{Audience, CachePolicy};
use super::coding::{Codings, Results};
use super::error::{FileError, FilesError};
use super::find::{Found, Memory, Tree};
use super::internal;
use super::path::{HiddenNames, RelativePath, is_plainly_spelled};
use super::representation::Choice;
use super::small::SmallFiles;
use crate::config;
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// The methods of files, for `Allow` beside [`FileError::MethodNotAllowed`].
pub const ALLOW: HeaderValue = HeaderValue::from_static("GET, HEAD");

/// What the file server looks at of a request.
#[derive(Debug, Clone, Copy)]
pub struct FileRequest<'a> {
    /// GET and HEAD are answered.
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
    tree: Tree,
    /// Decoded segments that are cut from a path before it is looked up.
    prefix: Vec<Box<str>>,
    index: RelativePath,
    fallback: Option<RelativePath>,
}

impl FileServer {
    /// Opens the root.
    ///
    /// # Errors
    /// When it is no directory that can be entered, or when index or fallback are no names below it.
    pub fn open(config: &config::Files) -> Result<Self, FilesError> {
        let prefix = config.strip_prefix.as_deref().unwrap_or_default();
        Ok(Self {
            tree: Tree {
                cache_policy: CachePolicy { configured: config.cache_control.clone(), audience: Audience::Everyone },
                cached_bytes_max: config.cached_bytes_max,
                fresh_for: config.fresh_for,
                codings: Codings::new(config),
                ..Tree::open(&config.root, config.symlinks)?
            },
            prefix: prefix.split('/').filter(|segment| !segment.is_empty()).map(Box::from).collect(),
            index: plain(&config.index)?,
            fallback: config.fallback.as_deref().map(plain).transpose()?,
        })
    }

    /// Opens a directory whose files an application hands over by `X-Accel-Redirect`: see [`Self::serve_internal`].
    ///
    /// # Errors
    /// When it is no directory that can be entered.
    pub fn internal(root: &Path) -> Result<Self, FilesError> {
        Ok(Self {
            tree: Tree::open(root, config::Symlinks::No)?,
            prefix: Vec::new(),
            index: plain("index.html")?,
            fallback: None,
        })
    }

    /// For a route that asks who the client is: by default only the client itself may keep the answers.
    #[must_use]
    pub fn for_identified_clients(mut self) -> Self {
        self.tree.cache_policy.audience = Audience::Client;
        self
    }

    /// Keeps what is compressed on the fly among these results, which the process shares.
    #[must_use]
    pub fn with_results(mut self, results: &Arc<Results>) -> Self {
        self.tree.codings.results = Arc::clone(results);
        self
    }

    /// Answers from this worker's memory, without decoding, waiting or any system call; `None` when [`Self::serve`]
    /// must look at the disk first.
    pub fn try_serve_cached(
        &self,
        request: &FileRequest<'_>,
        files: &SmallFiles,
        now: Instant,
    ) -> Option<Result<Response<FileBody>, FileError>> {
        if !is_read(request.method) {
            return Some(Err(FileError::MethodNotAllowed));
        }
        let representation = files.fresh(self.tree.id, request.raw_path, now)?;
        if representation.variants.is_empty() {
            return Some(answer(request.method, request.headers, &representation));
        }
        match representation.variants.choose(request.headers) {
            Choice::Ready(coding) => Some(answer(request.method, request.headers, representation.in_coding(coding))),
            Choice::Make { .. } => None,
        }
    }

    /// Answers a request for a file of this route.
    ///
    /// # Errors
    /// See [`FileError`]; none of them is the server's fault except [`FileError::Unavailable`].
    pub async fn serve(
        &self,
        request: FileRequest<'_>,
        files: &SmallFiles,
        now: Instant,
    ) -> Result<Response<FileBody>, FileError> {
        if let Some(answered) = self.try_serve_cached(&request, files, now) {
            return answered;
        }
        let path = RelativePath::parse(request.raw_path, &self.prefix, HiddenNames::Refused)?;
        let key = is_plainly_spelled(request.raw_path).then_some(request.raw_path);
        let found = if path.final_slash() {
            self.tree.find(&path.join(&self.index), Memory { files, key, now }).await
        } else {
            self.tree.find(&path, Memory { files, key, now }).await
        };
        match found {
            Ok(Found::File(representation)) => {
                let representation =
                    self.tree.negotiate(representation, request.headers, Memory { files, key, now }).await;
                answer(request.method, request.headers, &representation)
            }
            Ok(Found::Directory) if path.final_slash() => Err(FileError::NotFound { no_store: false }),
            Ok(Found::Directory) => redirect_to_slash(&request),
            Err(FileError::NotFound { .. }) => self.serve_missing(&path, &request, files, now).await,
            Err(error) => Err(error),
        }
    }

    /// What stands for a missing file: the fallback for the addresses of a single-page application, never for an asset
    /// (a script that is gone must not be answered, and kept for a year, as a page).
    async fn serve_missing(
        &self,
        path: &RelativePath,
        request: &FileRequest<'_>,
        files: &SmallFiles,
        now: Instant,
    ) -> Result<Response<FileBody>, FileError> {
        if path.looks_like_asset() {
            return Err(FileError::NotFound { no_store: true });
        }
        let Some(fallback) = &self.fallback else { return Err(FileError::NotFound { no_store: false }) };
        // Under its own name: one entry for all addresses, and no client's path looks like it (they begin with `/`).
        let key = Some(fallback.as_str());
        let memory = Memory { files, key, now };
        let representation = match files.fresh(self.tree.id, fallback.as_str(), now) {
            Some(representation) => representation,
            None => match self.tree.find(fallback, memory).await? {
                Found::File(representation) => representation,
                Found::Directory => return Err(FileError::NotFound { no_store: false }),
            },
        };
        let representation = self.tree.negotiate(representation, request.headers, memory).await;
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

fn is_read(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
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
