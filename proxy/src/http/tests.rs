//! The request path as a value: no socket, no thread, one request in and one answer out.

mod lines;

use super::{Front, ProxyBody, WorkerState, WorkerTools};
use crate::config::{self, LogFormat};
use crate::snapshot::Snapshot;
use arc_swap::ArcSwap;
use http::{Request, Response, StatusCode, Version, header};
use http_body_util::BodyExt;
use serve::connection::ConnectionInfo;
use serve::http1::Malformed;
use serve::listener::{Address, Peer};
use serve::telemetry::RequestLog;
use serve::{Body, Handler as _};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use tower::ServiceExt;

const CONFIG: &str = r#"
[listener.plain]
address = "127.0.0.1:0"
header_bytes_max = "8KiB"
uri_bytes_max = "100B"
[site.main]
hosts = ["example.test", "*.wild.test"]
[site.other]
hosts = ["other.test"]
[issuer.app]
iss = "https://issuer.test"
audiences = ["api"]
algorithms = ["HS256"]
keys = { secret = "0123456789abcdef0123456789abcdef" }
[[route]]
match = "/hello"
auth = "public"
respond = { status = 200, body = "hello" }
response_headers = { X-Route = "hello" }
[[route]]
match = "/hello"
site = "other"
auth = "public"
respond = { status = 200, body = "other" }
[[route]]
match = "/closed/**"
respond = { status = 200, body = "secret" }
[[route]]
match = "/jwt/**"
token_from = ["header", "cookie:session", "query:jwt"]
respond = { status = 200, body = "secret" }
[[route]]
match = "/old/**"
auth = "public"
redirect = { to = "https://{host}/new{query}", status = 301 }
"#;

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("the lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs `test` with a front server of [`CONFIG`]; returns what it logged.
fn with_front(test: impl AsyncFnOnce(Front)) -> String {
    with_front_logging(LogFormat::Json, test)
}

fn with_front_logging(format: LogFormat, test: impl AsyncFnOnce(Front)) -> String {
    with_front_of(false, format, test)
}

/// `http2`: what the connection speaks.
fn with_front_of(http2: bool, format: LogFormat, test: impl AsyncFnOnce(Front)) -> String {
    let config = config::load_str("test.toml", CONFIG, &|_| None, std::path::Path::new(".")).expect("a sound config");
    let snapshot = Snapshot::build(Arc::new(config), None).expect("a snapshot");
    let limits = snapshot.config.listeners[0].limits.clone();
    let written = Shared::default();
    let log = RequestLog::start(written.clone()).expect("a thread");
    let tools = WorkerTools {
        overload: None,
        current: Arc::new(ArcSwap::from_pointee(snapshot)),
        log: log.sender().map(|sender| (sender, format)),
    };
    let runtime = serve::worker::local_runtime().expect("a runtime");
    runtime.block_on(async {
        let worker = WorkerState::new(tools, Arc::default(), serve::drain::Drain::new());
        let local = Arc::new(Address::Tcp("127.0.0.1:80".parse().expect("an address")));
        let peer = Peer::Tcp("192.0.2.7:4711".parse().expect("an address"));
        let info = ConnectionInfo { peer, transport_peer: peer, local, tls: None, http2 };
        let front = Front::maker(worker, &limits, None)(&info);
        test(front).await;
    });
    drop(runtime);
    drop(log);
    String::from_utf8(written.0.lock().expect("the lock").clone()).expect("text")
}

fn get(target: &str) -> http::request::Builder {
    Request::get(target).header(header::HOST, "example.test")
}

async fn ask(front: &Front, request: http::request::Builder) -> Response<ProxyBody> {
    let request = request.body(Body::empty()).expect("a request");
    let Ok(response) = front.clone().oneshot(request).await;
    response
}

async fn text(response: Response<ProxyBody>) -> String {
    let bytes = response.into_body().collect().await.expect("a body").to_bytes();
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn requests_are_answered_by_their_cause() {
    with_front(async |front| {
        let long = format!("/{}", "a".repeat(100));
        let large = "b".repeat(8 * 1024);
        let plain = Request::get("/hello");
        for (request, status, code) in [
            (plain, StatusCode::BAD_REQUEST, "bad_host"),
            (Request::get("/hello").header(header::HOST, "elsewhere.test"), StatusCode::NOT_FOUND, "unknown_host"),
            (get("/nothing"), StatusCode::NOT_FOUND, "no_route"),
            (get("/a/../closed/x"), StatusCode::BAD_REQUEST, "bad_path"),
            (get("/closed%2Fx"), StatusCode::BAD_REQUEST, "bad_path"),
            (get(&long), StatusCode::URI_TOO_LONG, "uri_too_long"),
            (get("/hello").header("x-large", &large), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large"),
            (get("/closed/x"), StatusCode::UNAUTHORIZED, "token_missing"),
            (get("/hello").method("TRACE"), StatusCode::METHOD_NOT_ALLOWED, "trace_refused"),
            (get("example.test:80").method("CONNECT"), StatusCode::METHOD_NOT_ALLOWED, "connect_unsupported"),
        ] {
            let response = ask(&front, request).await;
            assert_eq!(response.status(), status, "{code}");
            let id = response.headers()["x-request-id"].to_str().expect("text").to_owned();
            assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
            let problem: serde_json::Value = serde_json::from_str(&text(response).await).expect("JSON");
            assert_eq!((problem["code"].as_str(), problem["source"].as_str()), (Some(code), Some("edge")));
            assert_eq!(problem["request_id"].as_str(), Some(id.as_str()), "the same id in field and body");
        }
    });
}

#[test]
fn the_host_chooses_the_site_and_the_route_its_fields() {
    with_front(async |front| {
        let response = ask(&front, get("/hello")).await;
        assert_eq!(response.headers()["x-route"], "hello");
        assert_eq!(text(response).await, "hello");
        let other = Request::get("/hello").header(header::HOST, "OTHER.test:8080");
        assert_eq!(text(ask(&front, other).await).await, "other");
        let wild = Request::get("/hello").header(header::HOST, "a.wild.test");
        assert_eq!(text(ask(&front, wild).await).await, "hello");
        let response = ask(&front, get("/old/page?x=1")).await;
        assert_eq!(response.headers()[header::LOCATION], "https://example.test/new?x=1");
    });
}

#[test]
fn head_has_the_fields_of_get_and_no_body() {
    with_front(async |front| {
        let response = ask(&front, get("/hello").method("HEAD")).await;
        assert_eq!(response.headers()[header::CONTENT_LENGTH], "5");
        assert_eq!(text(response).await, "");
    });
}

/// To its client every success is a tunnel (RFC 8441 section 5), and only an upstream can be the other end of one.
#[test]
fn an_extended_connect_to_no_upstream_is_no_success() {
    with_front(async |front| {
        let connect = Request::connect("https://example.test/hello").version(Version::HTTP_2);
        let response = ask(&front, connect.extension(h2::ext::Protocol::from_static("websocket"))).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        let closed = Request::connect("https://example.test/closed/x").version(Version::HTTP_2);
        let response = ask(&front, closed.extension(h2::ext::Protocol::from_static("websocket"))).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "it is routed and checked as the GET that it becomes");
    });
}

#[test]
fn http2_answers_never_close_the_connection_by_a_field() {
    with_front(async |front| {
        let closed = ask(&front, Request::get("/hello")).await;
        assert_eq!(closed.headers()[header::CONNECTION], "close");
        let open = ask(&front, Request::get("/hello").version(Version::HTTP_2)).await;
        assert!(!open.headers().contains_key(header::CONNECTION));
    });
}

#[test]
fn what_is_no_request_is_refused_in_the_version_of_its_connection() {
    for (http2, protocol) in [(false, "HTTP/1.1"), (true, "HTTP/2")] {
        let log = with_front_of(http2, LogFormat::Json, async |mut front| {
            let reason = "this is no HTTP request";
            let malformed = Malformed { status: StatusCode::BAD_REQUEST, code: "malformed_request", reason };
            let response = front.refuse(malformed);
            assert_eq!(response.status(), StatusCode::BAD_REQUEST);
            assert_eq!(response.headers().contains_key(header::CONNECTION), !http2, "{protocol}");
            let _ = text(response).await;
        });
        let line: serde_json::Value = serde_json::from_str(&log).expect("one line of JSON");
        assert_eq!((line["protocol"].as_str(), line["code"].as_str()), (Some(protocol), Some("malformed_request")));
    }
}

#[test]
fn each_request_logs_one_line_without_secrets() {
    let log = with_front(async |front| {
        ask(&front, get("/hello?access_token=qwxyz&x=1").header(header::AUTHORIZATION, "Bearer s3cret")).await;
        ask(&front, get("/closed/x").header(header::COOKIE, "session=s3cret")).await;
    });
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert_eq!((lines[0]["status"].as_u64(), lines[0]["route"].as_str()), (Some(200), Some("/hello")));
    assert_eq!(lines[0]["query"], "access_token=redacted&x=1");
    assert_eq!(lines[0]["client"], "192.0.2.7");
    assert_eq!((lines[1]["status"].as_u64(), lines[1]["code"].as_str()), (Some(401), Some("token_missing")));
    assert!(!log.contains("s3cret") && !log.contains("qwxyz"), "{log}");
}
