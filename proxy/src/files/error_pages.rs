//! Pages in place of problems, from below a root: read when it is opened, so that an error costs no disk.

use super::open::{Opened, Root};
use super::path::RelativePath;
use bytes::Bytes;
use http::StatusCode;
use std::io::Read;

/// Bytes of one page: 1 MiB.
const PAGE_BYTES_MAX: u64 = 1024 * 1024;

/// Pages by status.
#[derive(Debug, Default)]
pub(super) struct ErrorPages(Box<[(StatusCode, Bytes)]>);

impl ErrorPages {
    /// Reads them; waits for the disk. One that is missing or too large is logged, and its problem stays a problem:
    /// a release without it is better than none.
    pub(super) fn read(root: &Root, configured: &[(StatusCode, String)]) -> Self {
        let read = |(status, name): &(StatusCode, String)| match page(root, name) {
            Ok(page) => Some((*status, page)),
            Err(reason) => {
                tracing::warn!(status = status.as_u16(), page = %name, %reason, "an error page can't be read");
                None
            }
        };
        Self(configured.iter().filter_map(read).collect())
    }

    /// The page of a status.
    pub(super) fn of(&self, status: StatusCode) -> Option<Bytes> {
        self.0.iter().find(|(known, _)| *known == status).map(|(_, page)| page.clone())
    }
}

fn page(root: &Root, name: &str) -> Result<Bytes, String> {
    let path = RelativePath::from_plain(name).map_err(|refusal| refusal.to_string())?;
    let Opened::File(file, _) = root.open_waiting(&path).map_err(|error| error.to_string())? else {
        return Err("it is a directory".to_owned());
    };
    let mut bytes = Vec::new();
    file.take(PAGE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > PAGE_BYTES_MAX {
        return Err(format!("it is larger than {PAGE_BYTES_MAX} bytes"));
    }
    Ok(Bytes::from(bytes))
}
