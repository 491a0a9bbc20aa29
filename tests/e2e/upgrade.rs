//! A new process takes the sockets of the old one over while clients ask; one that can't changes nothing.

use portcullis_tests::client::Client;
use portcullis_tests::command::binary;
use portcullis_tests::load::{Habit, Load};
use portcullis_tests::process::Process;
use std::os::unix::fs::symlink;
use tokio::process::Command;

/// `PORTCULLIS_TEST_UPGRADES` says another number.
fn upgrades() -> usize {
    std::env::var("PORTCULLIS_TEST_UPGRADES").ok().and_then(|number| number.parse().ok()).unwrap_or(20)
}

fn config(threads: usize, body: &str) -> String {
    format!(
        r#"
        [server]
        threads = {threads}
        [admin]
        address = "unix:admin.sock"
        [log]
        access = false
        [listener.front]
        address = "127.0.0.1:0"
        h2c = true
        [listener.local]
        address = "unix:local.sock"
        [[route]]
        match = "/**"
        auth = "public"
        respond = {{ body = "{body}" }}
        "#
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upgrades_lose_no_request_whatever_the_number_of_workers() {
    let mut process = Process::start(&config(2, "0")).await;
    let client = Client::http(process.address("front"));
    let local = Client::unix(&process.folder().join("local.sock"));
    let load = Load::new()
        .and(client.clone(), Habit::Keep)
        .and(client.clone(), Habit::Fresh)
        .and(client.clone().http2(), Habit::Keep)
        .and(local, Habit::Fresh);
    load.goes_on(10).await;
    for number in 1..=upgrades() {
        // Fewer and more than there are sockets.
        process.configure(&config([1, 3, 2][number % 3], &number.to_string()));
        process.upgrade().await;
        load.goes_on(50).await;
        assert_eq!(client.get("/").send().await.text(), number.to_string(), "only the new process accepts");
    }
    println!("{} upgrades, {} requests", upgrades(), load.answered());
    let failures = load.failures().await;
    assert!(failures.is_empty(), "{failures:?}");
    assert_eq!(process.first_ended().await.code(), Some(0), "nothing was cut");
}

/// As [`config`] has it, from a link in the folder that a deployment would turn to another version.
async fn start_from_link() -> Process {
    Process::start_with(&config(2, "old"), |folder| {
        symlink(binary("portcullis"), folder.join("program")).expect("a link");
        Command::new(folder.join("program"))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_take_over_leaves_the_old_process_as_it_was() {
    let mut process = start_from_link().await;
    let client = Client::http(process.address("front"));
    let load = Load::new().and(client.clone(), Habit::Keep).and(client.clone(), Habit::Fresh);

    // A mistake, which is told. The command reads the file too, so the operator's listener is asked by itself.
    process.configure(&config(2, "new").replace("respond", "respnd"));
    let admin = Client::unix(&process.folder().join("admin.sock"));
    let answer = admin.call("POST", "/upgrade").send().await;
    assert_eq!(answer.status, 500);
    assert!(answer.text().contains("did you mean `respond`?"), "{}", answer.text());

    // An address that is taken.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    process.configure(&config(2, "new").replace("unix:local.sock", &address.to_string()));
    let (code, said) = process.command("upgrade").await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");

    // A program that ends at once, one that is none, and none at all.
    process.configure(&config(2, "new"));
    let program = process.folder().join("program");
    for (text, wanted) in [
        (Some("#!/bin/sh\nexit 7\n"), "exit status: 7"),
        (Some("no program"), "can't be started"),
        (None, "can't be started"),
    ] {
        std::fs::remove_file(&program).expect("the link");
        if let Some(text) = text {
            std::fs::write(&program, text).expect("written");
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&program, mode).expect("a mode");
        } else {
            std::fs::write(process.folder().join("placeholder"), "").expect("written");
        }
        let (code, said) = process.command("upgrade").await;
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(wanted), "{wanted}: {said}");
        assert_eq!(client.get("/").send().await.text(), "old");
    }

    // And then a good one.
    symlink(binary("portcullis"), &program).expect("a link");
    process.upgrade().await;
    load.goes_on(20).await;
    let failures = load.failures().await;
    assert!(failures.is_empty(), "{failures:?}");
    assert_eq!(client.get("/").send().await.text(), "new");
}

#[tokio::test]
async fn sigusr2_hands_over_too() {
    let mut process = Process::start(&config(1, "old")).await;
    let client = Client::unix(&process.folder().join("local.sock"));
    process.configure(&config(1, "new"));
    process.signal("USR2").await;
    let successor = process.says_with("the new process serves", "process=").await;
    process.succeeded_by(&successor);
    assert_eq!(process.first_ended().await.code(), Some(0));
    assert_eq!(client.get("/").send().await.text(), "new");
}

/// Whoever stops a process by its id may not know that it is about to be replaced.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_process_that_is_told_to_stop_meanwhile_hands_over_first() {
    let mut process = Process::start(&config(2, "old")).await;
    let client = Client::http(process.address("front"));
    let load = Load::new().and(client.clone(), Habit::Keep).and(client.clone(), Habit::Fresh);
    load.goes_on(10).await;
    process.configure(&config(2, "new"));
    process.signal("USR2").await;
    process.says("starting the process that is to take over").await;
    process.signal("TERM").await;
    let successor = process.says_with("the new process serves", "process=").await;
    // Again, during its drain.
    process.signal("TERM").await;
    process.succeeded_by(&successor);
    assert_eq!(process.first_ended().await.code(), Some(0), "it has drained");
    load.goes_on(50).await;
    assert_eq!(client.get("/").send().await.text(), "new");
    let failures = load.failures().await;
    assert!(failures.is_empty(), "{failures:?}");
}

/// One that can't take over leaves nobody: the order to stop counts all the same.
#[tokio::test]
async fn an_old_process_whose_successor_fails_stops_when_it_was_told_to() {
    let mut process = Process::start(&config(1, "old")).await;
    process.configure(&config(1, "new").replace("respond", "respnd"));
    process.signal("USR2").await;
    process.says("starting the process that is to take over").await;
    process.signal("TERM").await;
    process.says("no upgrade, this process goes on").await;
    assert_eq!(process.ended().await.code(), Some(0));
}
