//! Errors of the edge: each has a documented code, says who made it, and can be joined with the log by its id.

use portcullis_tests::answer::Answer;
use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::exchange::ok;
use portcullis_tests::guarded::Guarded;
use portcullis_tests::origin::Origin;
use serde_json::json;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::{TcpSocket, TcpStream};

/// How long a connect on this machine takes at most.
const BRIEF: Duration = Duration::from_millis(500);

/// The list that users read.
const DOCUMENTED: &str = include_str!("../../docs/errors.md");

/// Checks an answer against the documented list and against its own line in the log.
async fn expect(edge: &Edge, answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status.as_u16(), answer.edge_code().as_str()), (status, code), "{answer:?}");
    let row = format!("| `{code}` | {status} |");
    assert!(DOCUMENTED.contains(&row), "docs/errors.md has no row {row}");
    let id = answer.header("x-request-id").expect("an id");
    assert_eq!(edge.log().line_with(id).await["code"], code);
}

fn config(app: &str, dead: [&str; 2]) -> String {
    let [one, other] = dead;
    format!(
        r#"
        [listener.http]
        address = "127.0.0.1:0"
        uri_bytes_max = "100B"
        header_bytes_max = "8KiB"

        [site.main]
        hosts = ["shop.example"]

        [upstream.app]
        endpoints = ["{app}"]

        [upstream.dead]
        endpoints = ["{one}", "{other}"]

        [upstream.nameless]
        endpoints = ["missing.invalid:80"]

        [issuer.test]
        iss = "https://issuer.test"
        audiences = ["api"]
        algorithms = ["HS256"]
        keys = {{ secret = "0123456789abcdef0123456789abcdef" }}

        [[route]]
        match = "/app/**"
        auth = "public"
        body_bytes_max = "1KiB"
        response_timeout = "200ms"
        forward = {{ upstream = "app", internal_root = "{{folder}}" }}

        [[route]]
        match = "/brief/**"
        auth = "public"
        total_timeout = "200ms"
        forward = "app"

        [[route]]
        match = "/dead/**"
        auth = "public"
        forward = "dead"

        [[route]]
        match = "/nameless/**"
        auth = "public"
        forward = "nameless"

        [[route]]
        match = "/files/**"
        auth = "public"
        files = {{ root = "{{folder}}", strip_prefix = true }}

        [[route]]
        match = "/closed/**"
        forward = "app"
        "#
    )
}

async fn start(app: &str) -> Edge {
    // Two addresses at which nobody listens any more.
    let (one, other) = (Origin::start().await, Origin::start().await);
    let dead = [one.endpoint(), other.endpoint()];
    drop((one, other));
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("file.txt"), "text").expect("a file");
    Edge::start_in(folder, &config(app, [&dead[0], &dead[1]])).await
}

#[tokio::test]
async fn a_refused_request_gets_a_documented_problem() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = start(&origin.endpoint()).await;
    let client = edge.http().host("shop.example");
    let long = format!("/{}", "a".repeat(100));
    for (call, status, code) in [
        (edge.http().host("a b").get("/app/x"), 400, "bad_host"),
        (edge.http().host("elsewhere.example").get("/app/x"), 404, "unknown_host"),
        (client.get("/nowhere"), 404, "no_route"),
        (client.get("/app/../closed/x"), 400, "bad_path"),
        (client.get(&long), 414, "uri_too_long"),
        (client.get("/app/x").header("X-Large", &"x".repeat(8192)), 431, "headers_too_large"),
        (client.post("/app/x").body(vec![b'x'; 1025]), 413, "body_too_large"),
        (client.get("/closed/x"), 401, "token_missing"),
        (client.get("/closed/x").bearer("garbage"), 401, "token_invalid"),
        (client.get("/closed/x").bearer("one").bearer("two"), 400, "invalid_request"),
        (client.get("/files/missing"), 404, "file_not_found"),
        (client.post("/files/file.txt"), 405, "method_not_allowed"),
        (client.get("/files/file.txt").header("If-Match", "\"other\""), 412, "precondition_failed"),
        (client.get("/files/file.txt").header("Range", "bytes=9-"), 416, "range_not_satisfiable"),
    ] {
        let answer = call.send().await;
        expect(&edge, &answer, status, code).await;
        let problem = answer.json();
        assert!(problem.get("upstream").is_none() && problem.get("attempts").is_none(), "{problem}");
    }
    assert!(origin.received().is_empty(), "nothing of it was forwarded");
}

