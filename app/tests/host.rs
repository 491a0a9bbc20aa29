//! The host with another callable than this application's: five lines that know nothing of it, and it of them.

#![expect(clippy::panic, reason = "the hosted callable panics when a test asks for it")]

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use portcullis_app::host::{self, Drained, Host, HostConfig};
use serve::Body;
use serve::listener::Address;
use serve::probe;
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;
use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};

/// What tests and the callable of `/held` say to each other: it reports that it was called and waits for its release.
#[derive(Clone)]
struct Gate {
    called: mpsc::UnboundedSender<()>,
    release: Arc<Semaphore>,
    /// Told when a call of `/watched` ends, whether it was answered or dropped.
    ended: mpsc::UnboundedSender<()>,
    database: Option<SqlitePool>,
}

/// Tells of its own end.
struct Ending(mpsc::UnboundedSender<()>);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

/// A host of a callable, and the test's end of its gate.
struct Hosted {
    host: Host,
    address: Address,
    called: mpsc::UnboundedReceiver<()>,
    release: Arc<Semaphore>,
    ended: mpsc::UnboundedReceiver<()>,
}

/// Writes a row, waits, and only then commits.
async fn half_done(gate: &Gate) -> Result<(), sqlx::Error> {
    let Some(database) = &gate.database else { return Ok(()) };
    let _ending = Ending(gate.ended.clone());
    let mut transaction = database.begin().await?;
    sqlx::query("INSERT INTO done (what) VALUES ('half')").execute(&mut *transaction).await?;
    let _ = gate.called.send(());
    let _ = gate.release.acquire().await;
    transaction.commit().await
}

async fn callable(request: Request<Body>, gate: Gate) -> Result<Response<Full<Bytes>>, Infallible> {
    match request.uri().path() {
        "/panic" => panic!("as asked"),
        "/never" => std::future::pending().await,
        "/held" => {
            let _ = gate.called.send(());
            let _ = gate.release.acquire().await;
        }
        "/watched" => {
            let _ending = Ending(gate.ended.clone());
            let _ = gate.called.send(());
            let _ = gate.release.acquire().await;
        }
        "/transaction" => half_done(&gate).await.expect("a database"),
        _ => {}
    }
    Ok(Response::new(Full::from(request.headers()["x-request-id"].as_bytes().to_vec())))
}

async fn hosted(change: impl FnOnce(&mut HostConfig)) -> Hosted {
    hosted_with(None, change).await
}

async fn hosted_with(database: Option<SqlitePool>, change: impl FnOnce(&mut HostConfig)) -> Hosted {
    let mut config = HostConfig {
        listen: "127.0.0.1:0".parse().expect("an address"),
        threads: NonZeroUsize::MIN.saturating_add(1),
        request_timeout: Duration::from_secs(30),
        drain_timeout: Duration::from_secs(30),
        in_flight_max: 10,
        connections_max: 100,
        access_log: None,
    };
    change(&mut config);
    let (sender, called) = mpsc::unbounded_channel();
    let release = Arc::new(Semaphore::new(0));
    let (end_sender, ended) = mpsc::unbounded_channel();
    let gate = Gate { called: sender, release: Arc::clone(&release), ended: end_sender, database };
    let make = move || {
        let gate = gate.clone();
        tower::service_fn(move |request| callable(request, gate.clone()))
    };
    let host = host::start(&config, make).await.expect("a host");
    let address = host.address().clone();
    Hosted { host, address, called, release, ended }
}

async fn get(address: &Address, path: &str) -> (StatusCode, String) {
    probe::get(address, path).await.expect("an answer")
}

fn code(body: &str) -> String {
    let problem: serve::contract::problem::Problem = serde_json::from_str(body).expect("a problem");
    assert_eq!(problem.source, serve::contract::problem::Source::App);
    assert!(!problem.request_id.is_empty());
    problem.code
}

