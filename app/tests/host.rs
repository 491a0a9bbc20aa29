//! The host with another callable than this application's: five lines that know nothing of it, and it of them.

#![expect(clippy::panic, reason = "the hosted callable panics when a test asks for it")]

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use portcullis_app::host::{self, Drained, Host, HostConfig};
use serve::Body;
use serve::listener::Address;
use serve::probe;
use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Semaphore, mpsc};

/// What tests and the callable of `/held` say to each other: it reports that it was called and waits for its release.
#[derive(Clone)]
struct Gate {
    called: mpsc::UnboundedSender<()>,
    release: Arc<Semaphore>,
}

/// A host of a callable, and the test's end of its gate.
struct Hosted {
    host: Host,
    address: Address,
    called: mpsc::UnboundedReceiver<()>,
    release: Arc<Semaphore>,
}

async fn callable(request: Request<Body>, gate: Gate) -> Result<Response<Full<Bytes>>, Infallible> {
    match request.uri().path() {
        "/panic" => panic!("as asked"),
        "/never" => std::future::pending().await,
        "/held" => {
            let _ = gate.called.send(());
            let _ = gate.release.acquire().await;
        }
        _ => {}
    }
    Ok(Response::new(Full::from(request.headers()["x-request-id"].as_bytes().to_vec())))
}

async fn hosted(change: impl FnOnce(&mut HostConfig)) -> Hosted {
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
    let gate = Gate { called: sender, release: Arc::clone(&release) };
    let make = move || {
        let gate = gate.clone();
        tower::service_fn(move |request| callable(request, gate.clone()))
    };
    let host = host::start(&config, make).await.expect("a host");
    let address = host.address().clone();
    Hosted { host, address, called, release }
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
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("a connection");
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
