//! The PROXY protocol: a load balancer says who the client is, and the front server says it to an upstream.

use portcullis_tests::certs::Authority;
use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::exchange::ok;
use portcullis_tests::origin::{Answering, Origin};
use portcullis_tests::raw::{Raw, talk};
use serve::listener::Address;
use serve::proxy_protocol::{Version, prelude};
use std::net::IpAddr;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// An edge whose listener `http` is told of clients by 127.0.0.1 alone.
async fn told(mode: &str, server: &str) -> (Edge, Answering) {
    let origin = Origin::start().await.always(ok("ok"));
    let listener = format!("proxy_protocol = \"{mode}\"\nproxy_protocol_from = [\"127.0.0.1\"]");
    let config = forwarding_to(&origin.endpoint())
        .replace("address = \"127.0.0.1:0\"", &format!("address = \"127.0.0.1:0\"\n{listener}"));
    (Edge::start(&format!("{config}\n[server]\n{server}\n")).await, origin)
}

/// A header that says so.
fn header(version: Version, client: &str, server: &str) -> Vec<u8> {
    prelude(version, client.parse().ok(), server.parse().ok())
}

/// A stranger: an address of this machine that no listener is told of clients by.
fn stranger() -> IpAddr {
    "127.0.0.2".parse().expect("an address")
}

fn refused(reason: &str) -> String {
    format!("portcullis_connections_refused_total{{reason=\"{reason}\"}}")
}

#[tokio::test]
async fn the_client_that_is_told_is_the_client() {
    let (edge, origin) = told("required", "").await;
    for (version, client, server, ip) in [
        (Version::V1, "192.0.2.1:4711", "198.51.100.1:8443", "192.0.2.1"),
        (Version::V2, "192.0.2.2:4711", "198.51.100.1:8443", "192.0.2.2"),
        (Version::V1, "[2001:db8::1]:4711", "[2001:db8::2]:8443", "2001:db8::1"),
        (Version::V2, "[2001:db8::3]:4711", "[2001:db8::2]:8443", "2001:db8::3"),
    ] {
        let mut bytes = header(version, client, server);
        bytes.extend(GET.as_bytes());
        let answer = talk(edge.address("http"), bytes).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{version:?} {client}: {answer}");
        let head = origin.last().head;
        assert_eq!(head.field("x-forwarded-for"), Some(ip));
        assert_eq!(head.field("x-forwarded-port"), Some("8443"));
        let line = edge.log().line_with(ip).await;
        assert_eq!(line["client"], ip, "{line}");
    }
}

#[tokio::test]
async fn a_header_may_come_in_pieces_and_nothing_behind_it_is_lost() {
    let (edge, origin) = told("required", "").await;
    for version in [Version::V1, Version::V2] {
        let mut client = Raw::connect(edge.address("http")).await;
        for byte in header(version, "192.0.2.1:1", "192.0.2.9:2") {
            client.send([byte]).await;
        }
        for _ in 0..2 {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
            let head = client.read_head().await;
            assert_eq!((head.status(), client.read_body(&head).await.content), (200, b"ok".to_vec()), "{version:?}");
        }
        assert_eq!(origin.last().head.field("x-forwarded-for"), Some("192.0.2.1"));
    }
}

#[tokio::test]
async fn the_header_stands_before_the_handshake() {
    let authority = Authority::new();
    let origin = Origin::start().await.always(ok("ok"));
    let folder = TempDir::new().expect("a folder");
    let _ = authority.leaf(folder.path(), &["localhost"]);
    let config = forwarding_to(&origin.endpoint()).replace(
        "address = \"127.0.0.1:0\"",
        "address = \"127.0.0.1:0\"\nproxy_protocol = \"required\"\nproxy_protocol_from = [\"127.0.0.0/8\"]",
    );
    let site =
        "[site.main]\ntls = { certificate = \"{folder}/localhost.pem\", key = \"${file:{folder}/localhost.key}\" }";
    let edge = Edge::start_in(folder, &format!("{site}\n{config}")).await;
    for version in [Version::V1, Version::V2] {
        let mut stream = TcpStream::connect(edge.address("http")).await.expect("connected");
        let told = header(version, "192.0.2.1:1", "192.0.2.9:443");
        tokio::io::AsyncWriteExt::write_all(&mut stream, &told).await.expect("written");
        let name = "localhost".try_into().expect("a name");
        let session = TlsConnector::from(Arc::new(authority.trusted())).connect(name, stream).await;
        let mut client = Raw::over(Box::new(session.expect("a handshake")));
        client.send(GET).await;
        assert_eq!(client.read_head().await.status(), 200, "{version:?}");
        let head = origin.last().head;
        assert_eq!(head.field("x-forwarded-for"), Some("192.0.2.1"));
        assert_eq!(head.field("x-forwarded-proto"), Some("https"));
    }
}

