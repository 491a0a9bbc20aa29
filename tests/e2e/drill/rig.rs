//! What every drill of these tests stands on: an edge of its own process, a plan in a folder, and an application that
//! can be killed.

use portcullis_tests::command::binary;
use portcullis_tests::deadline::until;
use portcullis_tests::exchange::ok;
use portcullis_tests::origin::{Answering, Origin};
use portcullis_tests::process::Process;
use serde_json::Value;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// An edge over these endpoints, with an admin listener.
pub(super) async fn edge(endpoints: &[String]) -> Process {
    edge_with(endpoints, "").await
}

/// As [`edge`], with further keys of its only route.
pub(super) async fn edge_with(endpoints: &[String], keys: &str) -> Process {
    Process::start(&configuration(endpoints, keys)).await
}

/// What [`edge_with`] is configured to.
pub(super) fn configuration(endpoints: &[String], keys: &str) -> String {
    let endpoints = endpoints.iter().map(|endpoint| format!("{endpoint:?}")).collect::<Vec<_>>().join(", ");
    format!(
        r#"
[server]
state = "state"
drain_timeout = "5s"

[admin]
address = "127.0.0.1:0"

[listener.http]
address = "127.0.0.1:0"
tls = false
h2c = true

[listener.https]
address = "127.0.0.1:0"

[site.any]
tls = "self-signed"

[upstream.app]
endpoints = [{endpoints}]

[[route]]
match = "/**"
auth = "public"
forward = "app"
{keys}
"#
    )
}

/// A fault that does no harm, for plans that are about something else.
pub(super) const NOTHING: &str = "[[fault]]\nname = \"nothing\"\nkind = \"half-closed-clients\"\nsockets = 1\n\
    hold = \"600ms\"\nsettle = \"100ms\"\n";

/// A plan against this edge, with its faults.
pub(super) fn plan(edge: SocketAddr, faults: &str) -> TempDir {
    plan_at(&format!("http://{edge}"), "", faults)
}

/// As [`plan`], for any target, with further keys of the whole plan.
pub(super) fn plan_at(target: &str, keys: &str, faults: &str) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let text = format!(
        r#"
target = "{target}"
{keys}

[load]
rate = 100
connections = 4
http2_connections = 1
timeout = "15s"
warm_up = "300ms"

[[request]]
path = "/a?{{tag}}"

{faults}
"#
    );
    fs::write(folder.path().join("drill.toml"), text).expect("the plan is written");
    folder
}

pub(super) fn start(folder: &Path, arguments: &[&str]) -> Child {
    Command::new(binary("portcullis"))
        .arg("drill")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts")
}

/// The exit code, the report, and what was said besides.
pub(super) async fn drill(folder: &Path) -> (Option<i32>, Value, String) {
    drill_with(folder, &[]).await
}

/// As [`drill`], with further arguments.
pub(super) async fn drill_with(folder: &Path, arguments: &[&str]) -> (Option<i32>, Value, String) {
    let arguments = [&["--json"], arguments].concat();
    let output = start(folder, &arguments).wait_with_output().await.expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let report = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code(), report, said)
}

pub(super) fn fault<'a>(report: &'a Value, name: &str) -> &'a Value {
    let faults = report["faults"].as_array().expect("faults");
    faults.iter().find(|fault| fault["name"] == name).expect("a fault of this name")
}

/// An address at which nobody listens.
pub(super) async fn free_address() -> SocketAddr {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    free.local_addr().expect("an address")
}

/// A server that answers with its own process, for commands that kill and start it.
pub(super) struct Program {
    folder: TempDir,
    pub(super) address: SocketAddr,
}

impl Program {
    /// A second edge as the application: a real process that can be killed.
    pub(super) async fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        let address = free_address().await;
        let config = format!(
            "[admin]\nenabled = false\n[log]\naccess = false\n[listener.a]\naddress = \"{address}\"\n\
             [[route]]\nmatch = \"/**\"\nauth = \"public\"\nrespond = {{ body = \"hello\" }}\n"
        );
        fs::write(folder.path().join("portcullis.toml"), config).expect("written");
        let script = format!(
            "#!/bin/sh\ncd {}\ncase $1 in\nstart) {} run >/dev/null 2>&1 & echo $! > pid ;;\n\
             stop) kill -9 $(cat pid) 2>/dev/null; true ;;\nesac\n",
            folder.path().display(),
            binary("portcullis").display()
        );
        fs::write(folder.path().join("service"), script).expect("written");
        let program = Self { folder, address };
        program.service("start").await;
        program
    }

    pub(super) fn script(&self) -> String {
        self.folder.path().join("service").display().to_string()
    }

    pub(super) async fn service(&self, verb: &str) {
        let status = Command::new("sh").args([&self.script(), verb]).status().await.expect("sh runs");
        assert!(status.success());
    }

    /// Waits until it answers.
    pub(super) async fn answers(&self) {
        until("the program", async || tokio::net::TcpStream::connect(self.address).await.is_ok()).await;
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = std::process::Command::new("sh").args([&self.script(), "stop"]).status();
    }
}

pub(super) async fn origin() -> Answering {
    Origin::start().await.always(ok("hello"))
}
