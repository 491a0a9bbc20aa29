//! Upstreams whose answers are no HTTP, or HTTP that could be read in two ways (RFC 9112): 502 with one cause, or a
//! body that is seen to break off where the head was already under way; and their connection is never used again.

mod bodies;
mod heads;
mod interim;

use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::origin::Origin;
use portcullis_tests::raw::{End, Raw};
use std::time::Duration;

/// Only a failing row waits so long.
const PROMPTLY: Duration = Duration::from_secs(2);

/// What a client sees of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    /// The edge's 502, cause `upstream_malformed`.
    Malformed,
    /// This status, a whole body and this content.
    Whole(u16, &'static str),
    /// A body that breaks off, or the 502 if nothing had been sent yet.
    Broken,
}

/// One answer of an upstream.
struct Row {
    name: &'static str,
    /// What was asked for.
    method: &'static str,
    answer: Vec<u8>,
    /// Whether the upstream ends its connection behind it.
    ends: bool,
    seen: Seen,
}

fn row(name: &'static str, answer: impl Into<Vec<u8>>, seen: Seen) -> Row {
    Row { name, method: "GET", answer: answer.into(), ends: false, seen }
}

impl Row {
    fn asked_with(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    fn and_the_end(self) -> Self {
        Self { ends: true, ..self }
    }
}

/// Plays every row on an edge of its own and fails with all that went otherwise.
async fn are_survived(table: Vec<Row>) {
    let mut wrong = Vec::new();
    for row in &table {
        if let Err(found) = survived(row).await {
            wrong.push(format!("{}: {found}", row.name));
        }
    }
    assert!(wrong.is_empty(), "{} findings in {} rows:\n{}", wrong.len(), table.len(), wrong.join("\n"));
}

async fn survived(row: &Row) -> Result<(), String> {
    let mut origin = Origin::start().await;
    let config = forwarding_to(&origin.endpoint());
    let edge = Edge::start(&format!("{config}\nresponse_timeout = \"1s\"\n")).await;
    let mut client = Raw::connect(edge.address("http")).await;
    client.send(format!("{} /first HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", row.method)).await;
    let mut exchange = origin.exchange().await;
    exchange.send(&row.answer).await;
    let mut upstream = exchange.into_raw();
    if row.ends {
        upstream.finish().await;
    }
    let (bytes, end) = client.read_to_end(PROMPTLY).await;
    let found = seen(&bytes, end, row.method);
    let fine = match &found {
        Ok(found) => *found == row.seen || (*found == Seen::Malformed && row.seen == Seen::Broken),
        Err(_) => false,
    };
    // The next request must not meet what may be left of this answer.
    let mut next = Raw::connect(edge.address("http")).await;
    next.send("GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let (unread, ended) = upstream.read_to_end(PROMPTLY).await;
    if !unread.is_empty() {
        return Err(format!("its connection got another request: {:?}", String::from_utf8_lossy(&unread)));
    }
    if ended == End::Open {
        return Err("its connection is kept".to_owned());
    }
    let exchange = origin.exchange().await;
    assert_eq!((exchange.received.connection, exchange.head().target()), (2, "/next"));
    exchange.reply_text("fresh").await;
    assert!(next.read_to_close().await.ends_with("fresh"));
    match found {
        _ if fine => Ok(()),
        Ok(found) => Err(format!("{found:?} and not {:?}", row.seen)),
        Err(found) => Err(found),
    }
}

/// Reads what a client got: interim answers, then the final one.
fn seen(bytes: &[u8], end: End, method: &str) -> Result<Seen, String> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let mut rest = text.as_str();
    let (head, body) = loop {
        let Some((head, body)) = rest.split_once("\r\n\r\n") else {
            return Err(format!("no whole head, connection {end:?}: {text:?}"));
        };
        if !head.starts_with("HTTP/1.1 1") || head.starts_with("HTTP/1.1 101") {
            break (format!("{head}\r\n\r\n"), body);
        }
        rest = body;
    };
    let head = portcullis_tests::head::Head::parse(head.as_bytes());
    if end == End::Open {
        return Err(format!("{}, and the client's connection stays open", head.status()));
    }
    if head.status() == 502 {
        let problem: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
        let named = problem["code"] == "upstream_malformed" && problem["source"] == "edge";
        return if named { Ok(Seen::Malformed) } else { Err(format!("502 {body:?}")) };
    }
    if head.status() == 504 {
        return Err(format!("the edge waits: 504 {body:?}"));
    }
    let bodiless = method == "HEAD" || matches!(head.status(), 204 | 304);
    let content = if bodiless {
        if !body.is_empty() {
            return Err(format!("{} with a body: {body:?}", head.status()));
        }
        String::new()
    } else if head.is_chunked() {
        let Some(content) = body.strip_suffix("0\r\n\r\n") else { return Ok(Seen::Broken) };
        unchunked(content)
    } else if head.has("content-length") {
        if body.len() < head.content_length() {
            return Ok(Seen::Broken);
        }
        body.to_owned()
    } else {
        // Ended by the connection.
        if end == End::Reset {
            return Ok(Seen::Broken);
        }
        body.to_owned()
    };
    // Rows own their text; what was found is compared by value.
    Ok(Seen::Whole(head.status(), content.leak()))
}

fn unchunked(mut body: &str) -> String {
    let mut content = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap_or_default();
        content.push_str(rest.get(..size).unwrap_or(rest));
        body = rest.get(size + 2..).unwrap_or_default();
    }
    content
}
