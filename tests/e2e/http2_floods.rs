//! Floods of frames that cost a client nothing: the connection ends, memory stays where it was, and others are served
//! on. Against the real binary, whose memory can be measured.

use portcullis_tests::client::Client;
use portcullis_tests::deadline::within;
use portcullis_tests::exchange::ok;
use portcullis_tests::frame::{CONTINUATION, END_HEADERS, Frame, HEADERS, bytes};
use portcullis_tests::hpack;
use portcullis_tests::http2::{Ending, Http2, PREFACE};
use portcullis_tests::metrics::Metrics;
use portcullis_tests::origin::{Answering, Origin};
use portcullis_tests::process::Process;
use portcullis_tests::raw::End;
use std::time::Duration;

/// Only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// What one connection may cost, whatever it does, in KiB.
const GROWTH_KIB_MAX: u64 = 20 * 1024;

const CONFIG: &str = r#"
[server]
threads = 1
state = "state"

[admin]
address = "unix:admin.sock"

[log]
access = false

[listener.front]
address = "127.0.0.1:0"
tls = true
send_timeout = "1s"
header_timeout = "1h"
idle_timeout = "1h"

[site.any]
tls = "self-signed"

[upstream.app]
endpoints = ["ENDPOINT"]

[[route]]
match = "/**"
auth = "public"
forward = "app"
"#;

/// One worker before an upstream, warm: a request has been served.
async fn start(origin: &Answering) -> (Process, u64) {
    let process = Process::start(&CONFIG.replace("ENDPOINT", &origin.endpoint())).await;
    let _ = process.https("front").http2().get("/warm").send().await.expect_status(200);
    let before = process.resident_kib();
    (process, before)
}

/// Waits until the operator is told why a connection was cut: for one of these reasons and for no other.
async fn noted(process: &Process, reasons: &[&str]) {
    let admin = Client::unix(&process.folder().join("admin.sock"));
    let sample = |reason: &&str| format!("portcullis_protections_total{{reason=\"{reason}\"}}");
    let counted = async {
        loop {
            let page = Metrics::parse(admin.get("/metrics").send().await.expect_status(200).text());
            let sum = page.sum("portcullis_protections_total");
            if sum > 0 {
                return (reasons.iter().any(|reason| page.get(&sample(reason)) == sum), page);
            }
        }
    };
    let (is_expected, page) = within("the end of a connection to be counted", counted).await;
    assert!(is_expected, "not only for one of {reasons:?}: {page:#?}");
}

/// Floods a connection and checks that it ends, at what price, what it is counted as, and that the next client is
/// served.
async fn ends(flood: Vec<u8>, reasons: &[&str]) {
    let origin = Origin::start().await.always(ok("ok"));
    let (process, before) = start(&origin).await;
    let mut connection = Http2::open(&process.https("front")).await.into_raw();
    let (_, end) = connection.flood(&flood, PATIENCE).await;
    let grown = process.peak_kib().saturating_sub(before);
    assert_ne!(end, End::Open, "the flood may go on ({grown} KiB so far)");
    assert!(grown < GROWTH_KIB_MAX, "the flood took {grown} KiB");
    noted(&process, reasons).await;
    let _ = process.https("front").http2().get("/next").send().await.expect_status(200);
    let seen = origin.received().len();
    assert!(seen < 2_000, "{seen} requests have reached the upstream");
}

fn get(stream: u32) -> Frame {
    Frame::headers(stream, hpack::request("GET", "/flood", &[])).end()
}

/// The odd numbers from 1 on.
fn streams(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|number| number * 2 + 1)
}

/// CVE-2023-44487.
#[tokio::test]
async fn rapid_resets() {
    ends(
        bytes(&streams(20_000).flat_map(|stream| [get(stream), Frame::reset(stream, 8)]).collect::<Vec<_>>()),
        &["rapid_reset"],
    )
    .await;
}

/// CVE-2025-8671: the client makes the server reset, by windows that grow too large, which no count of the client's
/// resets sees. Which limit comes first depends on how many are answered before.
#[tokio::test]
async fn resets_that_the_server_is_made_to_send() {
    let provoked = |stream| [get(stream), Frame::window_update(stream, 0x7fff_ffff)];
    let flood = bytes(&streams(20_000).flat_map(provoked).collect::<Vec<_>>());
    ends(flood, &["control_frames", "induced_reset"]).await;
}

/// Streams beyond the limit are refused one by one, but not without end.
#[tokio::test]
async fn streams_that_are_never_ended() {
    let open = |stream| Frame::headers(stream, hpack::request("POST", "/flood", &[]));
    ends(bytes(&streams(20_000).map(open).collect::<Vec<_>>()), &["induced_reset"]).await;
}

/// As many malformed requests as a client likes: each is answered with a reset.
#[tokio::test]
async fn malformed_requests_without_end() {
    let malformed = |stream| Frame::headers(stream, hpack::request("GET", "/flood", &[("connection", "close")])).end();
    ends(bytes(&streams(20_000).map(malformed).collect::<Vec<_>>()), &["induced_reset"]).await;
}

/// CVE-2019-9512.
#[tokio::test]
async fn pings() {
    ends(Frame::ping(b"12345678").bytes().repeat(200_000), &["control_frames"]).await;
}

