//! Which files a pattern of `include` stands for.

use super::disk;
use std::path::{Path, PathBuf};

/// Why a pattern of `include` cannot be followed.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadInclude {
    #[error("`*` can only stand in the file name: \"sites/*.toml\"")]
    StarInDirectory,
    #[error("this names no file")]
    NoFileName,
    #[error("cannot read the directory {}: {}", dir.display(), disk::reason(reason))]
    Directory { dir: PathBuf, reason: std::io::Error },
}

/// The files of a pattern, relative to `dir` and sorted by name. A pattern without `*` is its only file.
pub(super) fn matches(dir: &Path, pattern: &str) -> Result<Vec<PathBuf>, BadInclude> {
    let path = Path::new(pattern);
    let name = path.file_name().and_then(|name| name.to_str()).ok_or(BadInclude::NoFileName)?;
    let parent = path.parent().unwrap_or(Path::new(""));
    if parent.to_str().is_some_and(|parent| parent.contains('*')) {
        return Err(BadInclude::StarInDirectory);
    }
    if !name.contains('*') {
        return Ok(vec![path.to_owned()]);
    }
    // An empty path is no directory, but joining one to it is the working directory.
    let listed = dir.join(parent).join(".");
    let entries = std::fs::read_dir(&listed)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<Vec<_>, _>>())
        .map_err(|reason| BadInclude::Directory { dir: dir.join(parent), reason })?;
    let mut names: Vec<String> = entries.into_iter().filter_map(|name| name.into_string().ok()).collect();
    // Hidden files are what editors leave behind.
    names.retain(|candidate| !candidate.starts_with('.') && glob(name, candidate));
    names.sort_unstable();
    Ok(names.into_iter().map(|name| parent.join(name)).collect())
}

/// Whether a name fits a pattern of literal parts between stars.
fn glob(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, name, fits) in [
            ("*.toml", "a.toml", true),
            ("*.toml", ".toml", true),
            ("*.toml", "a.toml.bak", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "ac", false),
            ("ab*b", "ab", false),
            ("*", "", true),
            ("plain", "plain", true),
            ("plain", "plainer", false),
        ] {
            assert_eq!(glob(pattern, name), fits, "{pattern} {name}");
        }
    }
}
