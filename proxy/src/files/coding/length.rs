//! How long the content of a coded form is, as the form itself says: a glance where to decode it would take too long.

use crate::config::Coding;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// The header of a zstd frame has at most so many bytes (RFC 8878 section 3.1.1).
const ZSTD_HEADER_BYTES: u64 = 18;

/// The length stands at the end of a gzip member, in so many bytes (RFC 1952 section 2.3.1).
const GZIP_LENGTH_BYTES: u64 = 4;

/// Whether the coded form in a file of `size` bytes can be one of `length` bytes of content. Brotli says nothing of that.
/// A form in several parts, of which only one is looked at, is not known again. Waits for the disk.
pub(in crate::files) fn may_be_of(coding: Coding, file: &File, size: u64, length: u64) -> bool {
    match coding {
        Coding::Brotli => true,
        Coding::Zstd => {
            let header = read(file, 0, ZSTD_HEADER_BYTES.min(size));
            let said = header.and_then(|header| zstd::zstd_safe::get_frame_content_size(&header).ok());
            said.is_some_and(|said| said.is_none_or(|said| said == length))
        }
        Coding::Gzip => {
            let said = size.checked_sub(GZIP_LENGTH_BYTES).and_then(|at| read(file, at, GZIP_LENGTH_BYTES));
            let said = said.and_then(|said| said.try_into().ok()).map(u32::from_le_bytes);
            // Modulo 2^32.
            said.is_some_and(|said| u64::from(said) == length & u64::from(u32::MAX))
        }
    }
}

fn read(file: &File, at: u64, bytes: u64) -> Option<Vec<u8>> {
    let mut read = vec![0; usize::try_from(bytes).ok()?];
    file.read_exact_at(&mut read, at).ok().map(|()| read)
}

#[cfg(test)]
mod tests {
    use super::super::encode::{Effort, encode};
    use super::*;
    use std::io::Write as _;

    #[test]
    fn two_codings_tell_how_long_their_content_is() {
        let content = b"again and again ".repeat(1000);
        let length = content.len() as u64;
        for coding in Coding::ALL {
            let coded = encode(coding, Effort::Brief, &content).expect("coded");
            let mut file = tempfile::tempfile().expect("a file");
            file.write_all(&coded).expect("written");
            let size = coded.len() as u64;
            assert!(may_be_of(coding, &file, size, length), "{coding:?}");
            let tells = coding != Coding::Brotli;
            assert_eq!(may_be_of(coding, &file, size, length + 1), !tells, "{coding:?}");
            let empty = tempfile::tempfile().expect("a file");
            assert_eq!(may_be_of(coding, &empty, 0, 0), !tells, "{coding:?}");
        }
    }
}
