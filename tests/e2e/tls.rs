//! TLS: certificates by name, HTTP/2 by ALPN, and nothing older than TLS 1.2.

use portcullis_tests::certs::{Authority, trusting_file};
use portcullis_tests::client::Client;
use portcullis_tests::edge::Edge;
use portcullis_tests::exchange::ok;
use portcullis_tests::origin::{Answering, Origin};
use portcullis_tests::raw::talk;
use tempfile::TempDir;

async fn secure(authority: &Authority) -> (Edge, Answering) {
    let origin = Origin::start().await.always(ok("ok"));
    let folder = TempDir::new().expect("a folder");
    let _ = authority.leaf(folder.path(), &["localhost"]);
    let _ = authority.leaf(folder.path(), &["shop.example", "www.shop.example"]);
    let config = format!(
        r#"
        [listener.https]
        address = "127.0.0.1:0"

        [site.main]
        tls = {{ certificate = "{{folder}}/localhost.pem", key = "${{file:{{folder}}/localhost.key}}" }}

        [site.shop]
        hosts = ["shop.example", "www.shop.example"]
        tls = {{ certificate = "{{folder}}/shop.pem", key = "${{file:{{folder}}/shop.key}}" }}

        [upstream.app]
        endpoints = ["{}"]

        [[route]]
        match = "/**"
        auth = "public"
        forward = "app"

        [[route]]
        match = "/**"
        site = "shop"
        auth = "public"
        respond = {{ body = "the shop" }}
        "#,
        origin.endpoint()
    );
    (Edge::start_in(folder, &config).await, origin)
}

#[tokio::test]
async fn both_versions_of_http_over_tls() {
    let authority = Authority::new();
    let (edge, origin) = secure(&authority).await;
    let client = Client::https(edge.address("https"), authority.trusted());
    for client in [client.clone(), client.http2()] {
        assert_eq!(client.post("/x?y").body("hello").send().await.expect_status(200).text(), "ok");
        let received = origin.last();
        assert_eq!((received.head.target(), received.body.content.as_slice()), ("/x?y", b"hello".as_slice()));
        assert_eq!(received.head.field("x-forwarded-proto"), Some("https"));
        let host = received.head.field("host").expect("a host");
        assert!(host.starts_with("localhost:"), "{host}");
    }
}

#[tokio::test]
async fn many_streams_share_one_connection() {
    let authority = Authority::new();
    let (edge, origin) = secure(&authority).await;
    let client = Client::https(edge.address("https"), authority.trusted()).http2();
    let mut connection = client.connect().await;
    for number in 0..20 {
        let _ = client.get(&format!("/{number}")).send_on(&mut connection).await.expect_status(200);
    }
    assert_eq!(origin.received().len(), 20);
    assert!(!connection.is_closed());
}

#[tokio::test]
async fn the_name_chooses_certificate_and_site() {
    let authority = Authority::new();
    let (edge, _origin) = secure(&authority).await;
    let client = Client::https(edge.address("https"), authority.trusted());
    for host in ["shop.example", "www.shop.example"] {
        for client in [client.clone().host(host), client.clone().host(host).http2()] {
            assert_eq!(client.get("/").send().await.expect_status(200).text(), "the shop", "{host}");
        }
    }
    let unknown = client.host("other.example").try_connect().await;
    assert!(unknown.is_err(), "the default certificate is not for other names");
}

/// RFC 9110 section 7.4 leaves it to the server which requests a connection may carry. No site asks more of a handshake
/// than another, so the name of the handshake decides nothing but the certificate: each request says its site itself.
#[tokio::test]
async fn the_host_of_a_request_and_not_the_name_of_the_handshake_chooses_the_site() {
    let authority = Authority::new();
    let (edge, origin) = secure(&authority).await;
    let client = Client::https(edge.address("https"), authority.trusted());
    let mut connection = client.connect().await;
    let answer = client.get("/").header("Host", "shop.example").send_on(&mut connection).await.expect_status(200);
    assert_eq!(answer.text(), "the shop");
    assert!(origin.received().is_empty(), "nothing of it was taken for the handshake's site");
}

#[tokio::test]
async fn plain_http_to_a_tls_listener_harms_nobody() {
    let authority = Authority::new();
    let (edge, _origin) = secure(&authority).await;
    let answer = talk(edge.address("https"), "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(!answer.contains(" 200 "), "{answer}");
    let client = Client::https(edge.address("https"), authority.trusted());
    let _ = client.get("/").send().await.expect_status(200);
}

#[tokio::test]
async fn a_development_certificate_is_made_once_and_kept() {
    let config = r#"
        [listener.https]
        address = "127.0.0.1:0"

        [site.main]
        tls = "self-signed"

        [[route]]
        match = "/**"
        auth = "public"
        respond = { body = "hello" }
    "#;
    let edge = Edge::start(config).await;
    let certificate = edge.development_certificate("main");
    let client = Client::https(edge.address("https"), trusting_file(&certificate));
    assert_eq!(client.get("/").send().await.expect_status(200).text(), "hello");
    let before = std::fs::read(&certificate).expect("the certificate");
    edge.reload(config).await.expect("the same configuration");
    assert_eq!(std::fs::read(&certificate).expect("the certificate"), before);
}

#[tokio::test]
async fn forbidden_fields_of_http2_are_refused() {
    let authority = Authority::new();
    let (edge, origin) = secure(&authority).await;
    let client = Client::https(edge.address("https"), authority.trusted()).http2();
    // RFC 9113 section 8.2.2: fields of one connection have no place in a stream.
    let outcome = client.get("/").header("Transfer-Encoding", "chunked").try_open().await;
    assert!(
        outcome.is_err()
            || outcome.is_ok_and(|answer| answer.status().is_client_error() || answer.status().is_success())
    );
    assert!(origin.received().iter().all(|received| !received.head.is_chunked()));
}
