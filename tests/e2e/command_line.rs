//! The commands of the real binary: what they print and how they end.

use portcullis_tests::command::binary;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

const GOOD: &str = r#"
[listener.http]
address = "127.0.0.1:0"

[site.main]

[issuer.test]
iss = "https://issuer.test"
audiences = ["api"]
algorithms = ["HS256"]
keys = { secret = "the secret that nobody may ever see" }

[[route]]
match = "/**"
issuers = ["test"]
respond = { body = "hello" }
"#;

fn portcullis(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(binary("portcullis")).args(arguments).current_dir(folder).env_clear().output().expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("output in UTF-8")
}

fn folder_with(config: &str) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("portcullis.toml"), config).expect("the file is written");
    folder
}

#[test]
fn check_passes_what_is_good() {
    let folder = folder_with(GOOD);
    let output = portcullis(folder.path(), &["check"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn check_names_every_mistake_with_its_place() {
    let folder = folder_with(&GOOD.replace("address =", "adress =").replace("respond", "respnd"));
    let output = portcullis(folder.path(), &["check"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    for part in ["portcullis.toml:3:1", "adress", "respnd", "did you mean", "^"] {
        assert!(said.contains(part), "{part:?} in\n{said}");
    }
}

#[test]
fn a_missing_file_is_said_in_one_sentence() {
    let folder = TempDir::new().expect("a folder");
    let output = portcullis(folder.path(), &["check", "--config", "nothing.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("nothing.toml"), "{}", text(&output.stderr));
}

#[test]
fn print_shows_what_is_meant_and_no_secret() {
    let folder = folder_with(GOOD);
    let output = portcullis(folder.path(), &["config", "print"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    assert!(printed.contains("header_bytes_max"), "defaults are filled in:\n{printed}");
    assert!(!printed.contains("nobody may ever see"), "{printed}");
}

#[test]
fn the_schema_is_a_json_schema_that_knows_the_keys() {
    let folder = TempDir::new().expect("a folder");
    let output = portcullis(folder.path(), &["config", "schema"]);
    let schema: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(schema["$schema"].is_string(), "{schema}");
    for table in ["listener", "site", "upstream", "issuer", "route"] {
        assert!(schema["properties"][table].is_object(), "{table}");
    }
}

#[test]
fn versions_are_told() {
    let folder = TempDir::new().expect("a folder");
    let output = portcullis(folder.path(), &["--version"]);
    assert!(text(&output.stdout).starts_with("portcullis 0."), "{}", text(&output.stdout));
    let output = Command::new(binary("portcullis-app")).arg("--version").output().expect("it runs");
    assert!(text(&output.stdout).starts_with("portcullis-app 0."), "{}", text(&output.stdout));
}

#[test]
fn a_typo_in_a_command_ends_with_a_hint() {
    let folder = TempDir::new().expect("a folder");
    let output = portcullis(folder.path(), &["chekc"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("check"), "{}", text(&output.stderr));
}