/// CVE-2019-9515.
#[tokio::test]
async fn settings() {
    ends(Frame::settings(&[]).bytes().repeat(200_000), &["control_frames"]).await;
}

/// CVE-2019-9518.
#[tokio::test]
async fn empty_data() {
    let open = Frame::headers(1, hpack::request("POST", "/flood", &[])).bytes();
    ends([open, Frame::data(1, []).bytes().repeat(200_000)].concat(), &["empty_frames"]).await;
}

/// CVE-2024-27316: a header block that never ends.
#[tokio::test]
async fn continuations() {
    let open = Frame::headers(1, hpack::request("GET", "/flood", &[])).without(END_HEADERS).end().bytes();
    let field = hpack::literal("x-any", "y".repeat(1_000)).repeat(16);
    ends([open, Frame::new(CONTINUATION, 0, 1, field).bytes().repeat(1_000)].concat(), &["continuation"]).await;
}

/// The same with nothing in it, which no limit of bytes counts.
#[tokio::test]
async fn empty_continuations() {
    let open = Frame::headers(1, hpack::request("GET", "/flood", &[])).without(END_HEADERS).end().bytes();
    ends([open, Frame::new(CONTINUATION, 0, 1, []).bytes().repeat(200_000)].concat(), &["continuation"]).await;
}

/// CVE-2016-6581: a field of the table, named again and again by one byte each.
#[tokio::test]
async fn a_block_that_unfolds_to_megabytes_is_refused() {
    let origin = Origin::start().await.always(ok("ok"));
    let (process, before) = start(&origin).await;
    let mut connection = Http2::open(&process.https("front")).await;
    let entering = [&[0x40][..], &hpack::literal("x-any", "y".repeat(3_900))[1..]].concat();
    let block = [hpack::request("GET", "/flood", &[]), entering, vec![0x80 | 62; 10_000]].concat();
    connection.send(Frame::headers(1, block).end()).await;
    let answer = connection.answer(1).await;
    let refused = answer.status == Some(431) || matches!(answer.ending, Ending::Reset(_) | Ending::GoAway(_));
    assert!(refused, "{answer:?}");
    assert!(process.peak_kib().saturating_sub(before) < GROWTH_KIB_MAX, "{} KiB", process.peak_kib() - before);
    assert!(origin.received().iter().all(|received| received.head.target() != "/flood"));
}

/// RFC 9113 section 10.5.1: a list of fields beyond what the settings have announced.
#[tokio::test]
async fn a_list_of_fields_that_is_too_large_is_refused() {
    let origin = Origin::start().await.always(ok("ok"));
    let (process, _) = start(&origin).await;
    let mut connection = Http2::open(&process.https("front")).await;
    let field = hpack::literal("x-any", "y".repeat(1_000));
    let rest = Frame::new(CONTINUATION, 0, 1, field.repeat(16)).bytes().repeat(3);
    let open = Frame::new(HEADERS, 1, 1, hpack::request("GET", "/flood", &[])).bytes();
    let last = Frame::new(CONTINUATION, END_HEADERS, 1, field).bytes();
    connection.send_bytes([open, rest, last].concat()).await;
    let answer = connection.answer(1).await;
    let refused = answer.status == Some(431) || matches!(answer.ending, Ending::Reset(_) | Ending::GoAway(_));
    assert!(refused, "{answer:?}");
    assert!(origin.received().iter().all(|received| received.head.target() != "/flood"));
}

/// CVE-2019-9517 and 9511: a hundred large answers are asked for, and no window is ever opened for them.
#[tokio::test]
async fn windows_that_never_open() {
    let origin = Origin::start()
        .await
        .answering(|received| ok(&"x".repeat(if received.head.target() == "/flood" { 4 << 20 } else { 2 })));
    let (process, before) = start(&origin).await;
    let mut connection = Http2::bare(&process.https("front")).await.into_raw();
    let settings = Frame::settings(&[(4, 0)]).bytes();
    let requests = bytes(&streams(100).map(get).collect::<Vec<_>>());
    let (_, end) = connection.flood(&[PREFACE, &settings, &requests].concat(), PATIENCE).await;
    let grown = process.peak_kib().saturating_sub(before);
    assert_ne!(end, End::Open, "a client that takes nothing keeps its connection");
    noted(&process, &["window_stall"]).await;
    assert!(grown < 2 * GROWTH_KIB_MAX, "100 answers that wait took {grown} KiB");
    let _ = process.https("front").http2().get("/next").send().await.expect_status(200);
}

/// Answers to pings that nobody reads must not gather.
#[tokio::test]
async fn pings_of_a_client_that_does_not_read() {
    let origin = Origin::start().await.always(ok("ok"));
    let (process, before) = start(&origin).await;
    let mut connection = Http2::open(&process.https("front")).await.into_raw();
    let flood = Frame::ping(b"12345678").bytes().repeat(2_000_000);
    // Ends when the server has ended the connection: until then it takes bytes, or does not.
    connection.send(&flood).await;
    let grown = process.peak_kib().saturating_sub(before);
    assert!(grown < GROWTH_KIB_MAX, "the flood took {grown} KiB");
    let (_, end) = connection.read_to_end(PATIENCE).await;
    assert_ne!(end, End::Open);
}
