//! Names resolved step by step, for kernels and sandboxes without `openat2`.
//!
//! Each step is opened from the directory that the step before it has opened, without following links, so that nothing
//! can be exchanged between a look and the next step.

use rustix::fs::{FileType, Mode, OFlags, fstat, openat, readlinkat};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};

/// `NONBLOCK`: a FIFO must not hang the worker before it is recognised. `NOCTTY`: nor may a terminal become ours.
pub(super) const READ: OFlags = READ_LINKED.union(OFlags::NOFOLLOW);

/// The same, where the last step of a name may be a link.
pub(super) const READ_LINKED: OFlags =
    OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// A directory on the way, held without being readable.
pub(super) const STEP: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// As many links as the kernel itself follows in one name (path_resolution(7)).
const LINKS_MAX: usize = 40;

/// The longest name with all its links replaced, in steps: more than any path that the kernel takes has.
const STEPS_MAX: usize = 4096;

/// What a step names, whatever it is, without opening it for reading.
const LOOK: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens a name in which no step may be a link. Relies on the name holding no `..`: each step goes down, into a real
/// directory.
///
/// # Errors
/// The system's; `ELOOP` or `ENOTDIR` for a link.
pub(super) fn without_links(root: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
    let mut held: Option<OwnedFd> = None;
    let mut steps = name.split('/').peekable();
    while let Some(step) = steps.next() {
        let flags = if steps.peek().is_some() { STEP } else { READ };
        let from = held.as_ref().map_or(root.as_fd(), AsFd::as_fd);
        held = Some(openat(from, step, flags, Mode::empty())?);
    }
    held.ok_or(Errno::NOENT)
}

/// Opens a name whose links may lead anywhere beneath the root, and nowhere above it on their way.
///
/// # Errors
/// The system's; `EXDEV` for a link that would leave the root, as `openat2` says with `RESOLVE_BENEATH`.
pub(super) fn beneath(root: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
    // The directories from the root down to where the walk is: `..` of a link goes back up through them.
    let mut above: Vec<OwnedFd> = Vec::new();
    // What is still to be walked, the next step last.
    let mut ahead: Vec<Vec<u8>> = name.split('/').rev().map(|step| step.as_bytes().to_vec()).collect();
    let mut links = 0;
    while let Some(step) = ahead.pop() {
        let here = above.last().map_or(root.as_fd(), AsFd::as_fd);
        match &*step {
            b"" | b"." => continue,
            b".." => {
                above.pop().ok_or(Errno::XDEV)?;
                continue;
            }
            _ => {}
        }
        let found = openat(here, &*step, LOOK, Mode::empty())?;
        match FileType::from_raw_mode(fstat(&found)?.st_mode) {
            FileType::Symlink => {
                links += 1;
                let target = readlinkat(&found, "", Vec::new())?.into_bytes();
                if links > LINKS_MAX {
                    return Err(Errno::LOOP);
                }
                if target.first() == Some(&b'/') {
                    return Err(Errno::XDEV);
                }
                ahead.extend(target.split(|&byte| byte == b'/').rev().map(<[u8]>::to_vec));
                if ahead.len() > STEPS_MAX {
                    return Err(Errno::NAMETOOLONG);
                }
            }
            FileType::Directory => above.push(openat(here, &*step, STEP, Mode::empty())?),
            // A step further down than a file leads nowhere.
            _ if !ahead.is_empty() => return Err(Errno::NOTDIR),
            _ => return openat(here, &*step, READ, Mode::empty()),
        }
    }
    let here = above.last().map_or(root.as_fd(), AsFd::as_fd);
    openat(here, ".", READ, Mode::empty())
}
