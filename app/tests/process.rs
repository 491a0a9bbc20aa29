//! The real binary: its first start, its end by SIGKILL, and what is left of acknowledged writes.

use portcullis_app::config::DatabaseUrl;
use portcullis_app::store::{AccountStore, Database};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

struct Process {
    child: Child,
    socket: PathBuf,
    stdout: BufReader<std::process::ChildStdout>,
}

impl Process {
    /// Starts the binary on a Unix socket and waits until it listens.
    fn start(state: &Path) -> Self {
        Self::start_with(state, &[])
    }

    /// As [`Process::start`], with variables.
    fn start_with(state: &Path, variables: &[(&str, &str)]) -> Self {
        let socket = state.join("app.sock");
        let mut child = Command::new(env!("CARGO_BIN_EXE_portcullis-app"))
            .args(["run", "--assertion-key-create", "--threads", "2"])
            .arg("--state")
            .arg(state)
            .arg(format!("--listen=unix:{}", socket.display()))
            .env_remove("PORTCULLIS_APP_DEMO_USER")
            .env_remove("PORTCULLIS_APP_DEMO_PASSWORD")
            .env_remove("PORTCULLIS_APP_DATABASE")
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut said = String::new();
        while !said.contains("listening") {
            let count = stderr.read_line(&mut said).expect("a line");
            assert_ne!(count, 0, "the binary ended: {said}");
        }
        // A full pipe would block the process.
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, socket, stdout }
    }

    fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
    }
}

/// Posts JSON; none when the process is gone before it has answered.
fn post(socket: &Path, path: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = UnixStream::connect(socket).ok()?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: app\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer.split_once("\r\n\r\n")?.1.to_owned()))
}

/// The body of what is there.
fn get(socket: &Path, path: &str) -> String {
    let mut stream = UnixStream::connect(socket).expect("the application listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    answer
}

#[test]
fn acknowledged_writes_survive_sigkill() {
    const WRITERS: usize = 4;
    const ACKNOWLEDGED_MIN: usize = 16;
    let state = tempfile::tempdir().expect("a folder");
    let process = Process::start(state.path());
    let (acknowledged, received) = mpsc::channel();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (socket, acknowledged) = (process.socket.clone(), acknowledged.clone());
            std::thread::spawn(move || {
                for number in 0.. {
                    let name = format!("user-{writer}-{number}");
                    let body = format!(r#"{{"username":"{name}","password":"correct horse"}}"#);
                    match post(&socket, "/api/register/", &body) {
                        Some((201, _)) => acknowledged.send(name).expect("the test listens"),
                        Some((status, body)) => panic!("{status} {body}"),
                        None => return,
                    }
                }
            })
        })
        .collect();
    drop(acknowledged);
    let mut names: Vec<String> = received.iter().take(ACKNOWLEDGED_MIN).collect();
    process.kill();
    names.extend(received);
    for writer in writers {
        writer.join().expect("a writer");
    }

    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let url = DatabaseUrl::Sqlite(state.path().join("app.db"));
        let database = Database::open(&url).await.expect("the database opens");
        for name in &names {
            assert!(database.user_named(name).await.expect("a look").is_some(), "{name} was acknowledged and is gone");
        }
        database.close().await;
    });

    let again = Process::start(state.path());
    let body = format!(r#"{{"username":"{}","password":"correct horse"}}"#, names[0]);
    assert_eq!(post(&again.socket, "/api/token/", &body).expect("an answer").0, 200);
    again.kill();
}

