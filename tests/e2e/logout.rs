//! A log-out takes effect at the edge: how soon, and across the death of the application.

use portcullis_app::domain::session::SignIn;
use portcullis_app::store::{AccountStore, SessionStore};
use portcullis_tests::client::Client;
use portcullis_tests::command::binary;
use portcullis_tests::deadline::within;
use portcullis_tests::edge::Edge;
use portcullis_tests::stack::Stack;
use serde_json::json;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use uuid::Uuid;

const COUNT: usize = 1000;

/// From the application's answer to a log-out until the edge itself refuses the access token, which was used before
/// and so lies in the edge's cache.
#[tokio::test]
async fn a_thousand_log_outs_take_effect_at_the_edge_within_a_second() {
    let stack = Stack::start().await;
    let _ = stack.register("ann").await;
    let database = stack.database().await;
    let tokens = stack.tokens(&database).await;
    let ann = database.user_named("ann").await.expect("a look").expect("ann");
    // Sign-ins cost a password hash each; sessions are what is needed.
    let mut sessions = Vec::with_capacity(COUNT);
    for _ in 0..COUNT {
        let (session, now) = (Uuid::new_v4(), jiff::Timestamp::now());
        let refresh = tokens.new_refresh(now);
        let sign_in = SignIn {
            session,
            user: ann.id,
            epoch: 0,
            first: refresh,
            user_agent: String::new(),
            address: String::new(),
            noted: false,
            sessions_max: u32::MAX,
        };
        assert_eq!(database.open_session(&sign_in, now).await.expect("an answer"), Some(0));
        let signed = tokens.sign_refresh(&ann, session, &refresh).expect("signed");
        sessions.push((signed, tokens.sign_access(&ann, session, now).expect("signed")));
    }
    database.close().await;
    let client = stack.client();
    let mut connection = client.connect().await;
    let mut took = Vec::with_capacity(COUNT);
    for (refresh, access) in &sessions {
        let me = client.get("/api/me/").bearer(access).send_on(&mut connection).await;
        let _ = me.expect_status(200);
        let out = client.post("/api/token/blacklist/").json(&json!({ "refresh": refresh }));
        let _ = out.send_on(&mut connection).await.expect_status(200);
        let since = Instant::now();
        within("the edge to refuse", async {
            loop {
                let answer = client.get("/api/me/").bearer(access).send_on(&mut connection).await.expect_status(401);
                // Meanwhile the application refuses by itself.
                if answer.json()["source"] == "edge" {
                    assert_eq!(answer.edge_code(), "token_revoked");
                    break;
                }
            }
        })
        .await;
        took.push(since.elapsed());
    }
    took.sort();
    let at = |share: usize| took[COUNT * share / 1000 - 1];
    println!("log-out to refusal, {COUNT} times: p50 {:?}, p99 {:?}, max {:?}", at(500), at(990), at(1000));
    assert!(at(990) < Duration::from_secs(1), "p99 {:?}", at(990));
    let metrics = stack.edge.metrics().await;
    assert_eq!(metrics.get("portcullis_link_revocations{upstream=\"app\"}"), COUNT as u64);
}

/// Starts the application's binary on a Unix socket and waits until it listens.
async fn application(folder: &Path) -> Child {
    let mut child = Command::new(binary("portcullis-app"))
        .args(["run", "--assertion-key-create", "--threads", "1", "--demo-user", "demo", "--demo-password", PASSWORD])
        .arg("--state")
        .arg(folder.join("app"))
        .arg(format!("--listen=unix:{}", folder.join("app.sock").display()))
        .env_clear()
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    let mut said = BufReader::new(child.stderr.take().expect("its standard error")).lines();
    within("the application to listen", async {
        while !said.next_line().await.expect("text").expect("it runs on").contains("listening") {}
    })
    .await;
    tokio::spawn(async move { while let Ok(Some(_)) = said.next_line().await {} });
    child
}

const PASSWORD: &str = "correct horse battery";

async fn sign_in(client: &Client) -> (String, String) {
    let body = json!({ "username": "demo", "password": PASSWORD });
    let pair = client.post("/api/token/").json(&body).send().await.expect_status(200).json();
    let text = |name: &str| pair[name].as_str().expect("a token").to_owned();
    (text("refresh"), text("access"))
}

/// The application is killed right after it has acknowledged a log-out, told or not. When it is back, the edge refuses.
#[tokio::test]
async fn an_acknowledged_log_out_survives_sigkill() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().to_owned();
    let mut child = application(&path).await;
    let config = r#"
        [listener.http]
        address = "127.0.0.1:0"

        [upstream.app]
        endpoints = ["unix:{folder}/app.sock"]
        assertion_key = { file = "{folder}/app/edge.key" }
        link = true

        [issuer.app]
        iss = "https://localhost:8443"
        audiences = ["api"]
        algorithms = ["EdDSA"]
        keys = { link = "app" }

        [[route]]
        match = "/api/token/**"
        auth = "public"
        forward = "app"

        [[route]]
        match = "/**"
        revocation = "require"
        respond = { body = "in" }
    "#;
    let edge = Edge::start_in(folder, config).await;
    edge.ready().await;
    let client = edge.http();
    for _ in 0..5 {
        let (refresh, access) = sign_in(&client).await;
        let _ = client.get("/x").bearer(&access).send().await.expect_status(200);
        let out = client.post("/api/token/blacklist/").json(&json!({ "refresh": refresh }));
        let _ = out.send().await.expect_status(200);
        child.kill().await.expect("killed");
        child = application(&path).await;
        within("the edge to refuse", async {
            loop {
                let answer = client.get("/x").bearer(&access).send().await;
                if answer.status != 200 && answer.edge_code() == "token_revoked" {
                    break;
                }
            }
        })
        .await;
    }
    edge.counted("portcullis_link_revocations{upstream=\"app\"}", 5).await;
}
