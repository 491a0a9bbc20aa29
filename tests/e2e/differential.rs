//! The same bytes to this server, to nginx and to HAProxy, each with a recorder behind it: what is answered and what
//! reaches the recorder must be the same, or be a difference that is listed here with its reason.
//!
//! The list holds for the versions of Debian 12, nginx 1.22 and HAProxy 2.6: others may have learned or forgotten
//! something, and then a row has to be looked at anew.
//!
//! A peer that is not installed is SKIPPED, unless `PORTCULLIS_REQUIRE_PEERS=1` makes that a failure.

mod cases;
mod differences;

use cases::CASES;
use differences::DIFFERENCES;
use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::exchange::{Received, ok};
use portcullis_tests::origin::{Answering, Origin};
use portcullis_tests::peer::Peer;
use portcullis_tests::raw::Raw;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

/// Set to `1` where a missing peer must fail the test.
const REQUIRE: &str = "PORTCULLIS_REQUIRE_PEERS";

/// The peers wait for one second for the rest of a request.
const PATIENCE: Duration = Duration::from_secs(5);

/// Ends each conversation: a server that still reads requests answers it and closes.
const LAST: &str = "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// A request, or several.
struct Case {
    name: &'static str,
    bytes: &'static str,
}

/// One case that this server and a peer take differently, and why that is right.
struct Difference {
    case: &'static str,
    peer: Peer,
    /// What this server makes of it.
    ours: &'static str,
    /// What the peer does.
    theirs: &'static str,
    why: &'static str,
}

#[tokio::test]
async fn nginx() {
    compare(Peer::Nginx).await;
}

#[tokio::test]
async fn haproxy() {
    compare(Peer::Haproxy).await;
}

#[expect(clippy::print_stderr, reason = "a skipped test must say so where its reader looks")]
async fn compare(peer: Peer) {
    let theirs = Origin::start().await;
    let upstream = theirs.address();
    let theirs = theirs.always(ok("ok"));
    let Some(running) = peer.start(upstream).await else {
        let required = std::env::var(REQUIRE).is_ok_and(|value| value == "1");
        assert!(!required, "{REQUIRE}=1, but {} is not installed", peer.name());
        eprintln!("SKIPPED: the comparison with {}, which is not installed", peer.name());
        return;
    };
    let ours = Origin::start().await.always(ok("ok"));
    let limits = "header_timeout = \"1s\"\nidle_timeout = \"1s\"";
    let config = forwarding_to(&ours.endpoint())
        .replace("address = \"127.0.0.1:0\"", &format!("address = \"127.0.0.1:0\"\n{limits}"));
    let edge = Edge::start(&format!("{config}\nprogress_timeout = \"1s\"\n")).await;

    let mut wrong = String::new();
    for case in CASES {
        let mine = outcome(edge.address("http"), case.bytes, &ours).await;
        let other = outcome(running.address(), case.bytes, &theirs).await;
        let listed = DIFFERENCES.iter().find(|difference| difference.case == case.name && difference.peer == peer);
        let said = format!("{}: ours {mine:?}, {} {other:?}", case.name, peer.name());
        let verdict = match listed {
            Some(Difference { ours, theirs, .. }) if (*ours, *theirs) == (mine.as_str(), other.as_str()) => continue,
            None if mine == other => continue,
            Some(Difference { ours, theirs, .. }) => format!("{said}; listed as {ours:?} and {theirs:?}"),
            None => format!("{said}; not listed"),
        };
        writeln!(wrong, "{verdict}").expect("a string takes text");
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn every_difference_is_of_a_case_and_has_a_reason() {
    for Difference { case, peer, ours, theirs, why } in DIFFERENCES {
        assert!(CASES.iter().any(|known| known.name == *case), "{case}: no such case");
        assert_ne!(ours, theirs, "{case}: no difference");
        assert!(why.len() > 20, "{case}: no reason");
        let twice = DIFFERENCES.iter().filter(|other| other.case == *case && other.peer == *peer).count();
        assert_eq!(twice, 1, "{case}: listed twice");
    }
    for (index, case) in CASES.iter().enumerate() {
        assert!(CASES[..index].iter().all(|earlier| earlier.name != case.name), "{}: twice", case.name);
    }
}

/// What is answered, and what the recorder got, for example `2xx 2xx: GET /a; GET /last`.
async fn outcome(server: SocketAddr, bytes: &str, recorder: &Answering) -> String {
    let before = recorder.received().len();
    let mut client = Raw::connect(server).await;
    client.send(format!("{bytes}{LAST}")).await;
    let (answers, _) = client.read_to_end(PATIENCE).await;
    let statuses = classes(&String::from_utf8_lossy(&answers));
    let seen: Vec<String> = recorder.received()[before..].iter().map(recorded).collect();
    if seen.is_empty() { statuses } else { format!("{statuses}: {}", seen.join("; ")) }
}

/// The final answers in a stream of them: the class of each, or `refused` for what a server says of a request that it
/// does not take. Whether that is 400, 405 or 501 is a matter of taste.
fn classes(answers: &str) -> String {
    let statuses = answers.split("HTTP/1.").skip(1).filter_map(|rest| rest.get(1..5)?.strip_prefix(' '));
    let found: Vec<String> = statuses
        .filter(|status| status.bytes().all(|byte| byte.is_ascii_digit()) && !status.starts_with('1'))
        .map(|status| match status {
            "501" | "505" => "refused".to_owned(),
            _ if status.starts_with('4') => "refused".to_owned(),
            _ => format!("{}xx", &status[..1]),
        })
        .collect();
    if found.is_empty() { "closed".to_owned() } else { found.join(" ") }
}

/// A request as the recorder got it: method, target, framing and body.
fn recorded(received: &Received) -> String {
    let head = &received.head;
    let content = String::from_utf8_lossy(&received.body.content);
    let framing = match (head.is_chunked(), head.field("content-length")) {
        (true, None) => " chunked ".to_owned(),
        (true, Some(length)) => format!(" chunked and {length} "),
        (false, Some(length)) => format!(" {length} "),
        (false, None) => String::new(),
    };
    format!("{} {}{framing}{content}", head.method(), head.target())
}
