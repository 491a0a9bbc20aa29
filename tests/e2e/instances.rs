//! Two instances of the application on one PostgreSQL database, each with an edge that knows only it: what is decided at
//! one holds at the other's edge.

#[path = "../../app/tests/store/postgres.rs"]
mod postgres;

use portcullis_app::Running;
use portcullis_app::config::DatabaseUrl;
use portcullis_tests::answer::Streaming;
use portcullis_tests::client::Client;
use portcullis_tests::deadline::{until, within};
use portcullis_tests::edge::Edge;
use portcullis_tests::stack::{DEMO, DEMO_PASSWORD, application};
use serde_json::json;
use serve::listener::Address;
use sqlx::{Connection, PgConnection};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// An instance and its edge.
struct Pair {
    edge: Edge,
    _application: Running,
}

/// Both pairs, and what they share.
struct Two {
    here: Pair,
    there: Pair,
    _folder: TempDir,
    database: DatabaseUrl,
    _server: postgres::Server,
}

impl Two {
    /// None where there is no PostgreSQL.
    async fn start() -> Option<Self> {
        let server = postgres::Server::find_or_say()?;
        let database = server.new_database().await;
        let folder = TempDir::new().expect("a folder");
        let here = Pair::start(folder.path(), &database).await;
        let there = Pair::start(folder.path(), &database).await;
        Some(Self { here, there, _folder: folder, database, _server: server })
    }

    fn name_and_url(&self) -> (String, &str) {
        let DatabaseUrl::Postgres(url) = &self.database else { unreachable!("PostgreSQL") };
        let name = url.split('?').next().and_then(|url| url.rsplit('/').next()).expect("a name");
        (name.to_owned(), url)
    }

    /// A connection to the server, beside the database.
    async fn administrator(&self) -> PgConnection {
        let (name, url) = self.name_and_url();
        PgConnection::connect(&url.replace(&format!("/{name}"), "/postgres")).await.expect("the server answers")
    }

    /// How many instances listen.
    async fn listening(&self, administrator: &mut PgConnection) -> i64 {
        let sql =
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'portcullis-app notices' AND datname = $1";
        let count = sqlx::query_scalar(sql).bind(self.name_and_url().0).fetch_one(administrator);
        count.await.expect("a count")
    }

    /// Cuts every connection on which an instance listens, again and again until the guard is dropped.
    async fn deafen(&self) -> Deaf {
        let (name, mut cutting, mut counting) =
            (self.name_and_url().0, self.administrator().await, self.administrator().await);
        let task = tokio::spawn(async move {
            let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE application_name = 'portcullis-app notices' AND datname = $1";
            let mut turns = tokio::time::interval(Duration::from_millis(5));
            while sqlx::query(sql).bind(&name).execute(&mut cutting).await.is_ok() {
                turns.tick().await;
            }
        });
        until("nobody to listen", async || self.listening(&mut counting).await == 0).await;
        Deaf(task)
    }
}

/// Nobody listens as long as it lives.
struct Deaf(JoinHandle<()>);

impl Drop for Deaf {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Pair {
    async fn start(shared: &Path, database: &DatabaseUrl) -> Self {
        let mut config = application(shared);
        config.database = database.clone();
        let started = portcullis_app::start(config).await;
        let application = started.unwrap_or_else(|error| unreachable!("the application starts: {error}"));
        let Address::Tcp(address) = application.address() else { unreachable!("a TCP listener") };
        let config = format!(
            r#"
            [listener.http]
            address = "127.0.0.1:0"

            [upstream.app]
            endpoints = ["{address}"]
            assertion_key = {{ file = "{}" }}
            link = true

            [issuer.app]
            iss = "https://localhost:8443"
            audiences = ["api"]
            algorithms = ["EdDSA"]
            keys = {{ link = "app" }}

            [[route]]
            match = "/api/token/**"
            auth = "public"
            forward = "app"

            [[route]]
            match = "/api/**"
            revocation = "require"
            forward = "app"

            [[route]]
            match = "/**"
            revocation = "require"
            respond = {{ body = "in" }}
            "#,
            shared.join("assertion.key").display()
        );
        let edge = Edge::start(&config).await;
        edge.ready().await;
        Self { edge, _application: application }
    }

    fn client(&self) -> Client {
        self.edge.http()
    }

    /// What this edge itself says of a token: "in", or the code of its refusal.
    async fn verdict(&self, access: &str) -> String {
        let answer = self.client().get("/x").bearer(access).send().await;
        if answer.status == 200 { answer.text().to_owned() } else { answer.edge_code() }
    }

