//! Requests that two servers could read in two ways, byte by byte: one answer of the edge's own, the connection closes,
//! and nothing of them reaches an upstream. Whatever follows on the connection is thrown away, because nobody knows
//! where the next request would start (RFC 9112 section 11.2).

mod chunks;
mod fields;
mod framing;
mod host;
mod line;
mod order;
mod sound;

use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::head::Head;
use portcullis_tests::origin::Origin;
use portcullis_tests::raw::{End, Raw};
use std::time::Duration;

/// What must never arrive at the upstream: it follows each request of the tables, where a body or a further request
/// could stand.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// How long a refusal, and the end of a connection after it, may take. Only a failing row waits so long.
const PROMPTLY: Duration = Duration::from_secs(2);

/// What the edge may answer: a status and the stable code in its body.
type Refusal = (u16, &'static str);

/// Not HTTP, or HTTP that could be read in two ways.
const MALFORMED: &[Refusal] = &[(400, "malformed_request")];
/// RFC 9112 section 6.1: a transfer coding that the server does not understand.
const CODING: &[Refusal] = &[(501, "coding_unsupported")];
/// Sections 6.1 and 6.3 name 501 and 400 for the same request: an unknown coding, and not chunked at the end.
const CODING_OR_MALFORMED: &[Refusal] = &[(501, "coding_unsupported"), (400, "malformed_request")];
/// RFC 9110 section 15.6.6.
const VERSION: &[Refusal] = &[(505, "version_unsupported")];
/// RFC 9112 section 3: a target longer than the server wishes to parse.
const TARGET_TOO_LONG: &[Refusal] = &[(414, "uri_too_long")];
/// RFC 6585 section 5.
const HEAD_TOO_LARGE: &[Refusal] = &[(431, "headers_too_large")];
/// RFC 9112 section 3.2: none, several or a bad one. A check before the routes may find it, or the reader of heads.
const HOST: &[Refusal] = &[(400, "bad_host"), (400, "malformed_request")];
/// RFC 9112 section 3.2: a target in none of the forms that fit its method.
const TARGET: &[Refusal] = &[(400, "bad_target"), (400, "malformed_request")];
/// The edge is no forward proxy.
const CONNECT: &[Refusal] = &[(405, "connect_unsupported")];

/// A request, what it is about, and what may be answered to it.
struct Row {
    name: String,
    request: String,
    refusals: &'static [Refusal],
}

fn row(name: &str, request: impl Into<String>, refusals: &'static [Refusal]) -> Row {
    Row { name: name.to_owned(), request: request.into(), refusals }
}

/// Rows whose request is used as it stands.
fn rows(table: &[(&str, &str, &'static [Refusal])]) -> Vec<Row> {
    table.iter().map(|(name, request, refusals)| row(name, *request, refusals)).collect()
}

/// Plays every row and fails with all that were not answered as they say. When `unseen`, not even a head may reach the
/// upstream; otherwise it may have begun to, and must see the request break off.
async fn are_refused(table: Vec<Row>, unseen: bool) {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let mut wrong = Vec::new();
    for Row { name, request, refusals } in &table {
        if let Err(found) = refusal(&edge, request, refusals).await {
            wrong.push(format!("{name}: {found}"));
        }
        while let Some(exchange) = origin.arrived() {
            let head = exchange.head().start_line.clone();
            let (seen, _) = exchange.into_raw().read_to_end(PROMPTLY).await;
            let whole = seen.ends_with(b"0\r\n\r\n") || String::from_utf8_lossy(&seen).contains("smuggled");
            if unseen || whole || head.contains("smuggled") {
                let seen: String = format!("{head:?} {:?}", String::from_utf8_lossy(&seen)).chars().take(200).collect();
                wrong.push(format!("{name}: the upstream saw {seen}"));
            }
        }
    }
    // A good request that comes after all of them is the next one that the upstream sees: none was under way.
    let (answer, ()) = tokio::join!(edge.http().get("/good").send(), async {
        let exchange = origin.exchange().await;
        assert_eq!(exchange.head().target(), "/good");
        exchange.reply_text("ok").await;
    });
    assert_eq!(answer.expect_status(200).text(), "ok");
    assert!(wrong.is_empty(), "{} findings in {} rows:\n{}", wrong.len(), table.len(), wrong.join("\n"));
}

/// Sends one request with [`SMUGGLED`] behind it. `Err` says in which way the outcome is not one of `refusals`.
async fn refusal(edge: &Edge, request: &str, refusals: &[Refusal]) -> Result<(), String> {
    let mut client = Raw::connect(edge.address("http")).await;
    client.send(format!("{request}{SMUGGLED}")).await;
    let (bytes, end) = client.read_to_end(PROMPTLY).await;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return Err(format!("no whole head in {text:?}, connection {end:?}"));
    };
    let head = Head::parse(format!("{head}\r\n\r\n").as_bytes());
    if end == End::Open {
        return Err(format!("{} and the connection stays open", head.status()));
    }
    if head.field("connection") != Some("close") {
        return Err(format!("{} without \"connection: close\"", head.status()));
    }
    if head.content_length() != body.len() {
        return Err(format!("{} with something behind its body: {body:?}", head.status()));
    }
    let problem: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let code = problem["code"].as_str().unwrap_or("no code");
    let sound = head.field("content-type") == Some("application/problem+json")
        && head.field("cache-control") == Some("no-store")
        && problem["source"] == "edge"
        && problem["status"] == head.status()
        && problem["request_id"].as_str() == head.field("x-request-id");
    match refusals.iter().any(|refusal| *refusal == (head.status(), code)) {
        true if sound => Ok(()),
        true => Err(format!("a problem that is not as the others: {} {body}", head.raw)),
        false => Err(format!("{} {code:?} and not one of {refusals:?}", head.status())),
    }
}

/// A request is refused before its secrets could be repeated to anybody.
#[tokio::test]
async fn a_refusal_tells_no_secrets() {
    let origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    for fault in ["Host: b", "X Y: z", "Content-Length: x"] {
        let request =
            format!("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer very.secret.token\r\n{fault}\r\n\r\n");
        let answer = portcullis_tests::raw::talk(edge.address("http"), request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{fault}: {answer}");
        assert!(!answer.contains("secret"), "{fault}: {answer}");
    }
}
