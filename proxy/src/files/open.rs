//! Opening files beneath a root: whatever the name is and whatever happens on the disk meanwhile, the kernel resolves
//! no link that the route does not allow, and nothing outside the root.
//!
//! `openat2` does this in one call. Where the kernel lacks it, or a container's seccomp filter forbids it, each step of
//! the name is opened on its own (`walk`), with the same result.

use super::disk::Disk;
use super::entries::{ENTRIES_MAX, Entry, Listing};
use super::error::FileError;
use super::path::{HiddenNames, RelativePath};
use super::stamp::Stamp;
use super::walk::{self, READ, READ_LINKED, STEP};
use crate::config::Symlinks;
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, FsWord, Mode, OFlags, ResolveFlags, fstat, fstatfs, openat, openat2, statat,
};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// What a kernel must know for the whole name to be resolved in one call.
const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

/// File systems that open a file whose name is in memory without asking anybody: their `f_type`s. All others may wait
/// in `open` itself, whatever `RESOLVE_CACHED` says, because it is about names only: NFS, SMB and FUSE ask their server.
/// Overlays are those of containers, whose layers are local.
const LOCAL: [FsWord; 16] = [
    0xef53,      // ext2, ext3, ext4
    0x5846_5342, // XFS
    0x9123_683e, // Btrfs
    0x0102_1994, // tmpfs
    0x8584_58f6, // ramfs
    0x794c_7630, // overlay
    0x7371_7368, // SquashFS
    0xe0f5_e1e2, // EROFS
    0xf2f5_2010, // F2FS
    0x2fc1_2fc1, // ZFS
    0xca45_1a4e, // bcachefs
    0x9660,      // ISO 9660
    0x1501_3346, // UDF
    0x4d44,      // FAT
    0x2011_bab0, // exFAT
    0x3153_464a, // JFS
];

/// How often the kernel may ask to try again (a rename raced with the lookup).
const ATTEMPTS_MAX: usize = 3;

/// A directory beneath which files are opened.
#[derive(Debug, Clone)]
pub(super) struct Root {
    directory: Arc<OwnedFd>,
    lookup: Lookup,
    symlinks: Symlinks,
    disk: Arc<Disk>,
}

/// What a name turned out to be.
#[derive(Debug)]
pub(super) enum Opened {
    /// A regular file and the version that it had when it was opened.
    File(File, Stamp),
    /// A directory.
    Directory,
}

/// How names are resolved, found out once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lookup {
    /// `openat2`; with `RESOLVE_CACHED` (Linux 5.12), and on a file system that keeps the promise, the worker may ask
    /// without ever waiting for a disk.
    Beneath { cached: bool },
    /// Step by step with `openat` and `O_NOFOLLOW`.
    Stepwise,
}

/// How `openat2` resolves a name, and how it opens what it finds. Links of `/proc` are never followed: they lead out of
/// every root, to files that only this process holds.
const fn strictness(symlinks: Symlinks) -> (ResolveFlags, OFlags) {
    match symlinks {
        Symlinks::No => (BENEATH, READ),
        Symlinks::SameRoot => (ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS), READ_LINKED),
        Symlinks::Any => (ResolveFlags::NO_MAGICLINKS, READ_LINKED),
    }
}

impl Root {
    /// Opens the root itself; links on the way to it are the operator's and are followed. Nobody who asks for a file
    /// waits for its disk longer than `patience`.
    ///
    /// # Errors
    /// The system's, when it is no directory that can be entered.
    pub(super) fn open(path: &Path, symlinks: Symlinks, patience: Duration) -> Result<Self, Errno> {
        let directory = openat(CWD, path, STEP.difference(OFlags::NOFOLLOW), Mode::empty())?;
        let lookup = Lookup::probe(&directory);
        let disk = Disk::of(fstat(&directory)?.st_dev, patience);
        Ok(Self { directory: Arc::new(directory), lookup, symlinks, disk })
    }

    /// The disk that it is on.
    pub(super) const fn disk(&self) -> &Arc<Disk> {
        &self.disk
    }

