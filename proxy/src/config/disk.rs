//! Files that a configuration names: regular ones, up to a size.

use std::fs::File;
use std::io::{Error, ErrorKind, Read};
use std::path::Path;

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
