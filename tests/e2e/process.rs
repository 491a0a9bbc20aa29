//! The real binary as init systems treat it: SIGHUP, SIGTERM, exit codes, its own health check.

use portcullis_tests::client::Client;
use portcullis_tests::command::binary;
use portcullis_tests::deadline::within;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

/// Both listeners on sockets in the folder of the test, so that no port is needed. `BODY` is what the route answers.
const CONFIG: &str = r#"
[admin]
address = "unix:admin.sock"

[listener.front]
address = "unix:front.sock"

[[route]]
match = "/**"
auth = "public"
respond = { body = "BODY" }
"#;

struct Process {
    child: Child,
    said: Lines<BufReader<ChildStderr>>,
    folder: TempDir,
}

impl Process {
    async fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        configure(folder.path(), CONFIG);
        let mut child = Command::new(binary("portcullis"))
            .arg("run")
            .current_dir(folder.path())
            .env_clear()
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let said = BufReader::new(child.stderr.take().expect("its standard error")).lines();
        let mut process = Self { child, said, folder };
        process.says("admin listening").await;
        process
    }

    /// Waits for a line of the log.
    async fn says(&mut self, part: &str) {
        within(format!("the line {part:?}"), async {
            loop {
                let line = self.said.next_line().await.expect("text").expect("it runs on");
                if line.contains(part) {
                    return;
                }
            }
        })
        .await;
    }

    async fn signal(&self, name: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().await.expect("kill runs");
        assert!(sent.success());
    }

    async fn answers(&self) -> String {
        let client = Client::unix(&self.folder.path().join("front.sock"));
        client.get("/").send().await.expect_status(200).text().to_owned()
    }

    async fn ended(&mut self) -> ExitStatus {
        within("the end of the process", self.child.wait()).await.expect("it ends")
    }
}

fn configure(folder: &Path, config: &str) {
    std::fs::write(folder.join("portcullis.toml"), config).expect("the file is written");
}

#[tokio::test]
async fn sighup_takes_a_good_file_and_leaves_a_bad_one() {
    let mut process = Process::start().await;
    assert_eq!(process.answers().await, "BODY");
    configure(process.folder.path(), &CONFIG.replace("BODY", "second"));
    process.signal("HUP").await;
    process.says("configuration reloaded").await;
    assert_eq!(process.answers().await, "second");
    configure(process.folder.path(), &CONFIG.replace("respond", "respnd"));
    process.signal("HUP").await;
    process.says("configuration not reloaded").await;
    assert_eq!(process.answers().await, "second");
}

#[tokio::test]
async fn sigterm_drains_and_ends_with_zero() {
    let mut process = Process::start().await;
    assert_eq!(process.answers().await, "BODY");
    process.signal("TERM").await;
    assert_eq!(process.ended().await.code(), Some(0));
}

#[tokio::test]
async fn the_health_check_tells_a_running_proxy_from_none() {
    let mut process = Process::start().await;
    let check = || Command::new(binary("portcullis")).arg("healthcheck").current_dir(process.folder.path()).output();
    assert_eq!(check().await.expect("it runs").status.code(), Some(0));
    process.signal("TERM").await;
    let folder = process.folder.path().to_owned();
    let _ = process.ended().await;
    let check = Command::new(binary("portcullis")).arg("healthcheck").current_dir(folder).output().await;
    let output = check.expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("does not answer"));
}
