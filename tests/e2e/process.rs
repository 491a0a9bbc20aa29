//! The real binary as init systems treat it: SIGHUP, SIGTERM, exit codes, its own health check.

use portcullis_tests::client::Client;
use portcullis_tests::command::binary;
use portcullis_tests::process::Process;
use tokio::process::Command;

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

async fn start() -> Process {
    Process::start(CONFIG).await
}

async fn answer(process: &Process) -> String {
    let client = Client::unix(&process.folder().join("front.sock"));
    client.get("/").send().await.expect_status(200).text().to_owned()
}

#[tokio::test]
async fn sighup_takes_a_good_file_and_leaves_a_bad_one() {
    let mut process = start().await;
    assert_eq!(answer(&process).await, "BODY");
    process.configure(&CONFIG.replace("BODY", "second"));
    process.signal("HUP").await;
    process.says("configuration reloaded").await;
    assert_eq!(answer(&process).await, "second");
    process.configure(&CONFIG.replace("respond", "respnd"));
    process.signal("HUP").await;
    process.says("configuration not reloaded").await;
    assert_eq!(answer(&process).await, "second");
}

#[tokio::test]
async fn sigterm_drains_and_ends_with_zero() {
    let mut process = start().await;
    assert_eq!(answer(&process).await, "BODY");
    process.signal("TERM").await;
    assert_eq!(process.ended().await.code(), Some(0));
}

#[tokio::test]
async fn the_health_check_tells_a_running_proxy_from_none() {
    let mut process = start().await;
    let check = || Command::new(binary("portcullis")).arg("healthcheck").current_dir(process.folder()).output();
    assert_eq!(check().await.expect("it runs").status.code(), Some(0));
    process.signal("TERM").await;
    let folder = process.folder().to_owned();
    let _ = process.ended().await;
    let check = Command::new(binary("portcullis")).arg("healthcheck").current_dir(folder).output().await;
    let output = check.expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("does not answer"));
}
