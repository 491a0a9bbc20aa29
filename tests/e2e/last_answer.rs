//! The last answer of a connection, which leaves together with the connection's end: whole, and the end in order.

use portcullis_tests::certs::trusting_file_in;
use portcullis_tests::edge::Edge;
use portcullis_tests::origin::{Answering, Origin};
use portcullis_tests::raw::{End, Raw};
use portcullis_tests::site;
use rustls::version::{TLS12, TLS13};
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

/// Around a TLS record, around what is kept of files in memory, and more than a socket takes at once.
const LENGTHS: [usize; 9] = [0, 1, 1024, 16 * 1024 - 300, 16 * 1024, 16 * 1024 + 1, 64 * 1024, 300_000, 6_000_000];

const PATIENCE: Duration = Duration::from_secs(30);

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|index| u8::try_from((index * 31 + index / 251) % 251).expect("small")).collect()
}

/// The application answers as the path says: how it is framed, and how long it is.
fn origin_reply(target: &str) -> Vec<u8> {
    let (framing, length) = target.trim_start_matches("/app/").split_once('/').expect("framing and length");
    let body = content(length.parse().expect("a length"));
    let (field, body) = if framing == "length" {
        (format!("Content-Length: {}\r\n", body.len()), body)
    } else {
        assert_eq!(framing, "chunked");
        let mut chunks = Vec::new();
        for chunk in body.chunks(10_000) {
            chunks.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
            chunks.extend_from_slice(chunk);
            chunks.extend_from_slice(b"\r\n");
        }
        chunks.extend_from_slice(b"0\r\n\r\n");
        ("Transfer-Encoding: chunked\r\n".to_owned(), chunks)
    };
    [format!("HTTP/1.1 200 OK\r\n{field}\r\n").into_bytes(), body].concat()
}

async fn stack() -> (Edge, Answering) {
    let origin = Origin::start().await.answering(|received| origin_reply(received.head.target()));
    let folder = TempDir::new().expect("a folder");
    let root = folder.path().join("site");
    fs::create_dir_all(&root).expect("a folder");
    for length in LENGTHS {
        fs::write(root.join(format!("{length}.bin")), content(length)).expect("a file");
    }
    let application = r#"
        [upstream.app]
        endpoints = ["{app}"]

        [[route]]
        match = "/app/**"
        auth = "public"
        forward = "app"
    "#;
    let application = application.replace("{app}", &origin.endpoint());
    (Edge::start_in(folder, &[site::config("").as_str(), &application].concat()).await, origin)
}

/// Paths, and how long their bodies are.
fn paths() -> impl Iterator<Item = (String, usize)> {
    LENGTHS.into_iter().flat_map(|length| {
        [format!("/{length}.bin"), format!("/app/length/{length}"), format!("/app/chunked/{length}")]
            .map(|path| (path, length))
    })
}

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
}

/// Reads an answer, its whole body and the end of the connection.
async fn expect_whole(client: &mut Raw, path: &str, length: usize) {
    let head = client.read_head().await;
    assert_eq!((head.status(), head.field("connection")), (200, Some("close")), "{path}");
    assert!(client.read_body(&head).await.content == content(length), "{path}");
    let (rest, end) = client.read_to_end(PATIENCE).await;
    assert_eq!((rest.len(), end), (0, End::Closed), "{path}");
}

#[tokio::test]
async fn it_is_whole_and_the_connection_ends_in_order() {
    let (edge, _origin) = stack().await;
    for (path, length) in paths() {
        let mut client = Raw::connect(edge.address("http")).await;
        client.send(request(&path)).await;
        expect_whole(&mut client, &path, length).await;
    }
}

#[tokio::test]
async fn a_tls_session_says_its_end_after_it() {
    let (edge, _origin) = stack().await;
    let certificate = edge.development_certificate("any");
    for version in [&TLS12, &TLS13] {
        let connector = TlsConnector::from(Arc::new(trusting_file_in(&certificate, &[version])));
        for (path, length) in paths() {
            let stream = TcpStream::connect(edge.address("https")).await.expect("connected");
            let name = "localhost".try_into().expect("a name");
            let mut session = connector.connect(name, stream).await.expect("a handshake");
            session.write_all(request(&path).as_bytes()).await.expect("written");
            let mut answer = Vec::new();
            // The end of the transport without that of the session would be an error (RFC 8446 section 6.1).
            session.read_to_end(&mut answer).await.expect("an end in order");
            assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"), "{path}");
            if !path.contains("chunked") {
                assert!(answer.ends_with(&content(length)), "{path}");
            } else {
                assert!(answer.ends_with(b"\r\n0\r\n\r\n"), "{path}");
            }
        }
    }
}

#[tokio::test]
async fn a_client_that_takes_little_at_a_time_gets_it_too() {
    let (edge, _origin) = stack().await;
    for (path, length) in paths() {
        let mut client = narrow(edge.address("http")).await;
        client.send(request(&path)).await;
        expect_whole(&mut client, &path, length).await;
    }
}

/// A connection with as small a buffer as the kernel allows.
async fn narrow(address: SocketAddr) -> Raw {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(1).expect("a size");
    Raw::over(Box::new(socket.connect(address).await.expect("a listener accepts")))
}

#[tokio::test]
async fn a_client_of_http_1_0_need_not_ask_for_the_end() {
    let (edge, _origin) = stack().await;
    for length in LENGTHS {
        let mut client = Raw::connect(edge.address("http")).await;
        client.send(format!("GET /{length}.bin HTTP/1.0\r\nHost: localhost\r\n\r\n")).await;
        expect_whole(&mut client, "HTTP/1.0", length).await;
    }
}

#[tokio::test]
async fn what_stands_behind_the_last_request_does_not_cost_its_answer() {
    let (edge, _origin) = stack().await;
    let secure = edge.https();
    for (path, length) in paths() {
        for mut client in [Raw::connect(edge.address("http")).await, secure.raw().await] {
            client.send(format!("{}{}", request(&path), request("/1.bin").repeat(20))).await;
            expect_whole(&mut client, &path, length).await;
        }
    }
}
