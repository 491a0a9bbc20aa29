//! The 256-bit key that the edge and the application share: read it, or make it on the first start.
//!
//! The file holds the key as base64url without padding (RFC 4648 section 5) and belongs to its owner alone (mode
//! 0600), or is root's and lent to the process by its group (0440, as Kubernetes does). While a key is replaced it holds two, a line each: who signs takes the first, who verifies believes both. Both servers may start at once and find no file, so it appears in one step: each writes a file of its own
//! beside the final name and *links* it there. A link never replaces a file, so exactly one of them wins and both
//! read the winner's key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Length of the key, in bytes: as long as the hash it is used with (RFC 7518 section 3.2).
pub const KEY_BYTES: usize = 32;

/// One key, or two while one takes the other's place.
const KEYS_MAX: usize = 2;

/// A key.
pub type SharedKey = [u8; KEY_BYTES];

/// More than two keys and their line ends is not a key file.
const FILE_BYTES_MAX: u64 = 256;

/// Any of these bits lets somebody else read or replace the key.
const FOREIGN_MODE_BITS: u32 = 0o077;
/// The one of them by which a group may read.
const GROUP_READS: u32 = 0o040;
/// The user who reads everything anyway.
const ROOT: u32 = 0;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum SharedKeyError {
    /// The file does not exist and must not be created.
    #[error("{}: there is no key file; make one, or set `create = true`", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Others can read the file.
    #[error("{}: mode {mode:04o} lets other users in; run `chmod 600` on it", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The content is no key.
    #[error("{}: expected 32 bytes in base64url without padding (43 characters), or two such lines", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// No random bytes from the system.
    #[error("no random bytes from the operating system")]
    Random,
    /// Reading, writing or linking failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory concerned.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Reads the key at `path` that is signed with, the first of its file. Where no file is and `create` is true, makes one
/// first, with its directory.
///
/// # Errors
/// [`SharedKeyError`], worded for the operator: it names the file and what to do.
pub fn load_or_create(path: impl AsRef<Path>, create: bool) -> Result<SharedKey, SharedKeyError> {
    let path = path.as_ref();
    let first = load_all_or_create(path, create)?.into_iter().next();
    first.ok_or_else(|| SharedKeyError::Malformed { path: path.to_owned() })
}

/// As [`load_or_create`]: every key of the file, one or two, to verify with.
///
/// # Errors
/// As [`load_or_create`].
pub fn load_all_or_create(path: impl AsRef<Path>, create: bool) -> Result<Vec<SharedKey>, SharedKeyError> {
    let path = path.as_ref();
    match load(path) {
        Err(SharedKeyError::Missing { .. }) if create => {
            publish(path)?;
            // Not the key just made: another process may have been first.
            load(path)
        }
        result => result,
    }
}

fn load(path: &Path) -> Result<Vec<SharedKey>, SharedKeyError> {
    let failed = |source| SharedKeyError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => SharedKeyError::Missing { path: path.to_owned() },
        _ => failed(source),
    })?;
    // Of the open file, not of the name: the name may point elsewhere a moment later.
    let (metadata, own) = (file.metadata().map_err(failed)?, fs::metadata("/proc/self").map_err(failed)?.uid());
    let mode = metadata.permissions().mode() & 0o7777;
    if is_exposed(mode, metadata.uid(), own) {
        return Err(SharedKeyError::Exposed { path: path.to_owned(), mode });
    }
    let mut text = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut text).map_err(failed)?;
    let malformed = || SharedKeyError::Malformed { path: path.to_owned() };
    parse(text.trim_ascii()).ok_or_else(malformed)
}

/// Whether others than the process, whose user is `own`, can read or replace a file with this mode and owner.
const fn is_exposed(mode: u32, owner: u32, own: u32) -> bool {
    // Kubernetes mounts secrets as root's, for the group of a process that is not root to read.
    let is_lent = owner == ROOT && own != ROOT;
    mode & if is_lent { FOREIGN_MODE_BITS & !GROUP_READS } else { FOREIGN_MODE_BITS } != 0
}

/// The keys of a file's text; `None`: it holds something else.
#[must_use]
pub fn parse(text: &[u8]) -> Option<Vec<SharedKey>> {
    let key = |line: &[u8]| URL_SAFE_NO_PAD.decode(line.trim_ascii()).ok()?.try_into().ok();
    let keys: Vec<_> = text.split(|&byte| byte == b'\n').map(key).collect::<Option<_>>()?;
    (1..=KEYS_MAX).contains(&keys.len()).then_some(keys)
}

