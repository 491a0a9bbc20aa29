//! A disk that is as slow as a test wants: a file system of the test's own, mounted through `/dev/fuse`, whose answers
//! wait until the test lets them go.
//!
//! Everything on it is in memory and only read. What the kernel asks is answered by one thread, at once, or held while
//! [`SlowDisk::hold`] says so. Dropped, the file system is unmounted by force, which ends every call that hangs in it
//! with an error: no test leaves a process that nobody can end. That must come before whatever may hang in it, so a
//! struct that holds both names the disk first.

mod protocol;
mod state;

use crate::deadline::within;
use protocol::{ENOENT, Request};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use state::State;
use std::ffi::CString;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use tempfile::TempDir;
use tokio::sync::watch;

/// Room for a request: the kernel wants 8 KiB at least.
const REQUEST_BYTES: usize = 64 * 1024;

/// What may hang.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// A name is looked up.
    Lookup,
    /// The state of a file is asked for.
    Attributes,
    /// A file is opened whose name is known.
    Open,
    /// A file is read.
    Read,
    /// A directory is listed.
    List,
}

/// What the kernel may keep of what it was told.
#[derive(Debug, Clone, Copy, Default)]
pub struct Kept {
    /// Names.
    pub names: bool,
    /// Sizes and times.
    pub attributes: bool,
    /// The content of files.
    pub pages: bool,
}

impl Kept {
    /// Everything, as on a disk of this machine.
    pub const ALL: Self = Self { names: true, attributes: true, pages: true };
    /// Nothing: the disk is asked each time.
    pub const NOTHING: Self = Self { names: false, attributes: false, pages: false };
}

/// A mounted file system. See the module.
pub struct SlowDisk {
    place: TempDir,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    device: File,
    kept: Kept,
    state: Mutex<State>,
    /// How many requests hang.
    hanging: watch::Sender<usize>,
}

impl SlowDisk {
    /// Mounts one with these files, by path below its root. `None`: this process may not, and the test has to say
    /// nothing more, as the reason is printed.
    ///
    /// # Panics
    ///
    /// With `PORTCULLIS_REQUIRE_FUSE=1` where it can't be mounted.
    #[must_use]
    #[expect(clippy::print_stderr, reason = "a skipped test must say so where its reader looks")]
    pub fn mount<'a>(kept: Kept, files: impl IntoIterator<Item = (&'a str, Vec<u8>)>) -> Option<Self> {
        let mounted = Self::try_mount(kept, files);
        if let Err(reason) = &mounted {
            let reason = format!("a slow disk needs root and /dev/fuse: {reason}");
            assert!(std::env::var_os("PORTCULLIS_REQUIRE_FUSE").is_none_or(|value| value != "1"), "{reason}");
            eprintln!("SKIPPED: {reason}");
        }
        mounted.ok()
    }

    fn try_mount<'a>(kept: Kept, files: impl IntoIterator<Item = (&'a str, Vec<u8>)>) -> std::io::Result<Self> {
        let device = File::options().read(true).write(true).open("/dev/fuse")?;
        let place = TempDir::new()?;
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
        let options = CString::new(options)?;
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::RDONLY;
        mount("slow-disk", place.path(), "fuse.slow-disk", flags, Some(&*options))?;
        let state = Mutex::new(State::of(files));
        let shared = Arc::new(Shared { device, kept, state, hanging: watch::Sender::new(0) });
        // From here on dropped, and so unmounted, also when no thread can be made.
        let mut disk = Self { place, shared, thread: None };
        let shared = Arc::clone(&disk.shared);
        disk.thread = Some(std::thread::Builder::new().name("slow-disk".to_owned()).spawn(move || shared.serve())?);
        Ok(disk)
    }

    /// Where it is mounted.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.place.path()
    }

    /// Where a file of this path is.
    #[must_use]
    pub fn path(&self, below: &str) -> PathBuf {
        self.root().join(below)
    }

    /// From now on, requests of this kind hang which are about a path that begins so.
    /// Of requests for the same name at once the kernel lets only the first through; the others hang behind it.
    pub fn hold(&self, operation: Operation, below: &str) {
        self.shared.lock().held.push((operation, below.to_owned()));
    }

    /// Waits until so many requests hang.
    pub async fn hanging(&self, count: usize) {
        let mut hanging = self.shared.hanging.subscribe();
        let enough = hanging.wait_for(|hanging| *hanging >= count);
        within(format!("{count} requests to hang"), enough).await.expect("the disk is there");
    }

    /// How many requests hang.
    #[must_use]
    pub fn hanging_now(&self) -> usize {
        *self.shared.hanging.borrow()
    }

    /// The disk goes on: what hangs is answered, and nothing hangs any more.
    pub fn release(&self) {
        let mut state = self.shared.lock();
        state.held.clear();
        for request in std::mem::take(&mut state.hanging) {
            self.shared.reply(&state, &request);
        }
        drop(state);
        self.shared.hanging.send_replace(0);
    }

    /// Writes a file anew, a second later than before.
    ///
    /// # Panics
    ///
    /// When there is no such file.
    pub fn write(&self, path: &str, content: impl Into<Vec<u8>>) {
        assert!(self.shared.lock().write(path, content.into()), "there is a file {path}");
    }

    /// How often the kernel has asked this of exactly this path.
    #[must_use]
    pub fn asked(&self, operation: Operation, path: &str) -> usize {
        self.shared.lock().asked.get(&(operation, path.to_owned())).copied().unwrap_or(0)
    }
}

