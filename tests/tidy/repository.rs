//! The files under version control, and those about to be.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The top folder of the repository.
pub(crate) fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the tests stand in the repository").to_owned()
}

/// Every file that is tracked or would be added, relative to [`root`], sorted.
pub(crate) fn files() -> Vec<String> {
    let arguments = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let listed = Command::new("git").args(arguments).current_dir(root()).output();
    let known = listed.ok().filter(|output| output.status.success());
    // Outside a clone, for example in a source archive, everything counts that is not built.
    let mut files = known.map_or_else(walked, |output| {
        String::from_utf8(output.stdout).expect("file names in UTF-8").lines().map(str::to_owned).collect()
    });
    files.retain(|file| root().join(file).is_file());
    files.sort();
    files
}

/// The files whose names end so, with their text.
pub(crate) fn texts(suffix: &str) -> Vec<(String, String)> {
    let named = files().into_iter().filter(|file| file.ends_with(suffix));
    let read = |file: String| {
        let text = std::fs::read_to_string(root().join(&file)).expect("a text file in UTF-8");
        (file, text)
    };
    named.map(read).collect()
}

fn walked() -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            let built = ["target", "var", ".git"].iter().any(|name| path.ends_with(name));
            if path.is_dir() && !built {
                folders.push(path);
            } else if path.is_file() {
                let relative = path.strip_prefix(root()).expect("below the root");
                found.push(relative.to_string_lossy().into_owned());
            }
        }
    }
    found
}