    /// A directory right below this root, no link, as a root of its own; and what tells it from others of the name.
    ///
    /// # Errors
    /// The system's, when it is none.
    pub(super) fn below(&self, name: &str) -> Result<(Self, (u64, u64)), Errno> {
        let directory = openat(&*self.directory, name, STEP, Mode::empty())?;
        let facts = fstat(&directory)?;
        let disk = Arc::clone(&self.disk);
        Ok((Self { directory: Arc::new(directory), disk, ..*self }, (facts.st_dev, facts.st_ino)))
    }

    /// As [`Self::open_beneath`], for a thread that may wait for the disk.
    ///
    /// # Errors
    /// Those of [`Self::open_beneath`].
    pub(super) fn open_waiting(&self, path: &RelativePath) -> Result<Opened, FileError> {
        let name = if path.as_str().is_empty() { "." } else { path.as_str() };
        inspect(self.lookup.open(&self.directory, name, self.symlinks)?)
    }

    /// What is in a directory, of that which would be served: no links that are not followed, no devices, no `hidden` names
    /// where they are refused. Waits for the disk.
    ///
    /// # Errors
    /// Those of [`Self::open_beneath`]; what is no directory is not found.
    pub(super) fn list(&self, path: &RelativePath, hidden: HiddenNames) -> Result<Listing, FileError> {
        let name = if path.as_str().is_empty() { "." } else { path.as_str() };
        let directory = self.lookup.open(&self.directory, name, self.symlinks)?;
        let mut listing = Listing::default();
        for (seen, entry) in Dir::read_from(&directory)?.enumerate() {
            let entry = entry?;
            // Names that are left out cost a look too.
            if seen > 10 * ENTRIES_MAX {
                listing.is_cut = true;
                break;
            }
            let Ok(name) = entry.file_name().to_str() else { continue };
            let Ok(below) = RelativePath::from_plain(name) else { continue };
            if hidden == HiddenNames::Refused && name.starts_with('.') {
                continue;
            }
            let Some((bytes, modified)) = self.facts(&directory, &path.join(&below), name) else { continue };
            if listing.entries.len() >= ENTRIES_MAX {
                listing.is_cut = true;
                break;
            }
            listing.entries.push(Entry { name: name.to_owned(), bytes, modified });
        }
        listing.sort();
        Ok(listing)
    }

    /// Length and age of a file, no length for a directory; `None`: it is not served.
    fn facts(&self, directory: &OwnedFd, path: &RelativePath, name: &str) -> Option<(Option<u64>, Option<SystemTime>)> {
        let facts = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        match FileType::from_raw_mode(facts.st_mode) {
            FileType::RegularFile => {
                let seconds = u64::try_from(facts.st_mtime).ok();
                let modified = seconds.and_then(|s| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(s)));
                Some((u64::try_from(facts.st_size).ok(), modified))
            }
            FileType::Directory => Some((None, None)),
            FileType::Symlink if self.symlinks != Symlinks::No => match self.open_waiting(path).ok()? {
                Opened::File(_, stamp) => Some((Some(stamp.size), stamp.modified())),
                Opened::Directory => Some((None, None)),
            },
            _ => None,
        }
    }

    /// Opens what `path` names. What the kernel has in memory is opened at once; when it would have to ask the disk,
    /// or the name leads to another one that is mounted below the root, a blocking thread waits instead of the worker.
    ///
    /// # Errors
    /// [`FileError::NotFound`] also for links that the route does not allow, devices, FIFOs and sockets.
    pub(super) async fn open_beneath(&self, path: &RelativePath) -> Result<Opened, FileError> {
        let name = if path.as_str().is_empty() { "." } else { path.as_str() };
        if self.lookup == (Lookup::Beneath { cached: true }) {
            let (resolve, flags) = strictness(self.symlinks);
            let resolve = resolve.union(ResolveFlags::CACHED).union(ResolveFlags::NO_XDEV);
            match openat2(&*self.directory, name, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::XDEV) => {}
                opened => return inspect(opened?),
            }
        }
        let (directory, name) = (Arc::clone(&self.directory), name.to_owned());
        let (lookup, symlinks) = (self.lookup, self.symlinks);
        self.disk.ask(move || inspect(lookup.open(&directory, &name, symlinks)?)).await?
    }
}

