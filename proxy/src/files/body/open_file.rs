//! A file that is in memory and open too: over plain HTTP/1 the kernel sends it from its page cache, which copies nothing.
//!
//! The answer is the one that was prepared of what is in memory, so the file must still be that one: it is asked before
//! each answer. Whoever writes to a file in place at that very moment changes what is on its way, as with every large
//! file; a deploy that puts another file in its place does not.

use super::super::open_files::Place;
use super::super::piece::PIECE_BYTES;
use super::super::read;
use super::super::stamp::Stamp;
use bytes::Bytes;
use http_body::Frame;
use serve::{FilePart, Part};
use std::fs::File;
use std::rc::Rc;
use std::sync::Arc;

/// An open file whose content is in memory.
#[derive(Debug, Clone)]
pub(in crate::files) struct OpenFile(Rc<Held>);

#[derive(Debug)]
struct Held {
    file: Arc<File>,
    /// The version that is in memory.
    stamp: Stamp,
    /// Among the files that a worker may hold open.
    _place: Place,
}

impl OpenFile {
    pub(in crate::files) fn new(file: &Arc<File>, stamp: Stamp, place: Place) -> Self {
        Self(Rc::new(Held { file: Arc::clone(file), stamp, _place: place }))
    }

    /// Its content, `bytes`: as a part of the file, if it is still the same and the page cache holds it.
    pub(super) fn part(self, bytes: Bytes) -> Part {
        let Held { file, stamp, .. } = &*self.0;
        let length = bytes.len();
        let is_same = file.metadata().is_ok_and(|metadata| Stamp::of(&metadata) == *stamp);
        if is_same && pieces_in_page_cache(file, 0, length) as usize == length.div_ceil(PIECE_BYTES) {
            Part::File(FilePart { file: Arc::clone(file), offset: 0, length })
        } else {
            Part::Frame(Frame::data(bytes))
        }
    }
}

/// How many of the pieces from `offset` on, `length` bytes altogether, the page cache holds. As the kernel reads ahead,
/// and lets go of, more than a piece, the first and last byte of each tell of the whole.
pub(super) fn pieces_in_page_cache(file: &File, offset: u64, length: usize) -> u32 {
    let at = |ahead: usize| read::is_byte_in_page_cache(file, offset + ahead as u64);
    // The first byte of a piece lies beside the last one of the piece before.
    if length == 0 || !at(0) {
        return 0;
    }
    let mut pieces = 0;
    let mut end = 0;
    while end < length {
        end = (end + PIECE_BYTES).min(length);
        if !at(end - 1) {
            break;
        }
        pieces += 1;
    }
    pieces
}
