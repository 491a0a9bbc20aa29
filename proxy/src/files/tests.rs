//! The file server as a value, against real directories: what a request gets, and that nothing outside the root,
//! nothing mixed and nothing half-read is ever served.

mod answers;
mod changes;
mod codings;
mod hostile;
mod internal;
mod listing;
mod ranges;
mod releases;

use super::*;
use crate::config;
use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method, Response};
use http_body_util::BodyExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A site in a temporary directory, and one worker's view of it.
struct Site {
    directory: tempfile::TempDir,
    server: FileServer,
    files: SmallFiles,
    start: Instant,
}

/// What a client gets.
#[derive(Debug)]
struct Got {
    head: http::response::Parts,
    body: Bytes,
}

impl Got {
    fn field(&self, name: HeaderName) -> &str {
        self.head.headers.get(&name).map_or("", |value| value.to_str().expect("visible"))
    }
}

impl Site {
    /// With these files, a small limit of 1,000 bytes, and the configuration changed by `adjust`.
    fn with(files: &[(&str, &[u8])], adjust: impl FnOnce(&mut config::Files)) -> Self {
        let directory = tempfile::tempdir().expect("temporary directory");
        let root = directory.path().join("site");
        std::fs::create_dir(&root).expect("root");
        for (name, content) in files {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().expect("parent")).expect("directories");
            std::fs::write(path, content).expect("file");
        }
        let mut config = config::Files { cached_bytes_max: 1000, ..config::Files::of(root) };
        adjust(&mut config);
        let server = FileServer::open(&config).expect("server");
        Self { directory, server, files: SmallFiles::default(), start: Instant::now() }
    }

    fn new(files: &[(&str, &[u8])]) -> Self {
        Self::with(files, |_| {})
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join("site").join(name)
    }

    async fn ask(&self, method: Method, target: &str, fields: &[(HeaderName, &str)]) -> Result<Got, FileError> {
        let (raw_path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_str(value).expect("value"));
        }
        let request = FileRequest { method: &method, raw_path, query, headers: &headers };
        collect(self.server.serve(request, &self.files, self.start).await?).await
    }

    async fn get(&self, target: &str) -> Result<Got, FileError> {
        self.ask(Method::GET, target, &[]).await
    }

    async fn get_if(&self, target: &str, name: HeaderName, value: &str) -> Result<Got, FileError> {
        self.ask(Method::GET, target, &[(name, value)]).await
    }
}

async fn collect(response: Response<FileBody>) -> Result<Got, FileError> {
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("body").to_bytes();
    Ok(Got { head, body })
}

/// Replaces a file as deploys do: a new one is renamed over it.
fn replace(path: &Path, content: &[u8]) {
    let new = path.with_extension("new");
    std::fs::write(&new, content).expect("write");
    std::fs::rename(&new, path).expect("rename");
}
