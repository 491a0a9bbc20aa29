//! The original in a process of its own.

use crate::app::claims_of;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// What is installed. Django is named too, because its messages are compared.
const PACKAGES: [&str; 3] = ["djangorestframework-simplejwt==5.5.1", "djangorestframework==3.18.3", "Django==5.2.19"];

/// A running original.
pub(super) struct Original {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// An answer of either side.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: u16,
    /// `Content-Type`, `WWW-Authenticate`, `Allow`.
    pub(super) fields: [Option<String>; 3],
    pub(super) text: String,
}

impl Original {
    /// Starts the original, installing it first if need be; none where that can't be done.
    #[expect(clippy::print_stdout, reason = "a skipped test must say so where its reader looks")]
    pub(super) fn start(secret: &str) -> Option<Self> {
        let python = match environment() {
            Ok(python) => python,
            Err(reason) => {
                let required = std::env::var("PORTCULLIS_REQUIRE_SIMPLEJWT").is_ok_and(|value| value == "1");
                assert!(!required, "PORTCULLIS_REQUIRE_SIMPLEJWT=1, but {reason}");
                println!("SKIPPED: no djangorestframework-simplejwt to compare with: {reason}");
                return None;
            }
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/simplejwt/original.py");
        let mut child = Command::new(python)
            .arg(script)
            .arg(secret)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Its log of refused requests.
            .stderr(Stdio::null())
            .spawn()
            .expect("python starts");
        let input = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut original = Self { child, input, output };
        let version = original.line();
        assert!(PACKAGES[0].ends_with(version["version"].as_str().expect("a version")), "{version}");
        Some(original)
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a line");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("the original ended: {error} {line:?}"))
    }

    fn tell(&mut self, what: &Value) -> Value {
        writeln!(self.input, "{what}").expect("the original listens");
        self.line()
    }

    /// Changes a user behind its back.
    pub(super) fn change(&mut self, how: &str, username: &str) {
        self.tell(&json!({ how: username }));
    }

    /// Asks.
    pub(super) fn ask(&mut self, method: &str, path: &str, content_type: &str, body: &str) -> Answered {
        let told = self.tell(&json!({"method": method, "path": path, "content_type": content_type, "body": body}));
        let field = |name: &str| told["fields"][name].as_str().map(str::to_owned);
        Answered {
            status: told["status"].as_u64().and_then(|status| u16::try_from(status).ok()).expect("a status"),
            fields: ["content-type", "www-authenticate", "allow"].map(field),
            text: told["text"].as_str().expect("a text").to_owned(),
        }
    }
}

impl Drop for Original {
    fn drop(&mut self) {
        // Has nothing to lose.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answered {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The answer with each token replaced by what must be the same in both: its type and how long it lives.
    pub(super) fn shape(&self) -> (u16, Value, [Option<String>; 3]) {
        let mut body = self.json();
        for value in body.as_object_mut().into_iter().flat_map(|members| members.values_mut()) {
            if value.as_str().is_some_and(|text| text.starts_with("eyJ") && text.split('.').count() == 3) {
                let claims = claims_of(value);
                let life = |name: &str| Some(claims[name].as_i64()? - claims["iat"].as_i64()?);
                *value = json!({
                    "token_type": claims["token_type"],
                    "lifetime": life("exp"),
                    // Counted from a sign-in that may be a second ago.
                    "refresh_lifetime_min": life("refresh_exp").map(|seconds| (seconds + 30) / 60),
                    "named": [claims["jti"].is_string(), claims["user_id"].is_string(), claims["iss"].is_string()],
                });
            }
        }
        // Every method of a view, where only POST is one: the original adds what it answers by itself.
        let [content_type, challenge, allow] = self.fields.clone();
        let allow = allow.filter(|_| self.status == 405);
        (self.status, body, [content_type, challenge, allow])
    }
}

/// The interpreter of an environment that has the packages, made if need be.
fn environment() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(PACKAGES.join("+").replace("==", "-"));
    let (python, complete) = (folder.join("bin/python"), folder.join("complete"));
    if complete.exists() {
        return Ok(python);
    }
    let run = |program: &Path, arguments: &[&str]| {
        let done = Command::new(program).args(arguments).stdin(Stdio::null()).output();
        match done {
            Ok(done) if done.status.success() => Ok(()),
            Ok(done) => Err(format!("{}: {}", arguments.join(" "), last_line(&done.stderr))),
            Err(error) => Err(format!("{}: {error}", program.display())),
        }
    };
    run(Path::new("python3"), &["-m", "venv", "--clear", folder.to_str().ok_or("a path in UTF-8")?])?;
    let install =
        ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--timeout", "10", "--retries", "1"];
    run(&python, &[&install[..], &PACKAGES[..]].concat())?;
    std::fs::write(complete, "").map_err(|error| error.to_string())?;
    Ok(python)
}

fn last_line(text: &[u8]) -> String {
    String::from_utf8_lossy(text).lines().last().unwrap_or_default().to_owned()
}