impl Lookup {
    /// Asks the kernel for the root itself. Every failure means the fallback: seccomp filters answer with EPERM as
    /// often as with ENOSYS.
    fn probe(root: &OwnedFd) -> Self {
        let ask = |resolve| openat2(root, ".", STEP, Mode::empty(), resolve);
        match (ask(BENEATH), ask(BENEATH.union(ResolveFlags::CACHED))) {
            (Err(_), _) => Self::Stepwise,
            (Ok(_), Ok(_) | Err(Errno::AGAIN)) => Self::Beneath { cached: is_local(root) },
            (Ok(_), Err(_)) => Self::Beneath { cached: false },
        }
    }

    fn open(self, root: &OwnedFd, name: &str, symlinks: Symlinks) -> Result<OwnedFd, Errno> {
        match self {
            Self::Beneath { .. } => {
                let (resolve, flags) = strictness(symlinks);
                let mut attempt = 1;
                loop {
                    match openat2(root, name, flags, Mode::empty(), resolve) {
                        Err(Errno::AGAIN | Errno::INTR) if attempt < ATTEMPTS_MAX => attempt += 1,
                        outcome => return outcome,
                    }
                }
            }
            Self::Stepwise => match symlinks {
                Symlinks::No => walk::without_links(root, name),
                Symlinks::SameRoot => walk::beneath(root, name),
                // As [`RelativePath`] holds no `..`, only links lead out, and these may.
                Symlinks::Any => openat(root, name, READ_LINKED, Mode::empty()),
            },
        }
    }
}

fn is_local(root: &OwnedFd) -> bool {
    fstatfs(root).is_ok_and(|facts| LOCAL.contains(&facts.f_type))
}

