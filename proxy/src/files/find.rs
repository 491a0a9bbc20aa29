//! From a checked name to a representation: from memory, or from the disk and then into memory.

use super::body::Sealed;
use super::cache_control::{Audience, CachePolicy};
use super::coding::{Codings, Twins};
use super::error::{FileError, FilesError};
use super::open::{Opened, Root};
use super::open_files::ServerId;
use super::path::RelativePath;
use super::read;
use super::representation::{Content, Representation};
use super::small::SmallFiles;
use super::stamp::Stamp;
use super::validators::Validators;
use crate::config::Symlinks;
use bytes::Bytes;
use std::fs::File;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// How often a file that is being written to is read again before it is streamed instead.
const ATTEMPTS_MAX: usize = 3;

/// From this size on the kernel gets a copy of its own of a file that is in memory: to send that costs a call more than
/// to write the bytes, and copies nothing.
const SENT_BY_KERNEL_BYTES_MIN: usize = 64 * 1024;

/// Files that an application hands over are kept in memory up to this size: 256 KiB.
const INTERNAL_CACHED_BYTES_MAX: u64 = 256 * 1024;

/// They are looked at again after this time.
const INTERNAL_FRESH_FOR: Duration = Duration::from_secs(1);

/// Where each server's [`ServerId`] comes from.
static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// What a name stands for.
#[derive(Debug)]
pub(super) enum Found {
    /// A file.
    File(Rc<Representation>),
    /// A directory.
    Directory,
}

/// A worker's memory, the name of a file in it, and the time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory<'a> {
    /// Where small files are kept.
    pub files: &'a SmallFiles,
    /// Under which name; `None`: this file is not kept.
    pub key: Option<&'a str>,
    /// Read once per request.
    pub now: Instant,
}

/// The files beneath one root, and how long answers about them may be kept.
#[derive(Debug)]
pub(super) struct Tree {
    pub id: ServerId,
    pub root: Root,
    pub cache_policy: CachePolicy,
    /// Files up to this size are kept in memory.
    pub cached_bytes_max: u64,
    /// How long a file is served without looking at the disk.
    pub fresh_for: Duration,
    /// In which codings files are sent.
    pub codings: Codings,
}

impl Tree {
    /// Opens the root of files that an application hands over; see [`super::FileServer::internal`].
    ///
    /// # Errors
    /// When it is no directory that can be entered.
    pub(super) fn open(root: &Path, symlinks: Symlinks, disk_timeout: Duration) -> Result<Self, FilesError> {
        let opened = Root::open(root, symlinks, disk_timeout)
            .map_err(|source| FilesError::Root { root: root.to_owned(), source })?;
        Ok(Self {
            id: ServerId(NEXT_ID.fetch_add(1, Ordering::Relaxed)),
            root: opened,
            cache_policy: CachePolicy::of_audience(Audience::Client),
            cached_bytes_max: INTERNAL_CACHED_BYTES_MAX,
            fresh_for: INTERNAL_FRESH_FOR,
            // What a file that an application hands over is, the application says.
            codings: Codings::default(),
        })
    }

    /// Another root whose files are served as this one's.
    pub(super) fn of_root(&self, root: Root) -> Self {
        Self {
            id: ServerId(NEXT_ID.fetch_add(1, Ordering::Relaxed)),
            root,
            cache_policy: self.cache_policy.clone(),
            cached_bytes_max: self.cached_bytes_max,
            fresh_for: self.fresh_for,
            codings: self.codings.clone(),
        }
    }