#[tokio::test]
async fn who_may_not_speak_it_is_closed_and_counted() {
    let (edge, origin) = told("required", "").await;
    for bytes in [header(Version::V1, "192.0.2.1:1", "192.0.2.9:2"), GET.into()] {
        let mut client = Raw::connect_from(stranger(), edge.address("http")).await;
        client.send(bytes).await;
        assert_eq!(client.read_to_close().await, "");
    }
    edge.counted(&refused("proxy_protocol_peer"), 2).await;
    assert!(origin.received().is_empty());
}

#[tokio::test]
async fn on_a_mixed_listener_others_are_clients_themselves_and_cannot_lie() {
    let (edge, origin) = told("mixed", "").await;
    let mut client = Raw::connect_from(stranger(), edge.address("http")).await;
    client.send(GET).await;
    assert_eq!(client.read_head().await.status(), 200);
    assert_eq!(origin.last().head.field("x-forwarded-for"), Some("127.0.0.2"));

    let mut liar = Raw::connect_from(stranger(), edge.address("http")).await;
    liar.send([&header(Version::V1, "192.0.2.1:1", "192.0.2.9:2")[..], GET.as_bytes()].concat()).await;
    let answer = liar.read_to_close().await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(origin.received().len(), 1);

    // A load balancer that forgets its header is not taken for a client: nothing is guessed.
    assert_eq!(talk(edge.address("http"), GET).await, "");
    edge.counted(&refused("proxy_protocol_header"), 1).await;
}

#[tokio::test]
async fn what_is_no_header_ends_the_connection_without_an_answer() {
    let (edge, origin) = told("required", "").await;
    let block = |rest: &[u8]| [SIGNATURE, rest, GET.as_bytes()].concat();
    let cases: Vec<Vec<u8>> = vec![
        GET.into(),
        b"\x16\x03\x01\x02\x00\x01\x00".to_vec(),
        format!("PROXY TCP4 192.0.2.1 192.0.2.9 1 2\n{GET}").into(),
        format!("PROXY TCP4 192.0.2.1 192.0.2.9 1\r\n{GET}").into(),
        format!("PROXY TCP5 192.0.2.1 192.0.2.9 1 2\r\n{GET}").into(),
        format!("PROXY TCP4 192.0.2.1 192.0.2.9 1 99999\r\n{GET}").into(),
        format!("PROXY UNKNOWN {}\r\n{GET}", "x".repeat(200)).into(),
        // A version, a command, a family, a transport that do not exist.
        block(b"\x11\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x09\0\x01\0\x02"),
        block(b"\x22\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x09\0\x01\0\x02"),
        block(b"\x21\x51\0\x0c\xc0\0\x02\x01\xc0\0\x02\x09\0\x01\0\x02"),
        block(b"\x21\x13\0\x0c\xc0\0\x02\x01\xc0\0\x02\x09\0\x01\0\x02"),
        // Addresses and an extension that do not fit, and more than is read.
        block(b"\x21\x11\0\x04\xc0\0\x02\x01"),
        block(b"\x21\x11\0\x0f\xc0\0\x02\x01\xc0\0\x02\x09\0\x01\0\x02\x04\0\x09"),
        block(b"\x21\x00\xff\xff"),
    ];
    for bytes in &cases {
        assert_eq!(talk(edge.address("http"), bytes).await, "", "{:?}", String::from_utf8_lossy(bytes));
    }
    for cut in [&b"PROXY TCP4 192.0"[..], &SIGNATURE[..5], b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0"] {
        let mut client = Raw::connect(edge.address("http")).await;
        client.send(cut).await;
        client.finish().await;
        assert_eq!(client.read_to_close().await, "");
    }
    edge.counted(&refused("proxy_protocol_header"), cases.len() as u64 + 3).await;
    edge.counted("portcullis_connections_open", 0).await;
    assert!(origin.received().is_empty());
}

#[tokio::test]
async fn a_header_that_does_not_end_is_given_up() {
    let origin = Origin::start().await.always(ok("ok"));
    let config = forwarding_to(&origin.endpoint()).replace(
        "address = \"127.0.0.1:0\"",
        "address = \"127.0.0.1:0\"\nhandshake_timeout = \"300ms\"\nproxy_protocol = \"required\"\n\
         proxy_protocol_from = [\"127.0.0.1\"]",
    );
    let edge = Edge::start(&config).await;
    for start in ["", "PROXY TCP4 ", "\r\n\r\n"] {
        assert_eq!(talk(edge.address("http"), start).await, "");
    }
    edge.counted(&refused("proxy_protocol_timeout"), 3).await;
}

