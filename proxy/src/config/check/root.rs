//! Where a route's files are: a directory that is there, with a current release where it holds releases.

use crate::config::current_release;
use crate::config::file::root::{FilesRoot, Releases};
use crate::config::read::{At, Context};
use std::path::PathBuf;

pub(super) struct Root {
    /// As configured.
    pub(super) configured: PathBuf,
    /// How many releases beside the current one stay reachable; `None`: it is no directory of releases.
    pub(super) releases_kept: Option<usize>,
    /// Where names are looked up now; `None`: nowhere, which has been reported.
    pub(super) files: Option<PathBuf>,
}

pub(super) fn root(written: At<FilesRoot>, context: &mut Context<'_>) -> Option<Root> {
    let (at, configured, releases_kept) = match written.value {
        FilesRoot::Directory(path) => (written.at, path.0, None),
        FilesRoot::Releases(Releases { written: _, releases, keep }) => {
            let releases = releases?;
            (releases.at, releases.value.0, Some(usize::try_from(keep?.value.0).ok()?))
        }
    };
    let mut files = None;
    if !configured.exists() {
        context.problem(at, format!("the directory {} does not exist", configured.display()));
    } else if !configured.is_dir() {
        context.problem(at, format!("{} is no directory", configured.display()));
    } else if releases_kept.is_none() {
        files = Some(configured.clone());
    } else {
        match current_release(&configured) {
            Ok(name) => files = Some(configured.join(name)),
            Err(error) => {
                context
                    .problem(at, format!("there is no current release: {error}"))
                    .help("make `current` a link to one of the directories, or a file with its name");
            }
        }
    }
    Some(Root { configured, releases_kept, files })
}
