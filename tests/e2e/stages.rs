//! Something ends or stalls at every stage of a request, and each time the client sees exactly one thing: a whole
//! answer, an error of the edge, or a body that visibly breaks off. Over HTTP/1.1 and HTTP/2 alike.

mod breaks;
mod halves;
mod slow;

use portcullis_tests::edge::{Edge, forwarding_from_both};
use portcullis_tests::http2::StreamAnswer;
use portcullis_tests::origin::Origin;
use std::time::Duration;

/// Only a failing test waits so long.
const PROMPTLY: Duration = Duration::from_secs(5);

/// `INTERNAL_ERROR`: the server can't go on with the stream, for reasons that are not the client's.
const INTERNAL_ERROR: u32 = 2;

/// An edge with both listeners; `keys` are further lines of them and `route` of its route.
async fn start(keys: &str, route: &str) -> (Edge, Origin) {
    let origin = Origin::start().await;
    let config = forwarding_from_both(&origin.endpoint())
        .replace("address = \"127.0.0.1:0\"", &format!("address = \"127.0.0.1:0\"\n{keys}"));
    (Edge::start(&format!("{config}\n{route}\n")).await, origin)
}

/// The code of a problem.
fn code(body: &[u8]) -> String {
    let problem: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    problem["code"].as_str().unwrap_or("no code").to_owned()
}

/// Status and code of an answer over HTTP/2 that is a problem.
fn refused(answer: &StreamAnswer) -> (Option<u16>, String) {
    (answer.status, code(&answer.body))
}
