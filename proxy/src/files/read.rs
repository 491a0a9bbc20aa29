//! Reading a file without ever letting the worker wait for a disk: what the page cache holds is copied at once, the
//! rest is fetched by a blocking thread.

use super::disk::Disk;
use super::stamp::Stamp;
use rustix::io::{Errno, IoSliceMut, ReadWriteFlags, preadv2};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Copies from the page cache; `None` when the file must be waited for, or when kernel, file system or sandbox don't
/// know the question. `Some(0)` is the end of the file.
pub(super) fn from_page_cache(file: &File, buffer: &mut [u8], offset: u64) -> Option<usize> {
    loop {
        match preadv2(file, &mut [IoSliceMut::new(buffer)], offset, ReadWriteFlags::NOWAIT) {
            Ok(count) => return Some(count),
            Err(Errno::INTR) => {}
            Err(_) => return None,
        }
    }
}

/// Whether this byte of a file can be had without waiting for the disk. False also where the file ends before it.
pub(super) fn is_byte_in_page_cache(file: &File, offset: u64) -> bool {
    from_page_cache(file, &mut [0], offset) == Some(1)
}

/// Reads from the disk, on a blocking thread; 0 is the end of the file.
pub(super) fn from_disk(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        match file.read_at(buffer, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// The whole of a small file, and the version that it is in afterwards. Shorter than `size` when it has shrunk.
///
/// # Errors
/// The disk's.
pub(super) async fn whole(file: &Arc<File>, size: usize, disk: &Disk) -> Result<(Vec<u8>, Stamp), Errno> {
    let mut content = vec![0; size];
    if size == 0 || from_page_cache(file, &mut content, 0) == Some(size) {
        return Ok((content, Stamp::at_hand(file)?));
    }
    let file = Arc::clone(file);
    disk.ask(move || Ok((fill(&file, content)?, Stamp::of_file(&file)?))).await?
}

/// As [`whole`], on a blocking thread.
///
/// # Errors
/// The disk's.
pub(super) fn whole_blocking(file: &File, size: usize) -> Result<Vec<u8>, Errno> {
    fill(file, vec![0; size])
}

fn fill(file: &File, mut content: Vec<u8>) -> Result<Vec<u8>, Errno> {
    let mut filled = 0;
    while let Some(rest) = content.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match from_disk(file, rest, filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) => return Err(Errno::from_io_error(&error).unwrap_or(Errno::IO)),
        }
    }
    content.truncate(filled);
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &[u8]) -> Arc<File> {
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        std::fs::write(file.path(), content).expect("write");
        Arc::new(file.into_file())
    }

    #[tokio::test]
    async fn small_files_are_read_whole() {
        let disk = Disk::of(0, std::time::Duration::from_secs(60));
        for (content, size, expected) in [
            ("", 0, ""),
            ("hello", 5, "hello"),
            // It shrank.
            ("hello", 9, "hello"),
            // It grew.
            ("hello", 4, "hell"),
        ] {
            let file = file(content.as_bytes());
            let (read, stamp) = whole(&file, size, &disk).await.expect("read");
            assert_eq!(read, expected.as_bytes());
            assert_eq!(stamp, Stamp::of_file(&file).expect("metadata"));
        }
    }

    #[test]
    fn the_end_of_the_file_is_zero_bytes() {
        let file = file(b"hello");
        let mut buffer = [0; 8];
        assert_eq!(from_disk(&file, &mut buffer, 5).expect("read"), 0);
        assert_eq!(from_disk(&file, &mut buffer, 3).expect("read"), 2);
        assert!(matches!(from_page_cache(&file, &mut buffer, 5), Some(0) | None));
    }
}
