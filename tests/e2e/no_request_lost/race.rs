//! The keep-alive race: an upstream that closes after every few answers, at the moment at which the next request comes.

use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::raw::Raw;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Answers on one connection, before it is closed.
const ANSWERS: usize = 3;

/// Enough that somebody always has a request on its way.
const CLIENTS: usize = 8;

/// How often each path was answered.
type Answered = Arc<Mutex<HashMap<String, usize>>>;

/// Reads a request or an answer to its end: its head in small letters. `None` at the end of the stream.
async fn read_message(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            let whole = end + 4 + length.unwrap_or(0);
            if buffer.len() >= whole {
                buffer.drain(..whole);
                return Some(head);
            }
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

/// One connection. Odd ones close right behind their last answer, so that the next request crosses the end; even ones
/// wait for the next request and reset the connection without having looked at it.
async fn serve(mut stream: TcpStream, number: u64, answered: Answered) {
    let mut buffer = Vec::new();
    for _ in 0..ANSWERS {
        let Some(head) = read_message(&mut stream, &mut buffer).await else { return };
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        *answered.lock().unwrap_or_else(PoisonError::into_inner).entry(path).or_default() += 1;
        if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.is_err() {
            return;
        }
    }
    if number.is_multiple_of(2) {
        let _ = stream.readable().await;
        Raw::over(Box::new(stream)).reset();
    }
}

/// A request and the status that answered it. Each path is another one.
#[derive(Debug)]
struct Sent {
    method: &'static str,
    path: String,
    status: String,
}

/// Asks one thing after the other, by hand: a whole client would cost more than what is tested.
async fn ask(edge: SocketAddr, client: usize, requests: usize) -> Vec<Sent> {
    const METHODS: [&str; 4] = ["GET", "PUT", "GET", "POST"];
    let mut stream = None;
    let mut sent = Vec::with_capacity(requests);
    for number in 0..requests {
        let (method, path) = (METHODS[number % METHODS.len()], format!("/{client}-{number}"));
        let body = if method == "GET" { "" } else { "some content" };
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let request = format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{length}\r\n{body}");
        let mut open = match stream.take() {
            Some(open) => open,
            None => TcpStream::connect(edge).await.expect("the edge accepts"),
        };
        open.write_all(request.as_bytes()).await.expect("the edge reads");
        let head = read_message(&mut open, &mut Vec::new()).await.expect("an answer");
        if !head.contains("connection: close") {
            stream = Some(open);
        }
        sent.push(Sent { method, path, status: head.split(' ').nth(1).unwrap_or_default().to_owned() });
    }
    sent
}

/// `PORTCULLIS_TEST_RACES` says another number.
fn requests() -> usize {
    std::env::var("PORTCULLIS_TEST_RACES").ok().and_then(|number| number.parse().ok()).unwrap_or(100_000)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_that_closes_at_the_worst_moment_costs_no_request() {
    let requests = requests();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let answered = Answered::default();
    let log = Arc::clone(&answered);
    let accepting = tokio::spawn(async move {
        for number in 0.. {
            let Ok((stream, _)) = listener.accept().await else { return };
            let _ = stream.set_nodelay(true);
            tokio::spawn(serve(stream, number, Arc::clone(&log)));
        }
    });
    // Without `retry`: this much is free.
    let edge = Edge::start(&format!("[log]\naccess = false\n{}", forwarding_to(&address.to_string()))).await;
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(ask(edge.address("http"), client, requests / CLIENTS));
    }
    let sent: Vec<Sent> = clients.join_all().await.into_iter().flatten().collect();
    accepting.abort();
    assert_eq!(sent.len(), requests / CLIENTS * CLIENTS);
    let failed: Vec<&Sent> = sent.iter().filter(|one| one.status != "200").collect();
    let replayable: Vec<_> = failed.iter().filter(|one| one.method != "POST").collect();
    assert!(replayable.is_empty(), "of {}: {:?}", sent.len(), &replayable[..replayable.len().min(5)]);
    let answered = answered.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for one in sent.iter().filter(|one| one.method == "POST") {
        let times = answered.get(&one.path).copied().unwrap_or_default();
        assert!(times <= 1, "{} was done {times} times", one.path);
        assert!(one.status != "200" || times == 1, "{} was answered by nobody", one.path);
    }
    let lost = edge.metrics().await.get("portcullis_upstream_failures_total{upstream=\"app\",reason=\"reset\"}");
    assert!(lost > requests as u64 / 50, "the race was met {lost} times only");
}
