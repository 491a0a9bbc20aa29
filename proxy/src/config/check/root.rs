//! Where a route's files are: a directory that is there, with a current release where it holds releases.

use crate::config::disk::ask_disk;
use crate::config::file::root::{FilesRoot, Releases};
use crate::config::read::{At, Context};
use crate::config::{NoRelease, current_release};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) struct Root {
    /// As configured.
    pub(super) configured: PathBuf,
    /// How many releases beside the current one stay reachable; `None`: it is no directory of releases.
    pub(super) releases_kept: Option<usize>,
    /// Where names are looked up now; `None`: nowhere, which has been reported.
    pub(super) files: Option<PathBuf>,
}

/// What is at a path.
enum Looked {
    Missing,
    NoDirectory,
    NoRelease(NoRelease),
    /// Names are looked up here.
    Files(PathBuf),
}

fn look(configured: &Path, has_releases: bool) -> Looked {
    match configured.metadata() {
        Err(_) => Looked::Missing,
        Ok(found) if !found.is_dir() => Looked::NoDirectory,
        Ok(_) if !has_releases => Looked::Files(configured.to_owned()),
        Ok(_) => match current_release(configured) {
            Ok(name) => Looked::Files(configured.join(name)),
            Err(error) => Looked::NoRelease(error),
        },
    }
}

/// Waits no longer than `disk_timeout` for the disk.
pub(super) fn root(written: At<FilesRoot>, disk_timeout: Duration, context: &mut Context<'_>) -> Option<Root> {
    let (at, configured, releases_kept) = match written.value {
        FilesRoot::Directory(path) => (written.at, path.0, None),
        FilesRoot::Releases(Releases { written: _, releases, keep }) => {
            let releases = releases?;
            (releases.at, releases.value.0, Some(usize::try_from(keep?.value.0).ok()?))
        }
    };
    let mut files = None;
    let asked = configured.clone();
    match ask_disk(disk_timeout, move || look(&asked, releases_kept.is_some())) {
        Ok(Looked::Missing) => {
            context.problem(at, format!("the directory {} does not exist", configured.display()));
        }
        Ok(Looked::NoDirectory) => {
            context.problem(at, format!("{} is no directory", configured.display()));
        }
        Ok(Looked::NoRelease(error)) => {
            context
                .problem(at, format!("there is no current release: {error}"))
                .help("make `current` a link to one of the directories, or a file with its name");
        }
        Ok(Looked::Files(path)) => files = Some(path),
        Err(error) if error.kind() == ErrorKind::TimedOut => {
            let directory = configured.display();
            context
                .problem(at, format!("the disk with {directory} has not answered within {disk_timeout:?}"))
                .help("see whether it is still there; `disk_timeout` says how long it may take");
        }
        Err(error) => {
            context.problem(at, format!("the directory {} can't be looked at: {error}", configured.display()));
        }
    }
    Some(Root { configured, releases_kept, files })
}
