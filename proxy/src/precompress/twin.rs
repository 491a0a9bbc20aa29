//! The twins of one file: which are there, which are made, and how they come to their place.

use super::options::Options;
use super::summary::Summary;
use super::walk::{self, Found};
use crate::config::Coding;
use crate::files::coding::{Effort, encode, is_coded_form};
use rustix::fs::{AtFlags, Mode, OFlags, openat, renameat, unlinkat};
use std::fs::{File, FileTimes, Metadata};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;

/// Makes what is missing; what happens is counted and what fails is noted.
pub(super) fn make(root: &OwnedFd, file: &Found, options: &Options, summary: &mut Summary) {
    let source = match Source::open(root, file, options) {
        Ok(source) => source,
        // Removed meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => return summary.failed(file.path(), &error),
    };
    for coding in &options.codings {
        if let Err(error) = source.make(*coding, options, summary) {
            summary.failed(format!("{}{}", file.path(), coding.extension()), &error);
        }
    }
}

/// An open file with its content.
struct Source<'a> {
    directory: OwnedFd,
    name: &'a str,
    file: File,
    metadata: Metadata,
    content: Vec<u8>,
}

/// What lies where the twin belongs.
enum Present {
    Nothing,
    /// A form of this very content, which servers take for one.
    Good(u64),
    /// Anything else.
    Stale,
}

impl<'a> Source<'a> {
    fn open(root: &OwnedFd, found: &'a Found, options: &Options) -> io::Result<Self> {
        let directory = found.open_directory(root)?;
        let file = walk::open_file(&directory, &found.name)?;
        let metadata = file.metadata()?;
        let content = read(&file, options.bytes_max)?;
        Ok(Self { directory, name: &found.name, file, metadata, content })
    }

    fn make(&self, coding: Coding, options: &Options, summary: &mut Summary) -> io::Result<()> {
        let name = format!("{}{}", self.name, coding.extension());
        let size = self.content.len() as u64;
        let present = self.present(&name, coding)?;
        if let Present::Good(coded) = present {
            summary.of(coding).current(size, coded);
            return Ok(());
        }
        let coded = encode(coding, Effort::Thorough, &self.content)?;
        if options.pays(coded.len() as u64, size) {
            if !options.dry_run {
                self.put(&name, &coded)?;
            }
            summary.of(coding).made(size, coded.len() as u64);
            return Ok(());
        }
        summary.of(coding).no_gain += 1;
        if matches!(present, Present::Stale) {
            if options.remove_stale && !options.dry_run {
                unlinkat(&self.directory, &name, AtFlags::empty())?;
            }
            match options.remove_stale {
                true => summary.of(coding).removed += 1,
                false => summary.of(coding).stale += 1,
            }
        }
        Ok(())
    }

    fn present(&self, name: &str, coding: Coding) -> io::Result<Present> {
        let twin = match walk::open_file(&self.directory, name) {
            Ok(twin) => twin,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Present::Nothing),
            // A link, a directory: not ours to replace.
            Err(error) => return Err(error),
        };
        let metadata = twin.metadata()?;
        let time = |metadata: &Metadata| (metadata.mtime(), metadata.mtime_nsec());
        // Servers take no older ones, and no larger ones either.
        if time(&metadata) < time(&self.metadata) || metadata.size() >= self.metadata.size() {
            return Ok(Present::Stale);
        }
        // The time alone tells nothing where a deploy has put an older file back: what is newer may be of another one.
        // Reading it is a hundred times faster than making it.
        let coded = read(&twin, metadata.size())?;
        Ok(match is_coded_form(coding, &coded, &self.content) {
            true => Present::Good(coded.len() as u64),
            false => Present::Stale,
        })
    }

    /// Puts the twin in its place as a whole, with the mode and the time of its file.
    fn put(&self, name: &str, coded: &[u8]) -> io::Result<()> {
        let now = self.file.metadata()?;
        let version = |metadata: &Metadata| (metadata.size(), metadata.mtime(), metadata.mtime_nsec());
        if version(&now) != version(&self.metadata) || now.size() != self.content.len() as u64 {
            return Err(io::Error::other("the file was written to meanwhile; run it again"));
        }
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        // Hidden, so that no server gives it out.
        let unfinished = format!(".{:016x}.precompress", u64::from_le_bytes(random));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(openat(&self.directory, &unfinished, flags, Mode::RUSR | Mode::WUSR)?);
        let put = self.write(file, coded).and_then(|()| {
            renameat(&self.directory, &unfinished, &self.directory, name)?;
            Ok(())
        });
        if put.is_err() {
            // The first error is the one to tell.
            let _ = unlinkat(&self.directory, &unfinished, AtFlags::empty());
        }
        put
    }

    fn write(&self, mut file: File, coded: &[u8]) -> io::Result<()> {
        file.write_all(coded)?;
        file.set_permissions(self.metadata.permissions())?;
        file.set_times(FileTimes::new().set_modified(self.metadata.modified()?))?;
        // After a crash the name must not stand for half of it.
        file.sync_all()
    }
}

/// A file that grows must not fill the memory.
fn read(file: &File, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut content)?;
    match content.len() as u64 > bytes_max {
        true => Err(io::Error::other("it grows while it is read")),
        false => Ok(content),
    }
}
