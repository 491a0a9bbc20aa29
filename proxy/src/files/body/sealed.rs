//! A copy of a file's content in pages of its own: over plain HTTP/1 the kernel sends it from there, and nobody copies it
//! for each answer. It is sealed, so that it stays what the answer's fields say of it, whatever becomes of the file.

use super::super::places::Place;
use bytes::Bytes;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use serve::FilePart;
use std::fs::File;
use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;

/// What nobody may do to a copy.
const SEALS: SealFlags = SealFlags::WRITE.union(SealFlags::SHRINK).union(SealFlags::GROW).union(SealFlags::SEAL);

/// The copy.
#[derive(Debug, Clone)]
pub(in crate::files) struct Sealed(Rc<Held>);

#[derive(Debug)]
struct Held {
    file: Arc<File>,
    length: usize,
    /// Among the files that a worker may hold open.
    _place: Place,
}

impl Sealed {
    /// Copies; `None` where the kernel or a sandbox has no such files, or no memory is left for one.
    pub(in crate::files) fn copy(content: &Bytes, place: Place) -> Option<Self> {
        let mut file = File::from(memfd_create("file", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).ok()?);
        file.write_all(content).ok()?;
        fcntl_add_seals(&file, SEALS).ok()?;
        Some(Self(Rc::new(Held { file: Arc::new(file), length: content.len(), _place: place })))
    }

    /// All of it, for the kernel to send.
    pub(super) fn part(&self) -> FilePart {
        FilePart { file: Arc::clone(&self.0.file), offset: 0, length: self.0.length }
    }

    /// In bytes.
    pub(in crate::files) fn len(&self) -> usize {
        self.0.length
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::places::Places;
    use super::*;
    use std::os::unix::fs::FileExt;

    #[test]
    fn a_copy_holds_the_content_and_nobody_can_change_it() {
        let content = Bytes::from(vec![7; 100_000]);
        let sealed = Sealed::copy(&content, Places::default().take()).expect("the kernel has such files");
        let FilePart { file, offset, length } = sealed.part();
        let mut read = vec![0; length];
        file.read_exact_at(&mut read, offset).expect("its content");
        assert_eq!(read, content);
        assert!(file.write_at(b"x", 0).is_err());
        assert!(file.set_len(10).is_err());
        assert!(file.set_len(200_000).is_err());
    }
}
