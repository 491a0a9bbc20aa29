//! Probes go the way that requests go: by the protocol of the upstream, and under its TLS.

use super::states;
use http::{Request, Response, Version};
use hyper::body::Incoming;
use portcullis_tests::certs::Authority;
use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::service::{AnswerBody, Service, Speaks, answer};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// What probes asked: version, path, and whom they thought to talk to.
type Probes = Arc<Mutex<Vec<(Version, String, String)>>>;

/// A service that answers requests always and probes while it is well.
struct Endpoint {
    service: Service,
    well: Arc<AtomicBool>,
    probes: Probes,
}

impl Endpoint {
    async fn start(speaks: Speaks) -> Self {
        let (well, probes) = (Arc::new(AtomicBool::new(true)), Probes::default());
        let (is_well, seen) = (Arc::clone(&well), Arc::clone(&probes));
        let reply = move |request: Request<Incoming>| {
            let answer = reply(&request, &is_well, &seen);
            std::future::ready(answer)
        };
        Self { service: Service::start(speaks, reply).await, well, probes }
    }

    /// The edge before it, with these further keys of the upstream; `{folder}/ca.pem` is the authority's.
    async fn edge(&self, authority: &Authority, keys: &str) -> Edge {
        let folder = TempDir::new().expect("a folder");
        authority.write(&folder.path().join("ca.pem"));
        let health = r#"health = { path = "/healthz?deep", every = "300ms", timeout = "300ms", fall = 2, body = "well" }
            eject = false"#;
        let config =
            forwarding_to(&self.service.endpoint()).replace("[[route]]", &format!("{keys}\n{health}\n[[route]]"));
        Edge::start_in(folder, &config).await
    }

    /// Up, then down, then up again, and requests are answered before and after.
    async fn goes_down_and_comes_back(&self, edge: &Edge) {
        states(edge, "up", 1).await;
        assert_eq!(edge.http().get("/").send().await.expect_status(200).text(), "answer");
        self.well.store(false, SeqCst);
        states(edge, "down", 1).await;
        self.well.store(true, SeqCst);
        states(edge, "up", 1).await;
        assert_eq!(edge.http().get("/").send().await.expect_status(200).text(), "answer");
    }

    fn asked(&self, version: Version) {
        let probes = self.probes.lock().expect("no panic");
        let wanted = (version, "/healthz?deep".to_owned(), self.service.endpoint());
        assert!(probes.len() > 3 && probes.iter().all(|probe| *probe == wanted), "{wanted:?}: {probes:?}");
    }
}

fn reply(request: &Request<Incoming>, well: &AtomicBool, probes: &Probes) -> Response<AnswerBody> {
    if request.uri().path() != "/healthz" {
        return answer("answer");
    }
    let host = request.headers().get("host").and_then(|host| host.to_str().ok());
    let host = request.uri().authority().map_or(host.unwrap_or_default(), |authority| authority.as_str()).to_owned();
    let path = request.uri().path_and_query().map_or("", |path| path.as_str()).to_owned();
    probes.lock().expect("no panic").push((request.version(), path, host));
    answer(if well.load(SeqCst) { "all is well" } else { "the database is gone" })
}

#[tokio::test]
async fn in_http2_in_the_clear() {
    let endpoint = Endpoint::start(Speaks::default()).await;
    let edge = endpoint.edge(&Authority::new(), "protocol = \"h2\"").await;
    endpoint.goes_down_and_comes_back(&edge).await;
    endpoint.asked(Version::HTTP_2);
}

#[tokio::test]
async fn over_tls_in_either_version() {
    let authority = Authority::new();
    for (offered, protocol, version) in [
        (&["http/1.1"][..], "http/1.1", Version::HTTP_11),
        (&["h2"], "h2", Version::HTTP_2),
        (&["h2", "http/1.1"], "auto", Version::HTTP_2),
        (&["http/1.1"], "auto", Version::HTTP_11),
    ] {
        let endpoint = Endpoint::start(Speaks::tls(authority.server(&["127.0.0.1"], offered))).await;
        let keys = format!("protocol = \"{protocol}\"\ntls = {{ ca = \"{{folder}}/ca.pem\" }}");
        let edge = endpoint.edge(&authority, &keys).await;
        endpoint.goes_down_and_comes_back(&edge).await;
        endpoint.asked(version);
    }
}

/// What could not be believed as an answer is none as a sign of health either.
#[tokio::test]
async fn whose_certificate_is_not_believed_is_not_well() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let endpoint = Endpoint::start(Speaks::tls(stranger.server(&["127.0.0.1"], &["h2", "http/1.1"]))).await;
    let edge = endpoint.edge(&authority, "protocol = \"auto\"\ntls = { ca = \"{folder}/ca.pem\" }").await;
    states(&edge, "down", 1).await;
    assert!(endpoint.probes.lock().expect("no panic").is_empty());
}

/// HTTP/1.1 spoken to somebody who speaks HTTP/2 alone, and the other way round.
#[tokio::test]
async fn who_speaks_another_protocol_is_not_well() {
    let authority = Authority::new();
    for (offered, protocol) in [(&["h2"][..], "http/1.1"), (&["http/1.1"], "h2")] {
        let endpoint = Endpoint::start(Speaks::tls(authority.server(&["127.0.0.1"], offered))).await;
        let keys = format!("protocol = \"{protocol}\"\ntls = {{ ca = \"{{folder}}/ca.pem\" }}");
        states(&endpoint.edge(&authority, &keys).await, "down", 1).await;
    }
}
