//! How much memory is used, of how much: of the control group (Linux cgroups, version 2 or 1), or of the process alone
//! where a bound is configured.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where the numbers are.
#[derive(Debug, Clone)]
pub(super) enum Memory {
    /// The process's own, of this many bytes.
    Process {
        /// The bound.
        max: u64,
    },
    /// The control group's, version 2.
    Group2(PathBuf),
    /// The same, version 1.
    Group1(PathBuf),
}

impl Memory {
    /// The bound that is configured, else that of the control group.
    ///
    /// # Errors
    /// When neither is there.
    pub(super) fn find(configured: Option<u64>) -> io::Result<Self> {
        match configured {
            Some(max) => Ok(Self::Process { max }),
            None => Self::group(Path::new("/sys/fs/cgroup"), &fs::read_to_string("/proc/self/cgroup")?),
        }
    }

    /// `groups` is what `/proc/self/cgroup` says: `0::/path` for version 2, `4:memory:/path` for version 1. Inside a
    /// container the path may be the host's, and the group itself is mounted at the root.
    fn group(root: &Path, groups: &str) -> io::Result<Self> {
        let named = |line: &str, controller: &str| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            controllers.split(',').any(|one| one == controller).then(|| path.trim_start_matches('/').to_owned())
        };
        let path_of = |controller: &str| groups.lines().find_map(|line| named(line, controller));
        let memory = root.join("memory");
        let places = [
            path_of("").map(|path| Self::Group2(root.join(path))),
            Some(Self::Group2(root.to_owned())),
            path_of("memory").map(|path| Self::Group1(memory.join(path))),
            Some(Self::Group1(memory)),
        ];
        let bounded = places.into_iter().flatten().find(|place| place.used().is_ok());
        bounded.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the control group has no bound of memory"))
    }

    /// Bytes that are used, and that may be.
    ///
    /// # Errors
    /// When they can't be read, or there is no bound.
    pub(super) fn used(&self) -> io::Result<(u64, u64)> {
        match self {
            Self::Process { max } => Ok((resident(&fs::read_to_string("/proc/self/status")?)?, *max)),
            Self::Group2(path) => of_group(path, "memory.current", "memory.max", "inactive_file"),
            Self::Group1(path) => {
                of_group(path, "memory.usage_in_bytes", "memory.limit_in_bytes", "total_inactive_file")
            }
        }
    }
}

/// No machine has as much: version 1 says "no bound" by the largest number of whole pages.
const NO_BOUND: u64 = 1 << 60;

/// What the kernel would let go of by itself, files that nobody has read lately, is not counted.
fn of_group(path: &Path, used: &str, max: &str, idle: &str) -> io::Result<(u64, u64)> {
    let number = |name: &str| fs::read_to_string(path.join(name)).and_then(|text| parse(text.trim()));
    let max = number(max).ok().filter(|&max| max < NO_BOUND);
    let max = max.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no bound"))?;
    let stat = fs::read_to_string(path.join("memory.stat"))?;
    let idle = stat.lines().find_map(|line| line.strip_prefix(idle)?.strip_prefix(' ')).map_or(Ok(0), parse)?;
    Ok((number(used)?.saturating_sub(idle), max))
}

fn resident(status: &str) -> io::Result<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    Ok(parse(line.unwrap_or_default())?.saturating_mul(1024))
}

fn parse(text: &str) -> io::Result<u64> {
    text.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }
        folder
    }

    fn used(files: &[(&str, &str)], groups: &str) -> Option<(u64, u64)> {
        Memory::group(folder(files).path(), groups).ok().map(|_| ())?;
        let folder = folder(files);
        Memory::group(folder.path(), groups).expect("as before").used().ok()
    }

    #[test]
    fn a_group_of_either_version_is_found_where_it_is() {
        let version_2 = |at: &str| {
            [("memory.current", "1000\n"), ("memory.max", "4000\n"), ("memory.stat", "anon 5\ninactive_file 300\n")]
                .map(|(name, text)| (format!("{at}{name}"), text))
        };
        for (at, groups) in [("", "0::/\n"), ("", "0::/on/the/host\n"), ("a/b/", "0::/a/b\n")] {
            let files = version_2(at);
            let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
            assert_eq!(used(&files, groups), Some((700, 4000)), "{groups}");
        }
        for (at, groups) in [("memory/", "3:cpu,memory:/\n"), ("memory/a/", "12:pids:/x\n4:memory:/a\n")] {
            let files = [
                ("memory.usage_in_bytes", "1000"),
                ("memory.limit_in_bytes", "4000"),
                ("memory.stat", "inactive_file 1\ntotal_inactive_file 300"),
            ]
            .map(|(name, text)| (format!("{at}{name}"), text));
            let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
            assert_eq!(used(&files, groups), Some((700, 4000)), "{groups}");
        }
    }

    #[test]
    fn a_group_without_a_bound_is_none() {
        let stat = ("memory.stat", "inactive_file 0");
        assert_eq!(used(&[("memory.current", "1"), ("memory.max", "max\n"), stat], "0::/\n"), None);
        let unbounded = ("memory/memory.limit_in_bytes", "9223372036854771712");
        let stat = ("memory/memory.stat", "total_inactive_file 0");
        assert_eq!(used(&[("memory/memory.usage_in_bytes", "1"), unbounded, stat], "4:memory:/\n"), None);
        assert_eq!(used(&[], ""), None);
    }

    #[test]
    fn a_process_knows_its_own() {
        assert_eq!(resident("Name:\tx\nVmRSS:\t    2048 kB\n").expect("a number"), 2 << 20);
        assert!(resident("Name:\tx\n").is_err());
        let (used, max) = Memory::find(Some(1 << 40)).expect("configured").used().expect("this process has memory");
        assert!(used > 1 << 20 && max == 1 << 40, "{used}");
    }
}
