//! `portcullis drill` with the real binaries: what a fault costs is counted, and what it does is undone.

mod events;
mod reloads;
mod rig;
mod sessions;
mod sockets;
mod tls;

use portcullis_tests::deadline::until;
use rig::{Program, drill, edge, fault, free_address, origin, plan, start};
use serde_json::Value;
use std::fs;
use tokio::process::Command;

#[tokio::test]
async fn the_only_endpoint_killed_is_reported_as_loss() {
    let app = Program::start().await;
    app.answers().await;
    let edge = edge(&[app.address.to_string()]).await;
    let script = app.script();
    let folder = plan(
        edge.address("http"),
        &format!(
            r#"
[[fault]]
name = "kill"
run = ["sh", "{script}", "stop"]
undo = ["sh", "{script}", "start"]
hold = "500ms"
settle = "500ms"
"#
        ),
    );
    let (code, report, said) = drill(folder.path()).await;
    assert_eq!(code, Some(3), "{report:#}\n{said}");
    let kill = fault(&report, "kill");
    assert!(kill["lost"].as_u64() > Some(10), "{report:#}");
    assert_eq!(kill["verdict"], "LOST");
    let causes = kill["causes"].as_array().expect("causes");
    let told = |cause: &Value| cause["cause"].as_str().is_some_and(|cause| cause.starts_with("status 50"));
    assert!(causes.iter().any(told), "the edge's own code: {causes:#?}");
    assert!(causes.iter().all(|cause| !cause["request_ids"].as_array().expect("ids").is_empty()), "{causes:#?}");
    assert_eq!(fault(&report, "no fault")["lost"], 0, "{report:#}");
    // Undone: it answers again.
    app.answers().await;
}

#[tokio::test]
async fn nothing_lost_is_exit_code_0() {
    let (one, other) = (origin().await, origin().await);
    let edge = edge(&[one.endpoint(), other.endpoint()]).await;
    let folder = plan(
        edge.address("http"),
        r#"
[[fault]]
name = "half-closed clients"
kind = "half-closed-clients"
hold = "300ms"
settle = "200ms"

[[fault]]
name = "stalled clients"
kind = "stalled-clients"
sockets = 10
hold = "300ms"
settle = "200ms"
"#,
    );
    let (code, report, said) = drill(folder.path()).await;
    assert_eq!(code, Some(0), "{report:#}\n{said}");
    for name in ["no fault", "half-closed clients", "stalled clients"] {
        let fault = fault(&report, name);
        assert!(fault["sent"].as_u64() > Some(10), "{report:#}");
        assert_eq!((&fault["lost"], &fault["verdict"]), (&0.into(), &"ok".into()), "{report:#}");
    }
    let versions = one.received().len() + other.received().len();
    assert!(versions > 30, "{versions} requests went through both connections");
}

#[tokio::test]
async fn a_relay_that_resets_is_a_loss_and_one_that_is_slow_is_none() {
    let app = origin().await;
    let between = free_address().await;
    let edge = edge(&[between.to_string()]).await;
    let folder = plan(
        edge.address("http"),
        &format!(
            r#"
[relay.app]
listen = "{between}"
to = "{}"

[[fault]]
name = "slow"
kind = "slow"
relay = "app"
delay = "100ms"
hold = "500ms"
settle = "300ms"

[[fault]]
name = "reset"
kind = "reset"
relay = "app"
hold = "500ms"
settle = "500ms"

[[fault]]
name = "stall"
kind = "stall"
relay = "app"
hold = "500ms"
settle = "500ms"
"#,
            app.endpoint()
        ),
    );
    let (code, report, said) = drill(folder.path()).await;
    assert_eq!(code, Some(3), "{report:#}\n{said}");
    let slow = fault(&report, "slow");
    assert_eq!(slow["lost"], 0, "{report:#}");
    assert!(slow["latency_ms"]["worst"].as_f64() > Some(100.0), "{report:#}");
    assert!(fault(&report, "reset")["lost"].as_u64() > Some(5), "{report:#}");
    // What stood still comes when the relay goes on.
    let stall = fault(&report, "stall");
    assert_eq!(stall["lost"], 0, "{report:#}");
    assert!(stall["latency_ms"]["worst"].as_f64() > Some(300.0), "{report:#}");
}

