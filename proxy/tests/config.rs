//! The configuration language from outside: every file of `tests/config/ok` is accepted and means what stands beside
//! it, every file of `tests/config/bad` is refused with exactly the text beside it.
//!
//! `UPDATE=1 cargo test -p portcullis --test config` writes the expected texts and the generated documents anew; read
//! the difference before it is committed.

use portcullis::config::{self, Config, Problems};
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};

/// The environment of all files.
fn environment(name: &str) -> Option<String> {
    let value = match name {
        "SECRET" => "an environment secret that is longer than 64 bytes, so that HS512 is content",
        "SHORT_SECRET" => "hunter2",
        "INJECTION" => "x\"\n[admin]\nenabled = false",
        "PORT" => "9443",
        "EMPTY" => "",
        _ => return None,
    };
    Some(value.to_owned())
}

fn folder(name: &str) -> PathBuf {
    Path::new("../tests/config").join(name)
}

/// The TOML files of a folder, sorted.
fn files(name: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder(name)).expect("the folder of golden files");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

fn load(file: &Path) -> Result<Config, Problems> {
    let text = fs::read_to_string(file).expect("a golden file");
    let name = file.file_name().expect("a name").to_string_lossy();
    config::load_str(&name, &text, &environment, file.parent().expect("a folder"))
}

/// Compares with the text of a file, or writes it.
fn same(file: &Path, actual: &str) {
    if std::env::var_os("UPDATE").is_some() {
        fs::write(file, actual).expect("writing the expected text");
    }
    let expected = fs::read_to_string(file).unwrap_or_default();
    assert_eq!(actual, expected, "{} differs; see the top of this test for UPDATE=1", file.display());
}

#[test]
fn bad_files_are_refused_with_the_text_beside_them() {
    let files = files("bad");
    assert!(files.len() >= 25, "only {} files", files.len());
    for file in files {
        let problems = load(&file).expect_err(&file.display().to_string());
        same(&file.with_extension("txt"), &problems.to_string());
    }
}

#[test]
fn good_files_mean_what_stands_beside_them() {
    let files = files("ok");
    assert!(files.len() >= 6, "only {} files", files.len());
    for file in files {
        let config = load(&file).unwrap_or_else(|problems| panic!("{}\n{problems}", file.display()));
        same(&file.with_extension("effective"), &config::print(&config));
    }
}

#[test]
fn the_printed_configuration_means_the_same() {
    for file in files("ok") {
        let config = load(&file).expect("a good file");
        let printed = config::print(&config);
        for secret in ["an environment secret", "a file secret", "PRIVATE KEY"] {
            assert!(!printed.contains(secret), "{} shows a secret:\n{printed}", file.display());
        }
        // Each file has at most one kind of secret in each place.
        let restored = printed
            .replace("key = \"[redacted]\"", "key = \"../tests/config/fixtures/key.pem\"")
            .replace("secret = \"[redacted]\"", "secret = \"${env:SECRET}\"")
            .replace("authorization = \"[redacted]\"", "authorization = \"Bearer ${env:SECRET}\"");
        let again = config::load_str("printed.toml", &restored, &environment, Path::new(""))
            .unwrap_or_else(|problems| panic!("{}\n{problems}\n{restored}", file.display()));
        assert_eq!(again, config, "{}", file.display());
    }
}

#[test]
fn reports_are_deterministic_and_hide_secrets() {
    for file in files("bad") {
        let [one, other] = [(); 2].map(|()| load(&file).expect_err("a bad file").to_string());
        assert_eq!(one, other, "{}", file.display());
        assert!(!one.contains("hunter2"), "{} shows a secret:\n{one}", file.display());
        assert!(!one.contains("PRIVATE KEY-----\nM"), "{} shows a key:\n{one}", file.display());
    }
}

#[test]
fn the_reference_page_and_the_schema_are_current() {
    same(Path::new("../docs/configuration.md"), &config::reference());
    let schema = serde_json::to_string_pretty(&config::schema()).expect("a JSON value");
    same(Path::new("../docs/portcullis.schema.json"), &format!("{schema}\n"));
}

#[test]
fn a_file_that_is_missing_or_too_large_is_one_mistake() {
    let missing = config::load(Path::new("no-such.toml"), &environment).expect_err("there is no such file");
    assert_eq!(missing.to_string(), "cannot read no-such.toml: no such file or directory\n\n1 mistake\n");
    let large = "#".repeat((4 << 20) + 1);
    let large = config::load_str("large.toml", &large, &environment, Path::new("")).expect_err("too large");
    assert_eq!(large.count(), 1);
}

#[test]
fn a_file_of_garbage_is_reported_within_bounds() {
    let text: String = (0..20_000).map(|n| format!("unknown_key_{n} = {n}\n")).collect();
    let problems = config::load_str("garbage.toml", &text, &environment, Path::new("")).expect_err("garbage");
    assert!(problems.count() > 20_000);
    assert!(problems.to_string().len() < 100_000);
}

proptest! {
    #[test]
    fn no_text_panics(text in "(\\[{1,2}(server|site.a|route|issuer.b|listener.c)\\]{1,2}|[a-z_]{1,8} ?= ?|\"\\$\\{env:[A-Z]{0,3}:?-?|[ -~]|\n|\t|\u{e9}|\u{1f980}|[0-9]{1,9}){0,60}") {
        let report = config::load_str("fuzz.toml", &text, &environment, Path::new("no-such-folder"));
        if let Err(problems) = report {
            prop_assert!(problems.count() > 0);
            prop_assert!(!problems.to_string().is_empty());
        }
    }

    #[test]
    fn no_mutation_of_a_good_file_panics(at in 0..6000_usize, cut in 0..40_usize, insert in "[\\[\\]{}\"'=.,\n\u{1f980}$]{0,4}") {
        let text = fs::read_to_string(folder("ok").join("everything.toml")).expect("a good file");
        let mut chars: Vec<char> = text.chars().collect();
        let at = at % chars.len();
        let end = (at + cut).min(chars.len());
        chars.splice(at..end, insert.chars());
        let text: String = chars.into_iter().collect();
        if let Err(problems) = config::load_str("mutated.toml", &text, &environment, &folder("ok")) {
            prop_assert!(problems.count() > 0);
            prop_assert!(!problems.to_string().is_empty());
        }
    }
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    for (open, close) in [("[", "]"), ("{ a = ", "}")] {
        let text = format!("x = {}1{}", open.repeat(100_000), close.repeat(100_000));
        let problems = config::load_str("deep.toml", &text, &environment, Path::new("")).expect_err("too deep");
        assert!(problems.count() > 0);
    }
    let dotted = format!("{}a = 1", "a.".repeat(100_000));
    assert!(config::load_str("dotted.toml", &dotted, &environment, Path::new("")).is_err());
}
