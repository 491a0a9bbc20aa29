//! Which release of a site is the current one: `current` beside the releases, a link to one of them or a file that
//! holds its name. Also asked while serving, so that what the check takes is what is served.

use super::disk;
use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// The entry of a directory of releases that says which is the current one.
pub const CURRENT: &str = "current";

/// Bytes of a file `current`: a name and a line end fit.
const BYTES_MAX: u64 = 1024;

/// Why there is no current release, for messages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoRelease {
    /// `current` can't be read.
    #[error("{} can't be read: {reason}", .path.display())]
    Unreadable {
        /// The path of `current`.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// It names something else than a directory beside it.
    #[error("{} names {told:?}, which is no directory beside it", .path.display())]
    Elsewhere {
        /// The path of `current`.
        path: PathBuf,
        /// What it says, shortened.
        told: String,
    },
}

/// The name of the current release below `releases`: a directory, no link, with a name that is not hidden.
///
/// # Errors
/// See [`NoRelease`].
pub fn current_release(releases: &Path) -> Result<String, NoRelease> {
    let path = releases.join(CURRENT);
    let unreadable = |reason| NoRelease::Unreadable { path: path.clone(), reason };
    let metadata = fs::symlink_metadata(&path).map_err(|error| unreadable(disk::reason(&error)))?;
    let told = if metadata.is_symlink() {
        fs::read_link(&path).map_err(|error| unreadable(disk::reason(&error)))?
    } else if metadata.is_dir() {
        return Err(unreadable("a directory, not a link or a file that names one".to_owned()));
    } else {
        PathBuf::from(disk::read_text(&path, BYTES_MAX).map_err(unreadable)?.trim())
    };
    let name = name(releases, &told).filter(|name| {
        // Not what a link leads to: that may lie anywhere.
        fs::symlink_metadata(releases.join(name)).is_ok_and(|metadata| metadata.is_dir())
    });
    name.map(str::to_owned).ok_or_else(|| {
        let told = told.to_string_lossy().chars().take(100).collect();
        NoRelease::Elsewhere { path: path.clone(), told }
    })
}

/// The one step from the releases to what is named: `v2`, `./v2`, or an absolute path right below them.
fn name<'a>(releases: &Path, told: &'a Path) -> Option<&'a str> {
    let relative = if told.is_absolute() { told.strip_prefix(releases).ok()? } else { told };
    let mut steps = relative.components().filter(|step| *step != Component::CurDir);
    let (Some(Component::Normal(name)), None) = (steps.next(), steps.next()) else { return None };
    is_release(name).then(|| name.to_str()).flatten()
}

/// Whether a directory of this name can be a release.
#[must_use]
pub fn is_release(name: &OsStr) -> bool {
    let is_plain = |name: &str| !name.starts_with('.') && !name.contains(['\\', '\0']) && name != CURRENT;
    name.to_str().is_some_and(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn current_names_a_directory_beside_it_and_nothing_else() {
        let outer = tempfile::tempdir().expect("a folder");
        let releases = outer.path().join("site");
        for directory in ["v1", ".hidden", "v1/deep"] {
            fs::create_dir_all(releases.join(directory)).expect("a folder");
        }
        fs::create_dir(outer.path().join("other")).expect("a folder");
        fs::write(releases.join("file"), "").expect("a file");
        symlink("../other", releases.join("link")).expect("a link");
        let current = releases.join(CURRENT);
        assert!(matches!(current_release(&releases), Err(NoRelease::Unreadable { .. })));
        let absolute = releases.join("v1");
        for (told, found) in [
            ("v1", true),
            ("./v1", true),
            ("v1/", true),
            (absolute.to_str().expect("UTF-8"), true),
            ("v2", false),
            ("v1/deep", false),
            ("../other", false),
            ("../site/v1", false),
            ("/etc", false),
            ("link", false),
            ("file", false),
            (".hidden", false),
            ("current", false),
            (".", false),
            ("..", false),
        ] {
            let is_found = || current_release(&releases).is_ok_and(|name| name == "v1");
            symlink(told, &current).expect("a link");
            assert_eq!(is_found(), found, "a link to {told}");
            fs::remove_file(&current).expect("removed");
            fs::write(&current, format!("{told}\n")).expect("a file");
            assert_eq!(is_found(), found, "a file with {told}");
            fs::remove_file(&current).expect("removed");
        }
        fs::write(&current, "x".repeat(5000)).expect("a file");
        assert!(matches!(current_release(&releases), Err(NoRelease::Unreadable { .. })), "too long");
    }
}