#[tokio::test]
async fn health_checks_of_the_load_balancer_are_its_own() {
    let (edge, origin) = told("required", "").await;
    let local = [SIGNATURE, b"\x20\x00\x00\x03\x01\x02\x03"].concat();
    for told in [local, b"PROXY UNKNOWN\r\n".to_vec(), header(Version::V2, "", "")] {
        let answer = talk(edge.address("http"), [&told[..], GET.as_bytes()].concat()).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!(origin.last().head.field("x-forwarded-for"), Some("127.0.0.1"));
    }
}

/// A sender of PROXY headers passes on what its clients write, so what they write is believed only for their own sake.
#[tokio::test]
async fn fields_are_believed_for_the_client_that_was_told_and_not_for_the_sender() {
    let (edge, origin) = told("required", "trusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]").await;
    let request = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.6\r\nConnection: close\r\n\r\n";
    for (client, wanted) in [("192.0.2.1:1", "192.0.2.1"), ("10.0.0.1:1", "203.0.113.6, 10.0.0.1")] {
        let told = header(Version::V1, client, "192.0.2.9:80");
        let answer = talk(edge.address("http"), [&told[..], request.as_bytes()].concat()).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!(origin.last().head.field("x-forwarded-for"), Some(wanted));
    }
}

#[tokio::test]
async fn a_unix_socket_can_be_told_too() {
    let origin = Origin::start().await.always(ok("ok"));
    let config = forwarding_to(&origin.endpoint())
        .replace("address = \"127.0.0.1:0\"", "address = \"unix:{folder}/edge.sock\"\nproxy_protocol = \"required\"");
    let edge = Edge::start(&config).await;
    let mut client = Raw::connect_to(&Address::Unix(edge.folder().join("edge.sock"))).await;
    client.send([&header(Version::V2, "192.0.2.1:1", "192.0.2.9:443")[..], GET.as_bytes()].concat()).await;
    assert_eq!(client.read_head().await.status(), 200);
    assert_eq!(origin.last().head.field("x-forwarded-for"), Some("192.0.2.1"));
}

#[tokio::test]
async fn an_upstream_is_told_first_and_each_of_its_connections_serves_one_client() {
    // A listener on all addresses tells the one that the client has reached.
    for (name, version, listen) in
        [("v1", Version::V1, "127.0.0.1:0"), ("v2", Version::V2, "0.0.0.0:0"), ("v1", Version::V1, "[::]:0")]
    {
        let upstream = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = upstream.local_addr().expect("an address").to_string();
        let endpoints = format!("endpoints = [\"{endpoint}\"]");
        let config = forwarding_to(&endpoint).replace(&endpoints, &format!("{endpoints}\nproxy_protocol = \"{name}\""));
        let listener = config.replace("address = \"127.0.0.1:0\"", &format!("address = \"{listen}\""));
        let edge = Edge::start(&listener).await;
        let socket = TcpStream::connect(("127.0.0.1", edge.address("http").port())).await.expect("connected");
        let wanted = prelude(version, socket.local_addr().ok(), socket.peer_addr().ok());
        let mut client = Raw::over(Box::new(socket));
        for request in ["/first", "/second"] {
            client.send(format!("GET {request} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
            let (accepted, _) = upstream.accept().await.expect("a connection");
            let mut application = Raw::over(Box::new(accepted));
            assert_eq!(application.read_exactly(wanted.len()).await, wanted, "{name} {listen}");
            assert_eq!(application.read_head().await.target(), request);
            application.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
            let head = client.read_head().await;
            assert_eq!(client.read_body(&head).await.content, b"ok");
            assert_eq!(application.read_to_close().await, "", "the connection is not kept");
        }
    }
}

#[tokio::test]
async fn who_was_told_is_told_on() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = upstream.local_addr().expect("an address").to_string();
    let endpoints = format!("endpoints = [\"{endpoint}\"]");
    let config =
        forwarding_to(&endpoint).replace(&endpoints, &format!("{endpoints}\nproxy_protocol = \"v1\"")).replace(
            "address = \"127.0.0.1:0\"",
            "address = \"127.0.0.1:0\"\nproxy_protocol = \"required\"\nproxy_protocol_from = [\"127.0.0.1\"]",
        );
    let edge = Edge::start(&config).await;
    for told in ["PROXY TCP6 2001:db8::1 2001:db8::2 4711 443\r\n", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"] {
        let mut client = Raw::connect(edge.address("http")).await;
        client.send(format!("{told}{GET}")).await;
        let (accepted, _) = upstream.accept().await.expect("a connection");
        assert_eq!(Raw::over(Box::new(accepted)).read_until(b"\r\n").await, told.as_bytes());
    }
}