#[tokio::test]
async fn an_interrupted_drill_undoes_its_fault() {
    let app = origin().await;
    let edge = edge(&[app.endpoint()]).await;
    let folder = plan(
        edge.address("http"),
        r#"
[[fault]]
name = "long"
run = ["touch", "begun"]
undo = ["touch", "undone"]
hold = "10m"
"#,
    );
    let drill = start(folder.path(), &["--json"]);
    let exists = |name: &str| folder.path().join(name).exists();
    until("the fault", async || exists("begun")).await;
    let id = drill.id().expect("it runs").to_string();
    let sent = Command::new("kill").args(["-s", "INT", &id]).status().await.expect("kill runs");
    assert!(sent.success());
    let output = drill.wait_with_output().await.expect("it ends");
    assert_eq!(output.status.code(), Some(1));
    assert!(exists("undone"));
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report all the same");
    assert_eq!(report["interrupted"], true);
}

#[tokio::test]
async fn a_replaced_file_comes_back_and_a_command_that_fails_is_told() {
    let app = origin().await;
    let edge = edge(&[app.endpoint()]).await;
    let folder = plan(
        edge.address("http"),
        r#"
[[fault]]
name = "bad file"
kind = "configuration"
file = "current"
with = "bad"
reload = ["sh", "-c", "cp current seen; grep -q good current"]
refused = true
hold = "100ms"
settle = "100ms"

[[fault]]
name = "no such state"
run = ["sh", "-c", "echo broken >&2; exit 7"]
undo = ["touch", "undone"]
hold = "100ms"
settle = "100ms"
"#,
    );
    let file = |name: &str| folder.path().join(name);
    fs::write(file("current"), "good").expect("written");
    fs::write(file("bad"), "bad").expect("written");
    let (code, report, said) = drill(folder.path()).await;
    assert_eq!(code, Some(1), "{report:#}\n{said}");
    assert_eq!(fault(&report, "bad file")["failed"], Value::Null, "{report:#}");
    let failed = fault(&report, "no such state")["failed"].as_str().expect("a reason").to_owned();
    assert!(failed.contains("broken") && failed.contains('7'), "{failed}");
    assert!(file("undone").exists(), "undone although it failed");
    assert_eq!(fs::read_to_string(file("current")).expect("text"), "good");
    assert_eq!(fs::read_to_string(file("seen")).expect("text"), "good", "the last reload saw it back");
    assert!(!file("current.before-drill").exists());
}

#[tokio::test]
async fn nothing_is_done_before_all_is_checked() {
    let app = origin().await;
    let edge = edge(&[app.endpoint()]).await;
    let touch = "[[fault]]\nname = \"a\"\nrun = [\"touch\", \"begun\"]\n";
    let cases = [
        ("mistake", touch.replace("run =", "rn ="), &[][..], 2, "drill.toml:"),
        ("foreign host", touch.to_owned(), &[][..], 1, "--host"),
        ("dry run", touch.to_owned(), &["--dry-run"][..], 0, ""),
        ("not answered", format!("[[request]]\npath = \"/\"\nstatus = [418]\n{touch}"), &[][..], 1, "before any fault"),
        ("no such fault", touch.to_owned(), &["--only", "b"][..], 2, "the plan has a"),
    ];
    for (name, faults, arguments, code, said) in cases {
        let folder = plan(edge.address("http"), &faults);
        if name == "foreign host" {
            let file = folder.path().join("drill.toml");
            let text = fs::read_to_string(&file).expect("text");
            let text = text.replace(&edge.address("http").to_string(), "example.com");
            fs::write(&file, text).expect("written");
        }
        let output = start(folder.path(), arguments).wait_with_output().await.expect("it ends");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{name}: {errors}");
        assert!(errors.contains(said), "{name}: {said:?} in {errors}");
        assert!(!folder.path().join("begun").exists(), "{name}");
    }
}
