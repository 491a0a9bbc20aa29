//! Every package that is built has a licence that `deny.toml` allows; holds also where cargo-deny is not installed.

use crate::repository::root;
use serde_json::Value;
use std::process::Command;

#[test]
fn licences_of_all_locked_packages_are_allowed() {
    let Ok(deny) = std::fs::read_to_string(root().join("deny.toml")) else {
        println!("SKIPPED: no deny.toml");
        return;
    };
    let deny: Value = toml::from_str(&deny).expect("deny.toml is TOML");
    let licences = &deny["licenses"];
    let allowed = strings(&licences["allow"]);
    for package in metadata()["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("a name");
        let mut allowed = allowed.clone();
        for exception in licences["exceptions"].as_array().into_iter().flatten() {
            if exception["crate"] == name || exception["name"] == name {
                allowed.extend(strings(&exception["allow"]));
            }
        }
        let licence = package["license"].as_str().unwrap_or("none given");
        assert!(satisfies(licence, &allowed), "{name} is under {licence}");
    }
}

/// What is built on this machine's platform: packages for others need not be downloaded for a test.
fn metadata() -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let version = Command::new(&cargo).arg("-vV").output().expect("cargo runs").stdout;
    let version = String::from_utf8(version).expect("cargo writes UTF-8");
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("cargo knows its host");
    let arguments = ["metadata", "--format-version=1", "--locked", "--filter-platform", host];
    let output = Command::new(cargo).args(arguments).current_dir(root()).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON")
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Whether an SPDX expression is met by the allowed licences. `/` is how old packages wrote OR.
fn satisfies(expression: &str, allowed: &[String]) -> bool {
    let spaced =
        expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ").replace(" WITH ", "\u{a0}WITH\u{a0}");
    let words: Vec<String> =
        spaced.split(' ').filter(|word| !word.is_empty()).map(|word| word.replace('\u{a0}', " ")).collect();
    let mut words = words.iter().peekable();
    either(&mut words, allowed)
}

type Words<'a> = std::iter::Peekable<std::slice::Iter<'a, String>>;

fn either(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut met = both(words, allowed);
    while words.next_if(|word| *word == "OR").is_some() {
        met |= both(words, allowed);
    }
    met
}

fn both(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut met = one(words, allowed);
    while words.next_if(|word| *word == "AND").is_some() {
        met &= one(words, allowed);
    }
    met
}

fn one(words: &mut Words<'_>, allowed: &[String]) -> bool {
    if words.next_if(|word| *word == "(").is_none() {
        return words.next().is_some_and(|licence| allowed.iter().any(|known| known == licence));
    }
    let met = either(words, allowed);
    words.next();
    met
}

#[test]
fn expressions_are_read_as_spdx_says() {
    let allowed = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "Unicode-3.0"].map(str::to_owned);
    for (expression, met) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("MIT/GPL-3.0", true),
        ("(MIT OR GPL-3.0) AND Unicode-3.0", true),
        ("MIT AND GPL-3.0", false),
        ("GPL-3.0 OR Apache-2.0 WITH LLVM-exception", true),
        ("none given", false),
    ] {
        assert_eq!(satisfies(expression, &allowed), met, "{expression}");
    }
}