    /// The file, from memory while it is fresh; `None`: there is none of the name.
    ///
    /// # Errors
    /// When it can't be read.
    pub(super) async fn find_file(
        &self,
        path: &RelativePath,
        memory: Memory<'_>,
    ) -> Result<Option<Rc<Representation>>, FileError> {
        if let Some(known) = memory.key.and_then(|key| memory.files.fresh(self.id, key, memory.now)) {
            return Ok(Some(known));
        }
        match self.find(path, memory).await {
            Ok(Found::File(representation)) => Ok(Some(representation)),
            Ok(Found::Directory) | Err(FileError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Looks at the disk, and reads the file when it is another than the one in memory. While the disk does not answer,
    /// what was right a moment ago goes on.
    ///
    /// # Errors
    /// When there is no such file, or it can't be read.
    pub(super) async fn find(&self, path: &RelativePath, memory: Memory<'_>) -> Result<Found, FileError> {
        let Memory { files, key, now } = memory;
        if let Some(open) = key.and_then(|key| files.fresh_open(self.id, key, now)) {
            return Ok(Found::File(open));
        }
        files.note_look();
        let known = key.and_then(|key| files.claim(self.id, key, now + self.fresh_for));
        match self.look(path, known.as_ref(), memory).await {
            Err(FileError::Stalled) => known.map(|(_, known)| Found::File(known)).ok_or(FileError::Stalled),
            found => found,
        }
    }

    async fn look(
        &self,
        path: &RelativePath,
        known: Option<&(Stamp, Rc<Representation>)>,
        memory: Memory<'_>,
    ) -> Result<Found, FileError> {
        let opened = match (self.root.open_beneath(path).await, known) {
            (Ok(opened), _) => opened,
            // Out of descriptors, or the disk is away: what was right a second ago is better than nothing.
            (Err(FileError::Unavailable(_)), Some((_, representation))) => {
                return Ok(Found::File(Rc::clone(representation)));
            }
            (Err(FileError::Stalled), _) => return Err(FileError::Stalled),
            (Err(error), _) => {
                self.forget(memory);
                return Err(error);
            }
        };
        let Opened::File(file, stamp) = opened else {
            self.forget(memory);
            return Ok(Found::Directory);
        };
        let twins = self.open_twins(path, &stamp).await?;
        if let Some((known_stamp, representation)) = known
            && *known_stamp == stamp
            && representation.variants.twins() == twins.each_ref().map(|twin| twin.as_ref().map(|(_, stamp)| *stamp))
        {
            return Ok(Found::File(Rc::clone(representation)));
        }
        self.load(path, file, stamp, twins, memory).await.map(Found::File)
    }

    async fn load(
        &self,
        path: &RelativePath,
        file: File,
        opened: Stamp,
        twins: Twins,
        memory: Memory<'_>,
    ) -> Result<Rc<Representation>, FileError> {
        let file = Arc::new(file);
        let settled = self.read_settled(&file, opened).await?;
        let now = SystemTime::now();
        let (validators, content) = match &settled {
            Read::Small(content, stamp) => {
                (Validators::of_content(content, stamp, now), Content::Memory(content.clone()))
            }
            Read::Large(stamp) => {
                (Validators::of_stamp(stamp, now), Content::File(file, stamp.size, Arc::clone(self.root.disk())))
            }
        };
        let mut representation = Representation::new(path.as_str(), validators, content, &self.cache_policy);
        if let Read::Small(content, _) = &settled
            && content.len() >= SENT_BY_KERNEL_BYTES_MIN
            && memory.key.is_some()
        {
            representation.sealed = memory.files.place().and_then(|place| Sealed::copy(content, place));
        }
        let (Read::Small(_, stamp) | Read::Large(stamp)) = settled;
        // A file that was written to meanwhile may be newer than what lies beside it.
        let twins = if stamp == opened { twins } else { Twins::default() };
        self.add_variants(&mut representation, stamp, twins).await?;
        let representation = Rc::new(representation);
        let (now, fresh_until) = (memory.now, memory.now + self.fresh_for);
        match (settled, memory.key) {
            (Read::Small(_, stamp), Some(key)) => {
                memory.files.insert(self.id, key, stamp, &representation, fresh_until);
            }
            // Not one that was written to a moment ago: the next look would find another.
            (Read::Large(stamp), Some(key)) if stamp == opened => {
                self.forget(memory);
                memory.files.insert_open(self.id, key, stamp, &representation, (now, fresh_until));
            }
            _ => self.forget(memory),
        }
        Ok(representation)
    }

    /// Reads a small file such that bytes and stamp belong together: one that is written to meanwhile is read again,
    /// and in the end treated as a large one.
    async fn read_settled(&self, file: &Arc<File>, mut stamp: Stamp) -> Result<Read, FileError> {
        for _ in 0..ATTEMPTS_MAX {
            let Some(size) = usize::try_from(stamp.size).ok().filter(|_| stamp.size <= self.cached_bytes_max) else {
                break;
            };
            let (content, after) = read::whole(file, size, self.root.disk()).await?;
            if after == stamp && content.len() == size {
                return Ok(Read::Small(Bytes::from(content), stamp));
            }
            stamp = after;
        }
        Ok(Read::Large(stamp))
    }

    fn forget(&self, memory: Memory<'_>) {
        if let Some(key) = memory.key {
            memory.files.forget(self.id, key);
        }
    }
}

/// What reading a file gave.
enum Read {
    /// All of it, and the version that it is.
    Small(Bytes, Stamp),
    /// Too large to keep, or never at rest.
    Large(Stamp),
}