#[tokio::test]
async fn an_error_about_an_upstream_names_it_and_counts_the_attempts() {
    let mut origin = Origin::start().await;
    let edge = start(&origin.endpoint()).await;
    let client = edge.http().host("shop.example");
    let named = |answer: &Answer, upstream: &str, attempts: u32| {
        let problem = answer.json();
        assert_eq!((&problem["upstream"], &problem["attempts"]), (&json!(upstream), &json!(attempts)), "{problem}");
    };

    // Each endpoint is tried once.
    let answer = client.get("/dead/x").send().await;
    expect(&edge, &answer, 502, "upstream_connect").await;
    named(&answer, "dead", 2);

    // A name without an address is nobody who could be tried.
    let answer = client.get("/nameless/x").send().await;
    expect(&edge, &answer, 503, "upstream_unresolved").await;
    named(&answer, "nameless", 0);

    for (bytes, code) in [
        ("", "upstream_reset"),
        ("HTTP/1.1 2", "upstream_reset"),
        ("no HTTP\r\n\r\n", "upstream_malformed"),
        ("HTTP/1.1 200 OK\r\nX-Accel-Redirect: /missing\r\nContent-Length: 0\r\n\r\n", "internal_file"),
    ] {
        let (answer, ()) = tokio::join!(client.get("/app/x").send(), async {
            let mut exchange = origin.exchange().await;
            exchange.send(bytes).await;
            exchange.close().await;
        });
        expect(&edge, &answer, 502, code).await;
        named(&answer, "app", 1);
    }

    for (path, code) in [("/app/x", "upstream_timeout"), ("/brief/x", "total_timeout")] {
        let (answer, held) = tokio::join!(client.get(path).send(), origin.exchange());
        expect(&edge, &answer, 504, code).await;
        named(&answer, "app", 1);
        let line = edge.log().line_with(answer.header("x-request-id").expect("an id")).await;
        assert!(line["upstream_ms"].as_f64().expect("a time") >= 100.0, "{line}");
        drop(held);
    }
}

/// A listener whose queue is full does not answer a SYN, as a firewall that drops packets.
#[tokio::test]
async fn an_endpoint_that_answers_no_connect_is_given_up() {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let silent = socket.listen(0).expect("a listener");
    let address = silent.local_addr().expect("its address");
    let mut queued = Vec::new();
    while let Ok(connected) = tokio::time::timeout(BRIEF, TcpStream::connect(address)).await {
        queued.push(connected.expect("a connection"));
        assert!(queued.len() < 64, "the queue is never full");
    }
    let limited = "connect_timeout = \"200ms\"\n[[route]]";
    let edge = Edge::start(&forwarding_to(&address.to_string()).replace("[[route]]", limited)).await;
    let answer = edge.http().get("/").send().await;
    expect(&edge, &answer, 504, "upstream_connect_timeout").await;
    assert_eq!((&answer.json()["upstream"], &answer.json()["attempts"]), (&json!("app"), &json!(1)));
}

/// Everybody, root too, may only write this file of the kernel's.
#[tokio::test]
async fn a_file_that_may_not_be_read_is_forbidden() {
    let edge = Edge::start(
        r#"
        [listener.http]
        address = "127.0.0.1:0"

        [[route]]
        match = "/**"
        auth = "public"
        files = { root = "/proc/sys/vm" }
        "#,
    )
    .await;
    let answer = edge.http().get("/drop_caches").send().await;
    expect(&edge, &answer, 403, "file_forbidden").await;
}

/// The upstream was reached, but it is the client who was at fault.
#[tokio::test]
async fn an_error_of_the_client_blames_no_upstream() {
    let mut origin = Origin::start().await;
    let edge = start(&origin.endpoint()).await;
    let (call, upload) = edge.http().host("shop.example").post("/app/x").upload();
    upload.send(vec![b'x'; 600]);
    let (answer, ()) = tokio::join!(call.send(), async {
        let exchange = origin.exchange().await;
        upload.send(vec![b'x'; 600]);
        let _ = exchange.into_raw().read_to_close().await;
    });
    expect(&edge, &answer, 413, "body_too_large").await;
    assert!(answer.json().get("upstream").is_none(), "{answer:?}");
}

#[tokio::test]
async fn an_answer_without_a_body_still_carries_the_id() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = start(&origin.endpoint()).await;
    let answer = edge.http().host("shop.example").call("HEAD", "/nowhere").send().await.expect_status(404);
    assert!(answer.body.is_empty());
    let line = edge.log().line_with(answer.header("x-request-id").expect("an id")).await;
    assert_eq!(line["code"], "no_route");
}

/// That library's clients know its words only; the log still has the code.
#[tokio::test]
async fn refusals_in_simplejwts_words_have_their_code_in_the_log() {
    let guarded = Guarded::start("EdDSA", "errors = \"simplejwt\"").await;
    let answer = guarded.edge.http().get("/x").bearer("garbage").send().await.expect_status(401);
    assert_eq!(answer.json()["code"], "token_not_valid");
    let line = guarded.edge.log().line_with(answer.header("x-request-id").expect("an id")).await;
    assert_eq!((&line["code"], &line["status"]), (&json!("token_invalid"), &json!(401)));
}
