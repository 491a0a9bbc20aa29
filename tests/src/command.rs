//! The real binaries, built once a test run, as an operator runs them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The path of a binary of this workspace, for example `portcullis`.
///
/// Cargo names the path only to tests of the package that has the binary, so it is built here; after `cargo build` or
/// `cargo test` of the workspace that costs nothing.
///
/// # Panics
///
/// When it does not build.
#[must_use]
pub fn binary(package: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let arguments = ["build", "--locked", "--bins", "-p", "portcullis", "-p", "portcullis-app"];
        let built = Command::new(cargo).args(arguments).current_dir(workspace).output().expect("cargo runs");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        // This test's own binary lies in TARGET/PROFILE/deps.
        let own = std::env::current_exe().expect("a test has a path");
        let target = own.ancestors().nth(3).expect("three folders up").to_owned();
        target.join("debug")
    });
    folder.join(package)
}
