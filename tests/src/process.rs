//! The real binary as a process, with its log and its memory.

use crate::certs::trusting_file;
use crate::client::Client;
use crate::command::binary;
use crate::deadline::within;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

/// A running `portcullis`. Dropped, it is ended at once.
pub struct Process {
    child: Child,
    said: Lines<BufReader<ChildStderr>>,
    /// What it has said of its listeners.
    listening: Vec<String>,
    folder: TempDir,
    /// The process that has taken over from the one that was started.
    successor: Option<u32>,
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(id) = self.successor {
            let _ = std::process::Command::new("kill").args(["-s", "KILL", &id.to_string()]).status();
        }
    }
}

impl Process {
    /// Starts it with this configuration, in a folder of its own that is its working directory, and waits until it
    /// listens.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn start(config: &str) -> Self {
        Self::start_with(config, |_| Command::new(binary("portcullis"))).await
    }

    /// As [`Process::start`], by another way to the program: the command gets the folder, and `run` as its last argument.
    ///
    /// # Panics
    ///
    /// As [`Process::start`].
    pub async fn start_with(config: &str, command: impl FnOnce(&Path) -> Command) -> Self {
        let folder = TempDir::new().expect("a folder");
        configure(folder.path(), config);
        let mut child = command(folder.path())
            .arg("run")
            .current_dir(folder.path())
            .env_clear()
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let said = BufReader::new(child.stderr.take().expect("its standard error")).lines();
        let mut process = Self { child, said, listening: Vec::new(), folder, successor: None };
        process.says("admin listening").await;
        process
    }

    /// Runs one of its commands beside it, for example `reload`: whether that went well, its exit code, and what it said.
    ///
    /// # Panics
    ///
    /// When it does not end.
    pub async fn command(&self, name: &str) -> (i32, String) {
        let run = Command::new(binary("portcullis")).arg(name).current_dir(self.folder()).env_clear().output();
        let output = tokio::time::timeout(std::time::Duration::from_secs(120), run).await;
        let output = output.expect("a command ends").expect("it runs");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().expect("an exit code"), String::from_utf8_lossy(&said).into_owned())
    }

    /// Has it hand over to a new process, which is the one that later calls are about.
    ///
    /// # Panics
    ///
    /// When there is no such process.
    pub async fn upgrade(&mut self) {
        let (code, said) = self.command("upgrade").await;
        assert_eq!(code, 0, "{said}");
        let id = said.strip_prefix("process ").and_then(|rest| rest.split(' ').next()).expect("a process");
        self.successor = Some(id.parse().expect("a number"));
    }

    /// Waits for the end of the process that was started, while its successor serves.
    pub async fn first_ended(&mut self) -> ExitStatus {
        within("the end of the first process", self.child.wait()).await.expect("it ends")
    }

    /// Its working directory.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Replaces the configuration file; SIGHUP makes it read it.
    pub fn configure(&self, config: &str) {
        configure(self.folder.path(), config);
    }

    /// Says which process has taken over from it: later calls are about that one.
    ///
    /// # Panics
    ///
    /// When that is no process.
    pub fn succeeded_by(&mut self, id: &str) {
        self.successor = Some(id.parse().expect("a number"));
    }

    /// Waits for a line of the log, and reads the value that stands behind `key` in it.
    ///
    /// # Panics
    ///
    /// When it ends before, or the line has no such key.
    pub async fn says_with(&mut self, part: &str, key: &str) -> String {
        let line = self.line(part).await;
        let value = line.split(key).nth(1).and_then(|rest| rest.split_whitespace().next());
        value.expect("the key").to_owned()
    }

    /// Waits for a line of the log.
    ///
    /// # Panics
    ///
    /// When it ends before.
    pub async fn says(&mut self, part: &str) {
        let _ = self.line(part).await;
    }

    async fn line(&mut self, part: &str) -> String {
        within(format!("the line {part:?}"), async {
            loop {
                let line = self.said.next_line().await.expect("text").expect("it runs on");
                let found = line.contains(part);
                if line.contains("listening") {
                    self.listening.push(line.clone());
                }
                if found {
                    return line;
                }
            }
        })
        .await
    }

    /// The TCP address of a listener, as its log names it.
    ///
    /// # Panics
    ///
    /// When the log names none.
    #[must_use]
    pub fn address(&self, listener: &str) -> SocketAddr {
        self.address_in(&format!("listener=\"{listener}\""))
    }

    /// The TCP address of the operator's listener.
    ///
    /// # Panics
    ///
    /// When it has none.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        self.address_in("admin listening")
    }

    fn address_in(&self, part: &str) -> SocketAddr {
        let line = self.listening.iter().find(|line| line.contains(part)).expect("a listener of this name");
        let address = line.split("address=").nth(1).and_then(|rest| rest.split_whitespace().next());
        address.and_then(|address| address.parse().ok()).expect("an address")
    }

    /// A client of a TLS listener whose site `any` has the development certificate below `state`.
    #[must_use]
    pub fn https(&self, listener: &str) -> Client {
        let certificate = self.folder().join("state/self-signed-any.pem");
        Client::https(self.address(listener), trusting_file(&certificate))
    }

    /// Sends a signal, for example `TERM`.
    ///
    /// # Panics
    ///
    /// When it has ended.
    pub async fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().await.expect("kill runs");
        assert!(sent.success());
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        within("the end of the process", self.child.wait()).await.expect("it ends")
    }

    /// The memory that is resident now, in KiB.
    ///
    /// # Panics
    ///
    /// When it has ended.
    #[must_use]
    pub fn resident_kib(&self) -> u64 {
        self.kib("VmRSS:")
    }

    /// The most memory that was ever resident, in KiB.
    ///
    /// # Panics
    ///
    /// When it has ended.
    #[must_use]
    pub fn peak_kib(&self) -> u64 {
        self.kib("VmHWM:")
    }

    fn kib(&self, key: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).expect("a running process");
        let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("memory in its status");
        line.trim().trim_end_matches(" kB").parse().expect("a number of KiB")
    }

    fn id(&self) -> u32 {
        self.successor.unwrap_or_else(|| self.child.id().expect("it runs"))
    }
}

fn configure(folder: &Path, config: &str) {
    fs::write(folder.join("portcullis.toml"), config).expect("the file is written");
}