impl Drop for SlowDisk {
    fn drop(&mut self) {
        // By force: whoever hangs in it gets an error. Detached: files that are still open do not keep it here.
        let gone = unmount(self.place.path(), UnmountFlags::FORCE | UnmountFlags::DETACH);
        if let (Ok(()), Some(thread)) = (gone, self.thread.take()) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Answers until the file system is unmounted.
    fn serve(&self) {
        let mut bytes = vec![0; REQUEST_BYTES];
        loop {
            let request = match (&self.device).read(&mut bytes) {
                Ok(length) => Request::parse(&bytes[..length]),
                // ENOENT: who asked has given up before the request was read.
                Err(error) if matches!(error.raw_os_error(), Some(ENOENT)) => continue,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(_) => return,
            };
            let mut state = self.lock();
            if let Some((operation, path)) = state.subject(&request) {
                *state.asked.entry((operation, path.clone())).or_default() += 1;
                if state.held.iter().any(|(held, below)| *held == operation && path.starts_with(below)) {
                    state.hanging.push(request);
                    let count = state.hanging.len();
                    drop(state);
                    self.hanging.send_replace(count);
                    continue;
                }
            }
            self.reply(&state, &request);
        }
    }

    /// Answers one request. It fails when who asked is gone, or the file system.
    fn reply(&self, state: &State, request: &Request) {
        if let Some(answer) = state.answer(request, self.kept) {
            let _ = (&self.device).write(&answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn disk(kept: Kept) -> Option<SlowDisk> {
        SlowDisk::mount(kept, [("a.txt", b"hello".to_vec()), ("below/deep/b.bin", vec![7; 300_000])])
    }

    #[test]
    fn it_is_read_like_any_other() {
        let Some(disk) = disk(Kept::NOTHING) else { return };
        assert_eq!(fs::read(disk.path("a.txt")).expect("a file"), b"hello");
        assert!(fs::read(disk.path("below/deep/b.bin")).expect("a file") == vec![7; 300_000]);
        let names = |path: &str| {
            let entries = fs::read_dir(disk.path(path)).expect("a directory");
            let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names(""), ["a.txt", "below"]);
        assert_eq!(names("below"), ["deep"]);
        let missing = fs::read(disk.path("none")).expect_err("nothing of this name");
        assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
        disk.write("a.txt", "other");
        assert_eq!(fs::read(disk.path("a.txt")).expect("a file"), b"other");
    }

    #[tokio::test]
    async fn what_is_held_hangs_until_it_is_let_go() {
        let Some(disk) = disk(Kept::NOTHING) else { return };
        for operation in [Operation::Lookup, Operation::Attributes, Operation::Open, Operation::Read] {
            disk.hold(operation, "a.txt");
            let path = disk.path("a.txt");
            let reader = std::thread::spawn(move || {
                let mut file = File::open(path)?;
                file.metadata()?;
                let mut text = String::new();
                file.read_to_string(&mut text).map(|_| text)
            });
            disk.hanging(1).await;
            assert!(!reader.is_finished(), "{operation:?}");
            assert_eq!(fs::read(disk.path("below/deep/b.bin")).expect("another file").len(), 300_000);
            disk.release();
            assert_eq!(reader.join().expect("no panic").expect("read"), "hello", "{operation:?}");
        }
    }

    #[tokio::test]
    async fn whoever_hangs_when_it_is_dropped_gets_an_error() {
        let Some(disk) = disk(Kept::NOTHING) else { return };
        disk.hold(Operation::Read, "");
        let (path, place) = (disk.path("a.txt"), disk.root().to_owned());
        let reader = std::thread::spawn(move || fs::read(path));
        disk.hanging(1).await;
        drop(disk);
        let _error = reader.join().expect("no panic").expect_err("the disk is gone");
        assert!(!place.exists(), "nothing is left");
    }

    #[test]
    fn the_kernel_keeps_what_it_may() {
        let Some(disk) = disk(Kept::ALL) else { return };
        for _ in 0..3 {
            assert_eq!(fs::read(disk.path("a.txt")).expect("a file"), b"hello");
        }
        assert_eq!((disk.asked(Operation::Lookup, "a.txt"), disk.asked(Operation::Read, "a.txt")), (1, 1));
        assert_eq!(disk.asked(Operation::Open, "a.txt"), 3);
    }
}