#[test]
fn the_demo_user_is_told_once() {
    let state = tempfile::tempdir().expect("a folder");
    let mut first = Process::start(state.path());
    let mut line = String::new();
    first.stdout.read_line(&mut line).expect("a line");
    let password = line
        .strip_prefix("demo user created: username=demo password=")
        .unwrap_or_else(|| panic!("{line}"))
        .trim_end()
        .to_owned();
    let body = format!(r#"{{"username":"demo","password":"{password}"}}"#);
    assert_eq!(post(&first.socket, "/api/token/", &body).expect("an answer").0, 200);
    first.kill();

    let mut second = Process::start(state.path());
    assert_eq!(post(&second.socket, "/api/token/", &body).expect("an answer").0, 200);
    let healthy = Command::new(env!("CARGO_BIN_EXE_portcullis-app"))
        .args(["healthcheck", "--url", &format!("unix:{}", second.socket.display())])
        .status()
        .expect("the binary starts");
    assert!(healthy.success());
    second.child.kill().expect("killed");
    second.child.wait().expect("ended");
    let mut said = String::new();
    second.stdout.read_to_string(&mut said).expect("text");
    assert!(!said.contains("password"), "{said}");
}

#[test]
fn a_configured_password_is_told_to_nobody() {
    const PASSWORD: &str = "my own long password";
    let state = tempfile::tempdir().expect("a folder");
    let mut process = Process::start_with(state.path(), &[("PORTCULLIS_APP_DEMO_PASSWORD", PASSWORD)]);
    let mut line = String::new();
    process.stdout.read_line(&mut line).expect("a line");
    assert_eq!(line, "demo user created: username=demo\n");
    let body = format!(r#"{{"username":"demo","password":"{PASSWORD}"}}"#);
    assert_eq!(post(&process.socket, "/api/token/", &body).expect("an answer").0, 200);
    process.kill();

    // Another name does not make a second administrator.
    let mut again = Process::start_with(state.path(), &[("PORTCULLIS_APP_DEMO_USER", "other")]);
    again.child.kill().expect("killed");
    again.child.wait().expect("ended");
    let mut said = String::new();
    again.stdout.read_to_string(&mut said).expect("text");
    assert_eq!(said, "");
}

#[test]
fn sigterm_drains_and_ends_well_with_every_line_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let mut process = Process::start(&state);
    assert_eq!(post(&process.socket, "/api/token/?secret=1", "{}").expect("an answer").0, 400);
    let status = Command::new("kill").arg(process.child.id().to_string()).status().expect("kill runs");
    assert!(status.success());
    assert_eq!(process.child.wait().expect("ended").code(), Some(0));
    assert!(!process.socket.exists());
    let mut said = String::new();
    process.stdout.read_to_string(&mut said).expect("text");
    assert!(said.contains(" POST /api/token/ 400 79B "), "{said}");
    assert!(!said.contains("secret"), "{said}");
    for (file, mode) in [("", 0o700), ("app.db", 0o600), ("edge.key", 0o600), ("keys/sealing.key", 0o600)] {
        let found = std::fs::metadata(state.join(file)).expect(file).permissions().mode() & 0o777;
        assert_eq!(found, mode, "{file} is this user's alone");
    }
}

/// The command in another process, on the database of a running application.
#[test]
fn keys_are_rotated_and_revoked_by_command_and_the_application_follows() {
    let state = tempfile::tempdir().expect("a folder");
    let process = Process::start_with(state.path(), &[("PORTCULLIS_APP_DEMO_PASSWORD", "my own long password")]);
    let keys = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis-app"));
        let output = command.arg("keys").args(arguments).arg("--state").arg(state.path()).output().expect("it runs");
        let said = if output.status.success() { output.stdout } else { output.stderr };
        (output.status.success(), String::from_utf8(said).expect("text"))
    };
    let key_of = |phase: &str| {
        let (_, list) = keys(&["list"]);
        let line = list.lines().find(|line| line.contains(phase)).unwrap_or_else(|| panic!("no {phase}: {list}"));
        line.split(' ').next().expect("a name").to_owned()
    };
    let sign_in = || {
        let body = r#"{"username":"demo","password":"my own long password"}"#;
        let (status, body) = post(&process.socket, "/api/token/", body).expect("an answer");
        assert_eq!(status, 200, "{body}");
        let refresh = body.split("\"refresh\":\"").nth(1).expect("a token").split('"').next().expect("its end");
        format!(r#"{{"token":"{refresh}"}}"#)
    };
    let verify = |token: &str| post(&process.socket, "/api/token/verify/", token).expect("an answer").0;
    // The public half is announced before it signs.
    let published = || get(&process.socket, "/.well-known/jwks.json");
    // Asks and asks; an answer takes long enough not to starve the application.
    let wait_until = |what: &dyn Fn() -> bool| {
        let begun = std::time::Instant::now();
        while !what() {
            assert!(begun.elapsed() < std::time::Duration::from_secs(60), "the application follows");
        }
    };
    let (active, next) = (key_of("active"), key_of("next"));
    assert!(published().contains(&active) && published().contains(&next));
    let old = sign_in();

    let (done, said) = keys(&["rotate"]);
    assert!(!done && said.contains("the next key is published since"), "{said}");
    let (done, said) = keys(&["rotate", "--now"]);
    assert!(done && said.starts_with(&next), "{said}");
    let announced = key_of("next");
    wait_until(&|| published().contains(&announced));
    assert_eq!((verify(&old), verify(&sign_in())), (200, 200), "tokens of both keys count");
    assert!(published().contains(&active), "until the last token of it has expired");

    let (done, said) = keys(&["revoke", &active]);
    assert!(done, "{said}");
    wait_until(&|| verify(&old) == 401);
    assert!(!published().contains(&active));
    assert_eq!(verify(&sign_in()), 200);
    let (done, said) = keys(&["revoke", "nobody"]);
    assert!(!done && said.contains("there is no key nobody"), "{said}");
    process.kill();

    let elsewhere = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis-app"));
    let output = command.args(["keys", "list", "--state"]).arg(elsewhere.path()).output().expect("it runs");
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no such database"));
}

#[test]
fn settings_that_can_not_be_meant_are_all_told_before_anything_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let start = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis-app"));
        let output = command.args(["run", "--state"]).arg(&state).args(arguments).output().expect("it runs");
        assert!(!output.status.success());
        String::from_utf8(output.stderr).expect("text")
    };
    let said = start(&["--access-lifetime", "2d", "--reuse-grace", "1h", "--jti-claim", "exp"]);
    for message in ["--access-lifetime: must be from 1s to 24h", "--reuse-grace: must be", "--jti-claim: \"exp\""] {
        assert!(said.contains(message), "{said}");
    }
    assert!(start(&["--algorithm", "RS256"]).contains("give another one with --signing-key"));
    assert!(start(&["--access-lifetime", "5 minutes"]).contains("expected a time such as"));
    assert!(!state.exists());
}
