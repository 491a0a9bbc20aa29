//! The files below a directory, found and opened without following a link.

use super::options::Options;
use super::summary::Summary;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, statat};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// How deep directories may lie in each other.
const DEPTH_MAX: usize = 128;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// `NONBLOCK`: what looks like a file may have become a FIFO.
const READ: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A file that may get twins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The names of the directories on the way.
    pub directory: Vec<String>,
    pub name: String,
    /// When it was found.
    pub size: u64,
}

impl Found {
    /// Relative to the directory that was asked for.
    pub(super) fn path(&self) -> String {
        let mut path = self.directory.join("/");
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(&self.name);
        path
    }

    /// Opens the directory that it lies in.
    pub(super) fn open_directory(&self, root: &OwnedFd) -> io::Result<OwnedFd> {
        Ok(open_beneath(root, &self.directory)?)
    }
}

/// Opens the directory that was asked for; here links are the operator's.
pub(super) fn open(path: &Path) -> io::Result<OwnedFd> {
    Ok(openat(CWD, path, DIRECTORY.difference(OFlags::NOFOLLOW), Mode::empty())?)
}

/// Opens a file of a directory.
pub(super) fn open_file(directory: &OwnedFd, name: &str) -> io::Result<File> {
    let file = File::from(openat(directory, name, READ, Mode::empty())?);
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is no regular file")),
    }
}

/// All files of types and sizes that are worth it. Names that no server could be asked for (hidden ones, those that are
/// no UTF-8) are left out.
///
/// # Errors
/// When the directory itself can't be read; others are noted.
pub(super) fn find(root: &OwnedFd, options: &Options) -> io::Result<(Vec<Found>, Summary)> {
    let (mut files, mut summary) = (Vec::new(), Summary::default());
    let mut open: Vec<Vec<String>> = vec![Vec::new()];
    while let Some(directory) = open.pop() {
        match list(root, &directory, options, &mut files, &mut open, &mut summary) {
            Err(error) if directory.is_empty() => return Err(error.into()),
            // Removed meanwhile, or exchanged for a link.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) | Ok(()) => {}
            Err(error) => summary.failed(directory.join("/"), &error.into()),
        }
    }
    Ok((files, summary))
}

fn list(
    root: &OwnedFd,
    directory: &[String],
    options: &Options,
    files: &mut Vec<Found>,
    open: &mut Vec<Vec<String>>,
    summary: &mut Summary,
) -> Result<(), Errno> {
    let opened = open_beneath(root, directory)?;
    for entry in Dir::read_from(&opened)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        if name.starts_with('.') && !(directory.is_empty() && name == ".well-known") {
            continue;
        }
        let Ok(stat) = statat(&opened, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory if directory.len() >= DEPTH_MAX => {
                summary.failed(name.to_owned(), &io::Error::other("it lies too deep"));
            }
            FileType::Directory => {
                let mut path = directory.to_vec();
                path.push(name.to_owned());
                open.push(path);
            }
            FileType::RegularFile if options.covers(name) => {
                let size = u64::try_from(stat.st_size).unwrap_or(0);
                summary.files += 1;
                if size < options.bytes_min {
                    summary.too_small += 1;
                } else if size > options.bytes_max {
                    summary.too_large += 1;
                } else {
                    files.push(Found { directory: directory.to_vec(), name: name.to_owned(), size });
                }
            }
            // Links among them.
            _ => {}
        }
    }
    Ok(())
}

/// Step by step, so that no step can be a link.
fn open_beneath(root: &OwnedFd, directory: &[String]) -> Result<OwnedFd, Errno> {
    let mut held = openat(root, ".", DIRECTORY, Mode::empty())?;
    for step in directory {
        held = openat(held.as_fd(), step.as_str(), DIRECTORY, Mode::empty())?;
    }
    Ok(held)
}
