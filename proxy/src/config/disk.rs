//! Files that a configuration names: regular ones, up to a size. And disks, which may be gone.

use std::fs::File;
use std::io::{self, Error, ErrorKind, Read};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// Does, on a thread of its own, what may have to wait for a disk of which nothing is known yet. A disk that is gone (a
/// network file system without its server, say) reports no error: it does not answer.
///
/// # Errors
/// `TimedOut` when it takes longer than `patience`; the thread stays with the disk until that answers. Others when there
/// is no thread.
pub(crate) fn ask_disk<T: Send + 'static>(
    patience: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (answer, answered) = mpsc::sync_channel(1);
    thread::Builder::new().name("disk".into()).spawn(move || drop(answer.send(work())))?;
    answered.recv_timeout(patience).map_err(|error| match error {
        RecvTimeoutError::Timeout => ErrorKind::TimedOut.into(),
        RecvTimeoutError::Disconnected => Error::other("a thread panicked"),
    })
}

/// Why a file cannot be read, without the numbers of the operating system.
pub(super) fn reason(error: &Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "no such file or directory".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

/// A regular file's bytes. The error is worded for a message.
pub(super) fn read_bytes(path: &Path, bytes_max: u64) -> Result<Vec<u8>, String> {
    let reason = |error| reason(&error);
    // Opening a FIFO would wait for a writer.
    if !std::fs::metadata(path).map_err(reason)?.is_file() {
        return Err("not a regular file".to_owned());
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(bytes_max + 1).read_to_end(&mut bytes)).map_err(reason)?;
    if bytes.len() as u64 > bytes_max {
        return Err(format!("larger than {bytes_max} bytes"));
    }
    Ok(bytes)
}

/// A regular file's text.
pub(super) fn read_text(path: &Path, bytes_max: u64) -> Result<String, String> {
    String::from_utf8(read_bytes(path, bytes_max)?).map_err(|_| "not UTF-8".to_owned())
}
