//! What an HTTP/2 server must refuse, and how (RFC 9113, RFC 7541): each row is one script of frames with the section
//! that it is about, and the error that the standard names. The order of the standard is the order of the tables.

mod accepted;
mod compression;
mod connection;
mod frames;
mod messages;
mod streams;

use portcullis_tests::edge::{Edge, forwarding_from_both};
use portcullis_tests::exchange::ok;
use portcullis_tests::frame::{ACK, Frame, GOAWAY, PING, RST_STREAM};
use portcullis_tests::hpack;
use portcullis_tests::http2::Http2;
use portcullis_tests::origin::{Answering, Origin};
use std::time::Duration;

/// Only a failing row waits so long.
const PROMPTLY: Duration = Duration::from_secs(2);

/// Error codes (RFC 9113 section 7).
const PROTOCOL_ERROR: u32 = 1;
const FLOW_CONTROL_ERROR: u32 = 3;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE_ERROR: u32 = 6;
const COMPRESSION_ERROR: u32 = 9;

/// The target of what must not reach the upstream.
const WRONG: &str = "/wrong";

/// How the server has to take a script.
///
/// Where the standard names a code, the unspecific `PROTOCOL_ERROR` (RFC 9113 section 7) is taken too: the `h2` crate
/// says it for most frames that it can't read, and what matters to both sides is that the connection or stream ends.
#[derive(Debug, Clone, Copy)]
enum Expected {
    /// A connection error with one of these codes: GOAWAY and the end.
    Connection(&'static [u32]),
    /// A stream error with one of these codes, on this stream; a server may make a connection error of it
    /// (RFC 9113 section 5.4.2).
    Stream(u32, &'static [u32]),
    /// The request on this stream is sound HTTP/2 and refused with 400.
    Refusal(u32),
    /// Nothing happens: the connection goes on.
    Nothing,
    /// The request on this stream is answered with 200.
    Answer(u32),
}

/// What the server did.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Done {
    GoAway(u32),
    Reset(u32, u32),
    Closed,
    Pong,
    Hung,
}

/// One script on a connection whose settings have been exchanged.
struct Row {
    /// For example `6.5.2`, of RFC 9113 unless it says otherwise.
    section: &'static str,
    name: &'static str,
    script: Vec<u8>,
    expected: Expected,
}

fn row(section: &'static str, name: &'static str, script: impl Into<Vec<u8>>, expected: Expected) -> Row {
    Row { section, name, script: script.into(), expected }
}

/// The frame of a whole GET.
fn get(stream: u32, path: &str) -> Frame {
    Frame::headers(stream, hpack::request("GET", path, &[])).end()
}

/// The first frame of a POST whose body follows.
fn post(stream: u32, path: &str) -> Frame {
    Frame::headers(stream, hpack::request("POST", path, &[]))
}

/// What a script is followed by: its answer says that all before it has been read.
const MARK: &[u8; 8] = b"the mark";

async fn start() -> (Edge, Answering) {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&forwarding_from_both(&origin.endpoint())).await;
    (edge, origin)
}

/// Plays each row on a connection of its own and fails with all that went otherwise.
async fn hold(table: Vec<Row>) {
    let (edge, origin) = start().await;
    let mut wrong = Vec::new();
    let mut reached = 0;
    for row in &table {
        let mut connection = Http2::open(&edge.https()).await;
        connection.send_bytes([row.script.clone(), Frame::ping(MARK).bytes()].concat()).await;
        if let Err(found) = judge(&mut connection, row.expected).await {
            wrong.push(format!("{} {}: {found} and not {:?}", row.section, row.name, row.expected));
        }
        let received = origin.received();
        if received.iter().filter(|received| received.head.target() == WRONG).count() > reached {
            reached += 1;
            wrong.push(format!("{} {}: it has reached the upstream", row.section, row.name));
        }
    }
    assert!(wrong.is_empty(), "{} findings in {} rows:\n{}", wrong.len(), table.len(), wrong.join("\n"));
}

fn named(codes: &[u32], code: u32) -> bool {
    codes.contains(&code) || code == PROTOCOL_ERROR
}

async fn judge(connection: &mut Http2, expected: Expected) -> Result<(), String> {
    let fine = match expected {
        Expected::Connection(codes) => {
            // Stream errors may come first; what counts is that the connection ends, and why.
            let done = read(connection, |done| matches!(done, Done::GoAway(_))).await;
            if let Done::GoAway(code) = done
                && !ends(connection).await
            {
                return Err(format!("GOAWAY {code}, but the connection goes on"));
            }
            matches!(done, Done::GoAway(code) if named(codes, code)).then_some(()).ok_or(done)
        }
        Expected::Stream(stream, codes) => {
            let refused = |done: &Done| match *done {
                Done::GoAway(_) => true,
                Done::Reset(on, _) => on == stream,
                _ => false,
            };
            let done = read(connection, refused).await;
            let fine = matches!(done, Done::GoAway(code) | Done::Reset(_, code) if named(codes, code));
            fine.then_some(()).ok_or(done)
        }
        Expected::Nothing => {
            let done = read(connection, |done| *done == Done::Pong).await;
            (done == Done::Pong).then_some(()).ok_or(done)
        }
        Expected::Answer(stream) | Expected::Refusal(stream) => {
            let status = if matches!(expected, Expected::Answer(_)) { 200 } else { 400 };
            let reading = tokio::time::timeout(PROMPTLY, connection.answer(stream)).await;
            return match reading {
                Ok(answer) if answer.status == Some(status) => Ok(()),
                Ok(answer) => Err(format!("{answer:?}")),
                Err(_) => Err(format!("{:?}", Done::Hung)),
            };
        }
    };
    fine.map_err(|done| format!("{done:?}"))
}

/// Reads until `found`, or the end, or the answer to the mark where that says that nothing else will come.
async fn read(connection: &mut Http2, found: impl Fn(&Done) -> bool) -> Done {
    let reading = async {
        loop {
            let Some(frame) = connection.next().await else { return Done::Closed };
            let done = match frame.kind {
                GOAWAY => Done::GoAway(frame.number_at(4)),
                RST_STREAM => Done::Reset(frame.stream, frame.number_at(0)),
                PING if frame.is(PING, ACK) && frame.payload == MARK => Done::Pong,
                _ => continue,
            };
            if found(&done) || matches!(done, Done::GoAway(_)) {
                return done;
            }
        }
    };
    tokio::time::timeout(PROMPTLY, reading).await.unwrap_or(Done::Hung)
}

/// Whether the connection ends now.
async fn ends(connection: &mut Http2) -> bool {
    let reading = async { while connection.next().await.is_some() {} };
    tokio::time::timeout(PROMPTLY, reading).await.is_ok()
}
