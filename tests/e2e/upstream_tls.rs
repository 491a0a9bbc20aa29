//! TLS towards upstreams: whom the edge believes, what it shows, and which protocol is agreed on.

use http::{Request, Response};
use hyper::body::Incoming;
use portcullis_tests::certs::Authority;
use portcullis_tests::client::Client;
use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::service::{AnswerBody, Service, Speaks, answer};
use rustls::version::{TLS12, TLS13};
use tempfile::TempDir;

/// The edge before one endpoint, with further keys of its upstream. `{folder}/ca.pem` is the authority's.
async fn before(authority: &Authority, endpoint: &str, keys: &str) -> Edge {
    let folder = TempDir::new().expect("a folder");
    authority.write(&folder.path().join("ca.pem"));
    let _ = authority.leaf(folder.path(), &["edge"]);
    let config = forwarding_to(endpoint).replace("[[route]]", &format!("{keys}\n[[route]]"));
    Edge::start_in(folder, &config).await
}

/// Answers with the version of HTTP and what the request was for.
async fn echo(request: Request<Incoming>) -> Response<AnswerBody> {
    let host = request.headers().get("host").map_or("-", |host| host.to_str().expect("a text"));
    let authority = request.uri().authority().map_or("-", |authority| authority.as_str());
    answer(format!("{:?} {authority} {host}", request.version()))
}

/// What a request through the edge fails with, and the reason in the log.
async fn refused(edge: &Edge) -> (String, String) {
    let failed = edge.http().get("/").send().await.expect_status(502);
    let line = edge.log().line_with(failed.header("x-request-id").expect("an id")).await;
    (failed.edge_code(), line["reason"].as_str().expect("a reason").to_owned())
}