/// Puts a new key at `path`, unless another process is faster.
fn publish(path: &Path) -> Result<(), SharedKeyError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let failed = |source| SharedKeyError::Io { path: path.to_owned(), source };
    fs::create_dir_all(directory).map_err(failed)?;

    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(|_| SharedKeyError::Random)?;
    let draft = Draft::write(directory, &key).map_err(failed)?;
    match fs::hard_link(&draft.0, path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(failed(error)),
    }
    // A name is durable only when its directory is.
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)
}

/// A complete key file under a name that nobody reads; removed when dropped.
struct Draft(PathBuf);

impl Draft {
    fn write(directory: &Path, key: &[u8; KEY_BYTES]) -> io::Result<Self> {
        let unique = getrandom::u64().map_err(io::Error::other)?;
        let path = directory.join(format!(".shared-key-{unique:016x}"));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let draft = Self(path);
        let mut line = URL_SAFE_NO_PAD.encode(key);
        line.push('\n');
        file.write_all(line.as_bytes())?;
        file.sync_all()?;
        Ok(draft)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Nothing to do about a failure: the draft holds no more than the key file beside it.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn write(path: &Path, text: &str, mode: u32) {
        fs::write(path, text).expect("a file");
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
    }

    #[test]
    fn the_first_start_makes_a_private_file_and_the_second_reads_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("new/edge.key");
        let made = load_or_create(&path, true).expect("a key");
        assert_eq!(load_or_create(&path, false).expect("a key"), made);
        assert_eq!(fs::metadata(&path).expect("metadata").permissions().mode() & 0o7777, 0o600);
        assert_eq!(fs::read_dir(directory.path().join("new")).expect("a directory").count(), 1, "no draft stays");
    }

    #[test]
    fn racing_starts_agree_on_one_key() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("edge.key");
        let keys: HashSet<_> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| load_or_create(&path, true).expect("a key"))).collect();
            starts.into_iter().map(|start| start.join().expect("a thread")).collect()
        });
        assert_eq!(keys.len(), 1);
    }

    #[test]
    fn only_what_root_lends_to_our_group_may_be_read_by_a_group() {
        for (mode, owner, own, is_told) in [
            (0o600, 1000, 1000, false),
            (0o640, 1000, 1000, true),
            (0o440, ROOT, 65532, false),
            (0o640, ROOT, 65532, false),
            (0o444, ROOT, 65532, true),
            (0o460, ROOT, 65532, true),
            (0o440, 1000, 65532, true),
            (0o440, ROOT, ROOT, true),
        ] {
            assert_eq!(is_exposed(mode, owner, own), is_told, "{mode:o} of {owner} for {own}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("edge.key");
        assert!(matches!(load_or_create(&path, false), Err(SharedKeyError::Missing { .. })));

        let good = URL_SAFE_NO_PAD.encode([7; KEY_BYTES]);
        for mode in [0o640, 0o604, 0o620, 0o644, 0o610] {
            write(&path, &good, mode);
            let error = load_or_create(&path, true).expect_err("an exposed key");
            assert!(matches!(error, SharedKeyError::Exposed { .. }), "{mode:o}");
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
        for text in
            ["", "short", &"a".repeat(400), &format!("{good}="), &good[1..], "not base64 at all, certainly no key"]
        {
            write(&path, text, 0o600);
            assert!(matches!(load_or_create(&path, true), Err(SharedKeyError::Malformed { .. })), "{text}");
        }
        for text in [good.clone(), format!("{good}\n"), format!("{good}\r\n")] {
            write(&path, &text, 0o400);
            assert_eq!(load_or_create(&path, false).expect("a key"), [7; KEY_BYTES]);
            fs::remove_file(&path).expect("removed");
        }
        let other = URL_SAFE_NO_PAD.encode([8; KEY_BYTES]);
        write(&path, &format!("{other}\n{good}\n"), 0o600);
        assert_eq!(load_or_create(&path, false).expect("the first"), [8; KEY_BYTES]);
        assert_eq!(load_all_or_create(&path, false).expect("both"), [[8; KEY_BYTES], [7; KEY_BYTES]]);
        write(&path, &format!("{other}\n{good}\n{good}\n"), 0o600);
        assert!(matches!(load_or_create(&path, false), Err(SharedKeyError::Malformed { .. })), "three");
    }
}