    async fn sign_in(&self) -> (String, String) {
        let body = json!({ "username": DEMO, "password": DEMO_PASSWORD });
        let pair = self.client().post("/api/token/").json(&body).send().await.expect_status(200).json();
        let text = |name: &str| pair[name].as_str().expect("a token").to_owned();
        (text("access"), text("refresh"))
    }

    async fn sign_out(&self, refresh: &str) {
        let out = self.client().post("/api/token/blacklist/").json(&json!({ "refresh": refresh }));
        let _ = out.send().await.expect_status(200);
    }

    /// Live changes; `seen` is the number of the last one that the window knows.
    async fn events(&self, access: &str, seen: Option<&str>) -> Streaming {
        let call = self.client().get("/api/events/").bearer(access);
        let call = seen.iter().fold(call, |call, seen| call.header("Last-Event-ID", seen));
        let events = call.open().await;
        assert_eq!(events.status(), 200);
        events
    }

    /// A new note; its id.
    async fn note(&self, access: &str, title: &str) -> String {
        let made = self.client().post("/api/notes/").bearer(access).json(&json!({ "title": title })).send().await;
        made.expect_status(201).json()["id"].as_str().expect("an id").to_owned()
    }
}

/// Reads until this is told. Heartbeats would let a stream that never tells it go on for minutes.
async fn told(events: &mut Streaming, text: &str) -> String {
    within(text, events.read_until(text)).await
}

/// The number of the event about this note.
async fn number_of(events: &mut Streaming, note: &str) -> String {
    let read = told(events, &format!("\"note_id\":\"{note}\"")).await;
    let number = read.rsplit("id: ").next().and_then(|rest| rest.lines().next());
    number.expect("a number").to_owned()
}

#[tokio::test]
async fn a_log_out_at_one_instance_ends_the_session_at_the_edge_of_the_other() {
    let Some(two) = Two::start().await else { return };
    let (access, refresh) = two.here.sign_in().await;
    let (sibling, _) = two.here.sign_in().await;
    for token in [&access, &sibling] {
        assert_eq!(two.there.verdict(token).await, "in");
    }
    let mut events = two.there.events(&access, None).await;
    let mut of_sibling = two.there.events(&sibling, None).await;
    for stream in [&mut events, &mut of_sibling] {
        told(stream, ": listening").await;
    }
    two.here.sign_out(&refresh).await;
    until("the other edge to refuse", async || two.there.verdict(&access).await == "token_revoked").await;
    let rest = events.collect().await.expect("the stream ends whole");
    assert!(!rest.text().contains("event: "), "{}", rest.text());
    assert_eq!(two.there.verdict(&sibling).await, "in");
    let note = two.here.note(&sibling, "still told").await;
    number_of(&mut of_sibling, &note).await;
}

#[tokio::test]
async fn a_note_that_is_written_at_one_instance_is_told_at_the_other() {
    let Some(two) = Two::start().await else { return };
    let (access, _) = two.here.sign_in().await;
    let (mut here, mut there) = (two.here.events(&access, None).await, two.there.events(&access, None).await);
    for stream in [&mut here, &mut there] {
        told(stream, ": listening").await;
    }
    let first = two.here.note(&access, "first").await;
    let number = number_of(&mut there, &first).await;
    assert_eq!(number_of(&mut here, &first).await, number);
    // The window moves from one instance to the other, as when one is restarted, and misses nothing.
    drop(there);
    let second = two.there.note(&access, "second").await;
    number_of(&mut here, &second).await;
    let mut moved = two.here.events(&access, Some(&number)).await;
    let missed = told(&mut moved, ": listening").await;
    assert!(missed.contains(&second) && !missed.contains(&first) && !missed.contains("resync"), "{missed}");
}

#[tokio::test]
async fn what_happens_while_nobody_listens_is_not_lost() {
    let Some(two) = Two::start().await else { return };
    let mut administrator = two.administrator().await;
    let (access, refresh) = two.here.sign_in().await;
    let (sibling, _) = two.here.sign_in().await;
    let (ended, mut window) = (two.there.events(&access, None).await, two.there.events(&sibling, None).await);
    told(&mut window, ": listening").await;
    let deaf = two.deafen().await;
    two.here.sign_out(&refresh).await;
    two.here.note(&sibling, "unheard").await;
    // Links look by themselves meanwhile.
    until("the other edge to refuse", async || two.there.verdict(&access).await == "token_revoked").await;
    drop(deaf);
    told(&mut window, "event: resync").await;
    ended.collect().await.expect("the stream of the session that has ended ends");
    until("both to listen again", async || two.listening(&mut administrator).await == 2).await;
    let heard = two.here.note(&sibling, "heard").await;
    number_of(&mut window, &heard).await;
}