#[tokio::test]
async fn an_authority_of_ones_own_is_believed() {
    let authority = Authority::new();
    let tls = Speaks::tls(authority.server(&["127.0.0.1"], &["http/1.1"]));
    let origin = Service::start(tls, echo).await;
    let edge = before(&authority, &origin.endpoint(), r#"tls = { ca = "{folder}/ca.pem" }"#).await;
    for _ in 0..3 {
        let answer = edge.http().host("shop.example").get("/").send().await.expect_status(200);
        assert_eq!(answer.text(), "HTTP/1.1 - shop.example");
    }
    assert_eq!(origin.connections(), 1, "connections are kept over TLS too");
}

#[tokio::test]
async fn a_certificate_must_be_good_in_every_way() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let own = r#"tls = { ca = "{folder}/ca.pem" }"#;
    for (server, keys, wanted) in [
        (stranger.server(&["127.0.0.1"], &[]), own, "invalid peer certificate"),
        (authority.server(&["127.0.0.1"], &[]), "tls = true", "UnknownIssuer"),
        (authority.server(&["10.0.0.1", "localhost"], &[]), own, "not valid for name"),
        (authority.expired_server(&["127.0.0.1"], &[]), own, "expired"),
    ] {
        let origin = Service::start(Speaks::tls(server), echo).await;
        let edge = before(&authority, &origin.endpoint(), keys).await;
        let (code, reason) = refused(&edge).await;
        assert_eq!(code, "upstream_tls");
        assert!(reason.contains(wanted), "{reason}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_not_talked_to() {
    let origin = Service::start(Speaks::default(), echo).await;
    let edge = before(&Authority::new(), &origin.endpoint(), "tls = true").await;
    assert_eq!(refused(&edge).await.0, "upstream_tls");
}

#[tokio::test]
async fn the_name_can_be_another_than_the_endpoints() {
    let authority = Authority::new();
    let server = || Speaks::tls(authority.server(&["app.example"], &["h2"]));
    let keys = r#"protocol = "h2"
        tls = { ca = "{folder}/ca.pem", server_name = "app.example" }"#;
    let tcp = Service::start(server(), echo).await;
    let edge = before(&authority, &tcp.endpoint(), keys).await;
    assert_eq!(edge.http().host("a").get("/").send().await.expect_status(200).text(), "HTTP/2.0 a -");

    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("app.sock");
    Service::start_unix(&path, server(), echo);
    let edge = before(&authority, &format!("unix:{}", path.display()), keys).await;
    assert_eq!(edge.http().host("a").get("/").send().await.expect_status(200).text(), "HTTP/2.0 a -");
}

#[tokio::test]
async fn a_host_name_is_looked_up_and_verified() {
    let authority = Authority::new();
    let origin = Service::start(Speaks::tls(authority.server(&["localhost"], &["h2", "http/1.1"])), echo).await;
    let endpoint = format!("localhost:{}", origin.port());
    let edge = before(&authority, &endpoint, r#"tls = { ca = "{folder}/ca.pem" }"#).await;
    assert_eq!(edge.http().host("a").get("/").send().await.expect_status(200).text(), "HTTP/1.1 - a");
}

#[tokio::test]
async fn a_client_certificate_is_shown_to_who_asks() {
    let authority = Authority::new();
    let with = r#"tls = { ca = "{folder}/ca.pem", certificate = "{folder}/edge.pem", key = "{folder}/edge.key" }"#;
    let without = r#"tls = { ca = "{folder}/ca.pem" }"#;
    // Under TLS 1.3 a refusal comes after the handshake has ended for the client, under 1.2 within it.
    for (version, protocol) in [(&TLS13, "h2"), (&TLS13, "http/1.1"), (&TLS12, "h2"), (&TLS12, "http/1.1")] {
        let server = authority.demanding_server(&["127.0.0.1"], &[protocol], &[version], &authority);
        let origin = Service::start(Speaks::tls(server), echo).await;
        let keys = |tls: &str| format!("protocol = \"{protocol}\"\n{tls}");
        let edge = before(&authority, &origin.endpoint(), &keys(with)).await;
        let _ = edge.http().get("/").send().await.expect_status(200);
        let edge = before(&authority, &origin.endpoint(), &keys(without)).await;
        let (code, reason) = refused(&edge).await;
        assert_eq!(code, "upstream_tls", "{version:?} {protocol}: {reason}");
    }
    // One of another authority is refused as well.
    let server = authority.demanding_server(&["127.0.0.1"], &["h2"], &[&TLS13], &Authority::new());
    let origin = Service::start(Speaks::tls(server), echo).await;
    let edge = before(&authority, &origin.endpoint(), &format!("protocol = \"h2\"\n{with}")).await;
    assert_eq!(refused(&edge).await.0, "upstream_tls");
}

#[tokio::test]
async fn the_protocol_is_agreed_by_alpn() {
    let authority = Authority::new();
    for (offered, protocol, wanted) in [
        (&["h2", "http/1.1"][..], "auto", Some("HTTP/2.0 a -")),
        (&["h2", "http/1.1"], "h2", Some("HTTP/2.0 a -")),
        (&["h2", "http/1.1"], "http/1.1", Some("HTTP/1.1 - a")),
        (&["http/1.1"], "auto", Some("HTTP/1.1 - a")),
        (&[], "auto", Some("HTTP/1.1 - a")),
        (&[], "http/1.1", Some("HTTP/1.1 - a")),
        (&["http/1.1"], "h2", None),
        (&[], "h2", None),
        (&["h2"], "http/1.1", None),
    ] {
        let origin = Service::start(Speaks::tls(authority.server(&["127.0.0.1"], offered)), echo).await;
        let keys = format!("protocol = \"{protocol}\"\ntls = {{ ca = \"{{folder}}/ca.pem\" }}");
        let edge = before(&authority, &origin.endpoint(), &keys).await;
        match wanted {
            Some(wanted) => {
                let both = [edge.http().host("a").get("/").send(), edge.http().host("a").get("/").send()];
                for answer in futures_util::future::join_all(both).await {
                    assert_eq!(answer.expect_status(200).text(), wanted, "{offered:?} {protocol}");
                }
            }
            None => assert_eq!(refused(&edge).await.0, "upstream_tls", "{offered:?} {protocol}"),
        }
    }
}

/// The keys of a session are made once; a reload that changes nothing keeps them.
#[tokio::test]
async fn sessions_are_resumed() {
    let authority = Authority::new();
    let tls = Speaks::tls(authority.server(&["127.0.0.1"], &["http/1.1"]));
    let origin = Service::start(tls, async |_| {
        let mut response = answer("once");
        response.headers_mut().insert("connection", http::HeaderValue::from_static("close"));
        response
    })
    .await;
    let keys = r#"tls = { ca = "{folder}/ca.pem" }"#;
    let edge = before(&authority, &origin.endpoint(), keys).await;
    for _ in 0..2 {
        let _ = edge.http().get("/").send().await.expect_status(200);
    }
    let config = forwarding_to(&origin.endpoint()).replace(
        "[[route]]",
        &format!(
            "{keys}
[[route]]"
        ),
    );
    edge.reload(&config).await.expect("the same once more");
    let _ = edge.http().get("/").send().await.expect_status(200);
    assert_eq!((origin.connections(), origin.resumed()), (3, 2));
}

/// A connection that trusts another authority must not be used after a reload.
#[tokio::test]
async fn a_reload_that_changes_whom_to_believe_counts_at_once() {
    let (authority, other) = (Authority::new(), Authority::new());
    let origin = Service::start(Speaks::tls(authority.server(&["127.0.0.1"], &["h2"])), echo).await;
    let keys = "protocol = \"h2\"\ntls = { ca = \"{folder}/ca.pem\" }";
    let edge = before(&authority, &origin.endpoint(), keys).await;
    let _ = edge.http().get("/").send().await.expect_status(200);
    let config = forwarding_to(&origin.endpoint()).replace("[[route]]", &format!("{keys}\n[[route]]"));
    edge.reload(&config).await.expect("the same once more");
    let _ = edge.http().get("/").send().await.expect_status(200);
    assert_eq!(origin.connections(), 1, "nothing has changed");
    other.write(&edge.folder().join("ca.pem"));
    edge.reload(&config).await.expect("another authority");
    assert_eq!(refused(&edge).await.0, "upstream_tls");
}

#[tokio::test]
async fn both_sides_can_be_secure() {
    let authority = Authority::new();
    let origin = Service::start(Speaks::tls(authority.server(&["127.0.0.1"], &["h2"])), echo).await;
    let folder = TempDir::new().expect("a folder");
    authority.write(&folder.path().join("ca.pem"));
    let _ = authority.leaf(folder.path(), &["localhost"]);
    let config = forwarding_to(&origin.endpoint()).replace(
        "[[route]]",
        r#"protocol = "h2"
        tls = { ca = "{folder}/ca.pem" }
        [site.main]
        tls = { certificate = "{folder}/localhost.pem", key = "{folder}/localhost.key" }
        [[route]]"#,
    );
    let edge = Edge::start_in(folder, &config).await;
    let client = Client::https(edge.address("http"), authority.trusted()).http2();
    let answer = client.get("/").send().await.expect_status(200);
    assert_eq!(answer.text(), format!("HTTP/2.0 localhost:{} -", edge.address("http").port()));
}