#[tokio::test]
async fn any_callable_is_hosted_over_tcp_and_unix() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("app.sock");
    for listen in [Address::Unix(socket.clone()), "[::1]:0".parse().expect("an address")] {
        let hosted = hosted(|config| config.listen = listen).await;
        assert_eq!(get(&hosted.address, "/").await.0, StatusCode::OK);
        assert_eq!(get(&hosted.address, "/livez").await, (StatusCode::OK, "ok\n".to_owned()));
        assert_eq!(get(&hosted.address, "/readyz").await, (StatusCode::OK, "ready\n".to_owned()));
        hosted.host.readiness().set(false);
        assert_eq!(get(&hosted.address, "/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(hosted.host.drain().await, Drained::default());
        assert!(probe::get(&hosted.address, "/livez").await.is_err(), "nobody listens after the drain");
    }
    assert!(!socket.exists(), "the socket's file went with the host");
}

#[tokio::test]
async fn a_request_keeps_its_id_or_gets_one() {
    let hosted = hosted(|_| {}).await;
    let Address::Tcp(address) = hosted.address else { panic!("not TCP") };
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let head = "GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: from-the-edge\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.contains("\r\nx-request-id: from-the-edge\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nfrom-the-edge"), "the callable sees it too: {answer}");
    assert_eq!(get(&hosted.address, "/").await.1.len(), 32, "a new id");
}

#[tokio::test]
async fn a_panic_is_one_requests_500() {
    let hosted = hosted(|_| {}).await;
    for _ in 0..3 {
        let (status, body) = get(&hosted.address, "/panic").await;
        assert_eq!((status, code(&body).as_str()), (StatusCode::INTERNAL_SERVER_ERROR, "internal"));
        assert_eq!(get(&hosted.address, "/").await.0, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_callable_that_never_answers_is_cut_off() {
    let hosted = hosted(|config| config.request_timeout = Duration::from_millis(50)).await;
    let (status, body) = get(&hosted.address, "/never").await;
    assert_eq!((status, code(&body).as_str()), (StatusCode::SERVICE_UNAVAILABLE, "timeout"));
}

/// Sends a GET with these fields and returns the open connection.
async fn ask(address: &Address, path: &str, fields: &str) -> TcpStream {
    let Address::Tcp(address) = address else { panic!("not TCP") };
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\n{fields}Connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("written");
    stream
}

async fn read(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}

#[tokio::test]
async fn work_ends_when_the_time_that_the_edge_gave_is_spent() {
    let mut hosted = hosted(|_| {}).await;
    let answer = read(ask(&hosted.address, "/watched", "X-Request-Timeout: 100\r\n").await).await;
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
    assert_eq!(code(answer.split("\r\n\r\n").nth(1).expect("a body")), "deadline_exceeded");
    hosted.ended.recv().await.expect("the call was dropped");
    let answer = read(ask(&hosted.address, "/", "X-Request-Timeout: 60000\r\n").await).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let answer = read(ask(&hosted.address, "/", "X-Request-Timeout: soon\r\n").await).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "what can't be understood is no limit: {answer}");
}

#[tokio::test]
async fn work_ends_when_its_client_has_gone() {
    let mut hosted = hosted(|config| config.in_flight_max = 1).await;
    let stream = ask(&hosted.address, "/watched", "").await;
    hosted.called.recv().await.expect("called");
    drop(stream);
    hosted.ended.recv().await.expect("the call was dropped");
    while get(&hosted.address, "/").await.0 != StatusCode::OK {}
}

/// A call is dropped where it waits, and with it its transaction: nothing of it is there afterwards, and nothing is locked.
#[tokio::test]
async fn a_call_that_is_given_up_leaves_no_half_of_its_work() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = SqliteConnectOptions::new().filename(folder.path().join("db")).create_if_missing(true);
    let database = SqlitePool::connect_with(options).await.expect("a database");
    sqlx::query("CREATE TABLE done (what TEXT NOT NULL)").execute(&database).await.expect("a table");
    let mut hosted = hosted_with(Some(database.clone()), |_| {}).await;
    let deadline = ask(&hosted.address, "/transaction", "X-Request-Timeout: 200\r\n").await;
    hosted.called.recv().await.expect("it has written");
    let answer = read(deadline).await;
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
    let gone = ask(&hosted.address, "/transaction", "").await;
    hosted.called.recv().await.expect("it has written, so the lock was free");
    drop(gone);
    for _ in 0..2 {
        hosted.ended.recv().await.expect("the call was dropped");
    }
    hosted.release.add_permits(1);
    let finished = ask(&hosted.address, "/transaction", "").await;
    let answer = read(finished).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM done").fetch_one(&database).await.expect("a number");
    assert_eq!(rows, 1, "only the one that was let finish");
}

#[tokio::test]
async fn too_many_at_once_are_told_to_come_back() {
    let mut hosted = hosted(|config| config.in_flight_max = 1).await;
    let address = hosted.address.clone();
    let held = tokio::spawn(async move { get(&address, "/held").await });
    hosted.called.recv().await.expect("called");
    let (status, body) = get(&hosted.address, "/").await;
    assert_eq!((status, code(&body).as_str()), (StatusCode::SERVICE_UNAVAILABLE, "overloaded"));
    assert_eq!(get(&hosted.address, "/readyz").await.0, StatusCode::OK, "probes are answered all the same");
    hosted.release.add_permits(1);
    assert_eq!(held.await.expect("joined").0, StatusCode::OK);
    assert_eq!(get(&hosted.address, "/").await.0, StatusCode::OK, "its place is free again");
}

#[tokio::test]
async fn a_drain_lets_a_request_finish() {
    let mut hosted = hosted(|_| {}).await;
    let address = hosted.address.clone();
    let held = tokio::spawn(async move { get(&address, "/held").await });
    hosted.called.recv().await.expect("called");
    let readiness = hosted.host.readiness().clone();
    let drain = tokio::spawn(hosted.host.drain());
    while readiness.is_ready() {
        tokio::task::yield_now().await;
    }
    hosted.release.add_permits(1);
    assert_eq!(held.await.expect("joined").0, StatusCode::OK);
    assert_eq!(drain.await.expect("joined"), Drained::default());
}

#[tokio::test]
async fn a_drain_ends_at_its_deadline_and_counts_what_it_cut() {
    let mut hosted = hosted(|config| config.drain_timeout = Duration::from_millis(20)).await;
    let address = hosted.address.clone();
    let held = tokio::spawn(async move { probe::get(&address, "/held").await });
    hosted.called.recv().await.expect("called");
    let drained = hosted.host.drain().await;
    assert_eq!((drained.cut, drained.work.requests), (1, 1));
    assert!(held.await.expect("joined").is_err());
}