/// Looks at the opened file itself, so that nothing can be exchanged between the check and the use.
fn inspect(opened: OwnedFd) -> Result<Opened, FileError> {
    let file = File::from(opened);
    let metadata = file.metadata().map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    if metadata.is_dir() {
        return Ok(Opened::Directory);
    }
    if !metadata.is_file() {
        return Err(FileError::NotFound { no_store: false });
    }
    Ok(Opened::File(file, Stamp::of(&metadata)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::mknodat;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    const PATIENCE: Duration = Duration::from_secs(60);

    /// `site/` with all that must not be served, and a secret beside it.
    fn tree() -> tempfile::TempDir {
        let tree = tempfile::tempdir().expect("temporary directory");
        let site = tree.path().join("site");
        std::fs::create_dir_all(site.join("docs/deep")).expect("directories");
        std::fs::write(tree.path().join("secret"), "secret").expect("secret");
        std::fs::write(site.join("docs/deep/page.html"), "page").expect("page");
        symlink("../secret", site.join("link")).expect("link out");
        symlink("docs/deep/page.html", site.join("inner")).expect("link within");
        symlink("..", site.join("up")).expect("link to a directory");
        symlink("/proc/self/root", site.join("magic")).expect("magic link");
        symlink("loop", site.join("loop")).expect("loop");
        mknodat(CWD, site.join("fifo"), FileType::Fifo, Mode::RUSR, 0).expect("fifo");
        UnixListener::bind(site.join("socket")).expect("socket");
        tree
    }

    fn roots(tree: &tempfile::TempDir, symlinks: Symlinks) -> [Root; 3] {
        [Lookup::Beneath { cached: true }, Lookup::Beneath { cached: false }, Lookup::Stepwise].map(|lookup| {
            let found = Root::open(&tree.path().join("site"), symlinks, PATIENCE).expect("root");
            Root { lookup, ..found }
        })
    }

    #[tokio::test]
    async fn links_lead_as_far_as_they_may() {
        let tree = tree();
        let site = tree.path().join("site");
        symlink("deep/page.html", site.join("docs/page")).expect("a link with a step down");
        symlink("../docs/./deep/../page", site.join("docs/twice")).expect("a link through a link");
        symlink("docs", site.join("other")).expect("a link to a directory within");
        symlink("../site/docs/deep/page.html", site.join("out-and-in")).expect("a link that leaves on its way");
        symlink(site.join("docs/deep/page.html"), site.join("absolute")).expect("an absolute link");
        symlink("docs/deep/page.html/x", site.join("below-a-file")).expect("a link below a file");
        symlink("docs/deep/page.html/", site.join("slash")).expect("a link to a file as a directory");
        symlink("fifo", site.join("to-fifo")).expect("a link to a FIFO");
        use Symlinks::{Any, No, SameRoot};
        for (name, allowed_by) in [
            ("docs/deep/page.html", &[No, SameRoot, Any][..]),
            ("inner", &[SameRoot, Any]),
            ("docs/page", &[SameRoot, Any]),
            ("docs/twice", &[SameRoot, Any]),
            ("other/deep/page.html", &[SameRoot, Any]),
            ("other/twice", &[SameRoot, Any]),
            ("link", &[Any]),
            ("up/secret", &[Any]),
            ("up/site/docs/page", &[Any]),
            ("out-and-in", &[Any]),
            ("absolute", &[Any]),
            ("loop", &[]),
            ("below-a-file", &[]),
            ("slash", &[]),
            ("to-fifo", &[]),
            ("fifo", &[]),
        ] {
            let path = RelativePath::from_plain(name).expect(name);
            for symlinks in [No, SameRoot, Any] {
                for root in roots(&tree, symlinks) {
                    let opened = root.open_beneath(&path).await;
                    let case = format!("{name}, {symlinks:?}, {:?}", root.lookup);
                    if allowed_by.contains(&symlinks) {
                        assert!(matches!(opened, Ok(Opened::File(..))), "{case}: {opened:?}");
                    } else {
                        assert_eq!(opened.err(), Some(FileError::NotFound { no_store: false }), "{case}");
                    }
                }
            }
        }
        let other = RelativePath::from_plain("other").expect("a name");
        for root in roots(&tree, SameRoot) {
            assert!(matches!(root.open_beneath(&other).await, Ok(Opened::Directory)), "{:?}", root.lookup);
        }
    }

    #[tokio::test]
    async fn only_regular_files_beneath_the_root_are_opened() {
        let tree = tree();
        let gone = FileError::NotFound { no_store: false };
        for root in roots(&tree, Symlinks::No) {
            for name in [
                "link",
                "inner",
                "up/secret",
                "up/site/docs",
                "magic/etc/passwd",
                "loop",
                "fifo",
                "socket",
                "none",
                "docs/none/x",
            ] {
                let path = RelativePath::from_plain(name).expect(name);
                let opened = root.open_beneath(&path).await;
                assert_eq!(opened.err(), Some(gone), "{name} with {:?}", root.lookup);
            }
            for name in ["docs", "docs/deep"] {
                let path = RelativePath::from_plain(name).expect(name);
                assert!(matches!(root.open_beneath(&path).await, Ok(Opened::Directory)), "{name}");
            }
            let page = RelativePath::from_plain("docs/deep/page.html").expect("page");
            assert!(matches!(root.open_beneath(&page).await, Ok(Opened::File(..))), "{:?}", root.lookup);
        }
    }

    #[tokio::test]
    async fn a_file_as_a_directory_is_not_found() {
        let tree = tree();
        let path = RelativePath::from_plain("docs/deep/page.html/x").expect("path");
        for root in roots(&tree, Symlinks::No) {
            assert_eq!(root.open_beneath(&path).await.err(), Some(FileError::NotFound { no_store: false }));
        }
    }

    #[test]
    fn the_root_must_be_a_directory() {
        let tree = tree();
        assert_eq!(Root::open(&tree.path().join("none"), Symlinks::No, PATIENCE).err(), Some(Errno::NOENT));
        assert_eq!(Root::open(&tree.path().join("secret"), Symlinks::No, PATIENCE).err(), Some(Errno::NOTDIR));
    }
}
