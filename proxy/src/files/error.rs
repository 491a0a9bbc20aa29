//! Why no file is served. The HTTP layer words these; nothing here knows a status page.

use super::path::PathRefusal;
use rustix::io::Errno;
use std::path::PathBuf;
use std::time::Duration;

/// Why a request gets no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// 404.
    #[error("no such file")]
    NotFound {
        /// Whether the answer must carry `Cache-Control: no-store`: an asset is missing, most likely because a deploy
        /// has removed it, and no cache may remember that.
        no_store: bool,
    },
    /// 400: the path is malformed or ambiguous.
    #[error("{0}")]
    BadPath(PathRefusal),
    /// 405, with `Allow:` [`ALLOW`](super::ALLOW).
    #[error("files are only read")]
    MethodNotAllowed,
    /// 403: the file is there, but the proxy's user may not read it.
    #[error("the file may not be read")]
    Forbidden,
    /// 416, with `Content-Range: bytes */size_bytes` (RFC 9110 section 15.5.17).
    #[error("the range lies behind the end of {size_bytes} bytes")]
    RangeNotSatisfiable {
        /// The file's length.
        size_bytes: u64,
    },
    /// 412 (RFC 9110 section 15.5.13).
    #[error("the file is not in the state that the client expects")]
    PreconditionFailed,
    /// 503: the system has no descriptor or memory left, or the disk failed.
    #[error("the file can't be read now: {0}")]
    Unavailable(Errno),
    /// 503: the disk does not answer.
    #[error("the disk does not answer")]
    Stalled,
    /// 502: the application's answer that asked for an internal file carries fields larger than
    /// [`FIELDS_BYTES_MAX`](super::FIELDS_BYTES_MAX).
    #[error("the application's fields for an internal file are too large")]
    FieldsTooLarge,
}

impl From<PathRefusal> for FileError {
    fn from(refusal: PathRefusal) -> Self {
        if refusal.is_not_found() { Self::NotFound { no_store: false } } else { Self::BadPath(refusal) }
    }
}

impl From<Errno> for FileError {
    fn from(errno: Errno) -> Self {
        match errno {
            // INVAL and ILSEQ: names that this file system can't hold. XDEV and LOOP: the kernel's refusal to leave
            // the root or to follow a link. NXIO: a socket.
            Errno::NOENT
            | Errno::NOTDIR
            | Errno::LOOP
            | Errno::XDEV
            | Errno::NXIO
            | Errno::NODEV
            | Errno::NAMETOOLONG
            | Errno::INVAL
            | Errno::ILSEQ => Self::NotFound { no_store: false },
            Errno::ACCESS | Errno::PERM => Self::Forbidden,
            // Our own patience, or that of a network file system.
            Errno::TIMEDOUT => Self::Stalled,
            other => Self::Unavailable(other),
        }
    }
}

/// Why a file server could not be built.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The root can't be opened.
    #[error("the directory {} can't be opened: {source}", root.display())]
    Root {
        /// As configured.
        root: PathBuf,
        /// The system's reason.
        source: Errno,
    },
    /// Its disk does not answer.
    #[error("the disk with {} has not answered within {patience:?} (`disk_timeout`)", root.display())]
    Stalled {
        /// As configured.
        root: PathBuf,
        /// How long was waited.
        patience: Duration,
    },
    /// There is no current release.
    #[error("there is no current release: {reason}")]
    Release {
        /// Why.
        reason: String,
    },
    /// The index or the fallback is no name below the root.
    #[error("`{name}` can't be a file below the root: {source}")]
    Name {
        /// As configured.
        name: String,
        /// What is wrong with it.
        source: PathRefusal,
    },
}
