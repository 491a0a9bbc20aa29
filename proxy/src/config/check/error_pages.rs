//! Pages in place of problems: files that are there.

use crate::config::disk;
use crate::config::file::maps::Map;
use crate::config::file::values::{Below, ErrorStatus, FilePath};
use crate::config::read::{At, Context};
use http::StatusCode;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of a page: it is held in memory.
const PAGE_BYTES_MAX: u64 = 1024 * 1024;

/// Of a site: read now, since nothing is served from where they lie.
pub(super) fn of_site(
    written: Map<ErrorStatus, FilePath>,
    context: &mut Context<'_>,
) -> Vec<(StatusCode, PathBuf, Arc<[u8]>)> {
    let mut pages = Vec::new();
    for (status, FilePath(path)) in written.0 {
        match disk::read_bytes(&path, PAGE_BYTES_MAX) {
            Ok(bytes) => pages.push((status.value.0, path, bytes.into())),
            Err(reason) => unreadable(&status, &path, &reason, context),
        }
    }
    pages
}

/// Of a route: names below its root, or below that of its current release.
pub(super) fn of_files(
    written: Map<ErrorStatus, Below>,
    root: Option<&Path>,
    context: &mut Context<'_>,
) -> Vec<(StatusCode, String)> {
    let mut pages = Vec::new();
    for (status, Below(name)) in written.0 {
        if let Some(path) = root.map(|root| root.join(&name))
            && let Err(reason) = disk::read_bytes(&path, PAGE_BYTES_MAX)
        {
            unreadable(&status, &path, &reason, context);
        }
        pages.push((status.value.0, name));
    }
    pages
}

fn unreadable(status: &At<ErrorStatus>, path: &Path, reason: &str, context: &mut Context<'_>) {
    context.problem(status.at, format!("the page {} can't be read: {reason}", path.display()));
}
