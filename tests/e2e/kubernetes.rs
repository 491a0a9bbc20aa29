//! The manifests of `deploy/kubernetes/`: against the official schemas, and against each other and the configuration.

use portcullis_tests::command::binary;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// What reads the manifests, with the schemas of every version.
const PACKAGE: &str = "kubernetes-validate==1.37.0";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository")
}

/// The interpreter of an environment that has the package, made if need be.
fn environment() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(PACKAGE.replace("==", "-"));
    let (python, complete) = (folder.join("bin/python"), folder.join("complete"));
    if complete.exists() {
        return Ok(python);
    }
    let run = |program: &Path, arguments: &[&str]| {
        let done = Command::new(program).args(arguments).stdin(Stdio::null()).output();
        match done {
            Ok(done) if done.status.success() => Ok(()),
            Ok(done) => {
                let said = String::from_utf8_lossy(&done.stderr).into_owned();
                Err(format!("{}: {}", arguments.join(" "), said.lines().last().unwrap_or_default()))
            }
            Err(error) => Err(format!("{}: {error}", program.display())),
        }
    };
    run(Path::new("python3"), &["-c", "import tomllib"])?;
    run(Path::new("openssl"), &["version"])?;
    run(Path::new("python3"), &["-m", "venv", "--clear", folder.to_str().ok_or("a path in UTF-8")?])?;
    let install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--timeout",
        "10",
        "--retries",
        "1",
        PACKAGE,
    ];
    run(&python, &install)?;
    std::fs::write(complete, "").map_err(|error| error.to_string())?;
    Ok(python)
}

/// What is wrong with the manifests in this folder, a line each.
fn problems(python: &Path, folder: &Path) -> String {
    let checked = Command::new(python)
        .arg(repository().join("tests/kubernetes/check.py"))
        .args([&binary("portcullis"), &repository(), folder])
        .output()
        .expect("python runs");
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(said.is_empty(), "the check itself failed: {said}");
    String::from_utf8_lossy(&checked.stdout).trim().to_owned()
}

/// A copy of the manifests with one mistake.
fn spoiled(file: &str, from: &str, to: &str) -> TempDir {
    let copy = TempDir::new().expect("a folder");
    for entry in std::fs::read_dir(repository().join("deploy/kubernetes")).expect("the folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name");
        let mut text = std::fs::read_to_string(&path).expect("a text");
        if name == file {
            assert!(text.contains(from), "{file} has no {from:?} to spoil");
            text = text.replacen(from, to, 1);
        }
        std::fs::write(copy.path().join(name), text).expect("a copy");
    }
    copy
}

#[test]
fn manifests_are_valid_and_fit_each_other_and_the_configuration() {
    let python = match environment() {
        Ok(python) => python,
        Err(reason) => {
            let required = std::env::var("PORTCULLIS_REQUIRE_KUBERNETES").is_ok_and(|value| value == "1");
            assert!(!required, "PORTCULLIS_REQUIRE_KUBERNETES=1, but {reason}");
            println!("SKIPPED: nothing to check manifests of Kubernetes with: {reason}");
            return;
        }
    };
    assert_eq!(problems(&python, &repository().join("deploy/kubernetes")), "");
    for (file, from, to, told) in [
        ("edge.yaml", "maxUnavailable: 0", "maxUnavailble: 0", "maxUnavailble"),
        ("edge.yaml", "terminationGracePeriodSeconds: 45", "terminationGracePeriodSeconds: 40", "is below 45"),
        ("app.yaml", "value: 30s", "value: 60s", "is below 70"),
        ("edge.yaml", "containerPort: 8443", "containerPort: 8444", "its configuration"),
        ("app.yaml", "port: http, path: /readyz", "port: https, path: /readyz", "there is no port https"),
        ("app.yaml", "clusterIP: None", "clusterIP: 10.0.0.1", "not headless"),
        ("config.yaml", "[site.public]", "[sit.public]", "portcullis check"),
        (
            "network.yaml",
            "component: app }\n      ports",
            "component: apq }\n      ports",
            "names pods that there are not",
        ),
        ("app.yaml", "secretName: keys", "secretName: kyes", "there is no Secret kyes"),
    ] {
        let found = problems(&python, spoiled(file, from, to).path());
        assert!(found.contains(told), "{file} with {to:?}: {found:?}");
    }
}
