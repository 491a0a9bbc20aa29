//! Two instances of the application behind the edge, restarted in turns under load; and one that hands over.

use portcullis_tests::client::Client;
use portcullis_tests::command::binary;
use portcullis_tests::deadline::{until, within};
use portcullis_tests::load::{Habit, Load};
use portcullis_tests::metrics::Metrics;
use portcullis_tests::process::Process;
use std::path::Path;
use std::process::Stdio;
use tokio::process::{Child, Command};

/// `PORTCULLIS_TEST_RESTARTS` says another number.
fn restarts() -> usize {
    std::env::var("PORTCULLIS_TEST_RESTARTS").ok().and_then(|number| number.parse().ok()).unwrap_or(20)
}

fn config(folder: &Path, endpoints: &[&str]) -> String {
    let endpoints: Vec<_> = endpoints.iter().map(|name| format!("\"unix:{}\"", socket(folder, name))).collect();
    format!(
        r#"
        [server]
        threads = 2
        [admin]
        address = "unix:admin.sock"
        [log]
        access = false
        [listener.front]
        address = "127.0.0.1:0"
        h2c = true
        [upstream.app]
        endpoints = [{}]
        assertion_key = {{ file = "{}", create = true }}
        link = true
        [[route]]
        match = "/**"
        auth = "public"
        forward = "app"
        "#,
        endpoints.join(", "),
        folder.join("edge.key").display()
    )
}

fn socket(folder: &Path, name: &str) -> String {
    folder.join(format!("{name}.sock")).display().to_string()
}

/// One instance; all share their state.
fn start(folder: &Path, name: &str) -> Child {
    Command::new(binary("portcullis-app"))
        .args(["run", "--threads", "1", "--demo-user", "", "--assertion-key-create"])
        .arg(format!("--listen=unix:{}", socket(folder, name)))
        .arg("--state")
        .arg(folder.join("state"))
        .arg("--assertion-key")
        .arg(folder.join("edge.key"))
        .env_clear()
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(folder.join(format!("{name}.log"))).expect("a log"))
        .kill_on_drop(true)
        .spawn()
        .expect("it starts")
}

async fn signal(child: &Child, name: &str) {
    let id = child.id().expect("it runs").to_string();
    assert!(Command::new("kill").args(["-s", name, &id]).status().await.expect("kill runs").success());
}

/// Waits until the edge hears this endpoint, and that it takes requests.
async fn is_up(admin: &Client, folder: &Path, name: &str) {
    let endpoint = format!("unix:{}", socket(folder, name));
    let sample = |what: &str| format!("portcullis_link_{what}{{upstream=\"app\",endpoint=\"{endpoint}\"}}");
    until(format!("{name} to be up"), async || {
        let metrics = Metrics::parse(admin.get("/metrics").send().await.text());
        metrics.get(&sample("up")) == 1 && metrics.get(&sample("draining")) == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_in_turns_lose_no_request() {
    const PATH: &str = "/.well-known/jwks.json";
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let names = ["one", "two"];
    let mut apps = names.map(|name| start(folder, name));
    let process = Process::start(&config(folder, &names)).await;
    let admin = Client::unix(&process.folder().join("admin.sock"));
    for name in names {
        is_up(&admin, folder, name).await;
    }
    let client = Client::http(process.address("front"));
    let load = Load::new().asking(client.clone(), Habit::Keep, PATH).asking(client.clone(), Habit::Fresh, PATH).asking(
        client.http2(),
        Habit::Keep,
        PATH,
    );
    for number in 0..restarts() {
        let (app, name) = (&mut apps[number % 2], names[number % 2]);
        load.goes_on(20).await;
        signal(app, "TERM").await;
        assert_eq!(within("its end", app.wait()).await.expect("it ends").code(), Some(0));
        load.goes_on(20).await;
        *app = start(folder, name);
        is_up(&admin, folder, name).await;
    }
    println!("{} restarts, {} requests", restarts(), load.answered());
    let failures = load.failures().await;
    assert!(failures.is_empty(), "{failures:?}");
}

/// The process that has taken over ends with this.
struct Successor(String);

impl Drop for Successor {
    fn drop(&mut self) {
        let _ = std::process::Command::new("kill").args(["-s", "KILL", &self.0]).status();
    }
}

/// The app hands over under load; told to stop meanwhile, it does so first.
async fn hands_over(told_to_stop: bool) {
    const PATH: &str = "/.well-known/jwks.json";
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let mut app = start(folder, "one");
    let process = Process::start(&config(folder, &["one"])).await;
    let admin = Client::unix(&process.folder().join("admin.sock"));
    is_up(&admin, folder, "one").await;
    let client = Client::http(process.address("front"));
    let load = Load::new().asking(client.clone(), Habit::Keep, PATH).asking(client, Habit::Fresh, PATH);
    load.goes_on(20).await;
    let log = || std::fs::read_to_string(folder.join("one.log")).expect("a log");
    signal(&app, "USR2").await;
    if told_to_stop {
        until("the new process to be started", async || log().contains("starting the process")).await;
        signal(&app, "TERM").await;
    }
    assert_eq!(within("its end", app.wait()).await.expect("it ends").code(), Some(0));
    let log = log();
    let id = log.split("process=").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("the new process");
    let _successor = Successor(id.to_owned());
    load.goes_on(50).await;
    is_up(&admin, folder, "one").await;
    let failures = load.failures().await;
    assert!(failures.is_empty(), "{failures:?}");
}

/// With one instance there is no other to ask meanwhile, so its socket must never close.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_hands_over_and_loses_no_request() {
    hands_over(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_that_is_told_to_stop_meanwhile_hands_over_first() {
    hands_over(true).await;
}
