//! Bodies far larger than memory allows to hold: both ways, both versions, and the process stays as small as it was.
//!
//! `PORTCULLIS_TEST_VOLUME` sets the size in MiB: 1024 takes between ten and forty seconds a test, by what else the
//! machine has to do. A quarter of it is more than six times what may be held, which is as good a proof.

use bytes::Bytes;
use portcullis_tests::client::Client;
use portcullis_tests::deadline::within;
use portcullis_tests::exchange::ok;
use portcullis_tests::origin::Origin;
use portcullis_tests::process::Process;
use std::pin::pin;

/// A debug build moves this in seconds, beside other tests.
const DEFAULT_MIB: usize = 256;

/// How much the process may grow while a body passes, in KiB.
const GROWTH_KIB_MAX: u64 = 40 * 1024;

const MIB: usize = 1 << 20;

const CONFIG: &str = r#"
[server]
threads = 1
state = "state"

[admin]
address = "unix:admin.sock"

[listener.plain]
address = "127.0.0.1:0"
tls = false

[listener.secure]
address = "127.0.0.1:0"
tls = true

[site.any]
tls = "self-signed"

[upstream.app]
endpoints = ["ENDPOINT"]

[[route]]
match = "/**"
auth = "public"
body_bytes_max = "1024GiB"
forward = "app"
"#;

fn mib() -> usize {
    let set = std::env::var("PORTCULLIS_TEST_VOLUME").ok();
    set.map_or(DEFAULT_MIB, |text| text.parse().expect("PORTCULLIS_TEST_VOLUME is a number of MiB"))
}

/// A warm process, its clients in both versions, and the memory that it has.
async fn start(origin: &mut Origin) -> (Process, [Client; 2], u64) {
    let process = Process::start(&CONFIG.replace("ENDPOINT", &origin.endpoint())).await;
    let clients = [Client::http(process.address("plain")), process.https("secure").http2()];
    for client in &clients {
        let (answer, ()) =
            tokio::join!(client.get("/").send(), async { origin.exchange().await.reply_text("ok").await });
        let _ = answer.expect_status(200);
    }
    let before = process.resident_kib();
    (process, clients, before)
}

fn assert_flat(process: &Process, before: u64) {
    let grown = process.peak_kib().saturating_sub(before);
    assert!(grown < GROWTH_KIB_MAX, "{} MiB took {grown} KiB of memory", mib());
}

#[tokio::test]
async fn an_upload_takes_no_memory() {
    let mut origin = Origin::start().await;
    let (process, clients, before) = start(&mut origin).await;
    let piece = Bytes::from(vec![b'x'; MIB]);
    let total = mib() * MIB;
    for client in clients {
        let (call, upload) = client.post("/").header("Content-Length", &total.to_string()).upload();
        // The pieces are one allocation.
        (0..mib()).for_each(|_| upload.send(piece.clone()));
        drop(upload);
        let mut connection = client.connect().await;
        let mut answering = pin!(call.open_watched_on(&mut connection));
        // Each read has a deadline of its own; how long all of them take is the machine's affair.
        let taking = async {
            let exchange = origin.exchange().await;
            assert_eq!(exchange.head().content_length(), total);
            let mut raw = exchange.into_raw();
            raw.skip(u64::try_from(total).expect("a length")).await;
            raw.send(ok("all of it")).await;
        };
        let early = tokio::select! {
            answer = &mut answering => Some(answer),
            () = taking => None,
        };
        let answer = match early {
            Some(answer) => answer,
            None => within("the answer to all of it", answering).await,
        };
        let answer = answer.expect("an answer").collect().await.expect("a whole answer");
        assert_eq!(answer.expect_status(200).text(), "all of it");
        assert_flat(&process, before);
    }
}

#[tokio::test]
async fn a_download_takes_no_memory() {
    let mut origin = Origin::start().await;
    let (process, clients, before) = start(&mut origin).await;
    let piece = vec![b'x'; MIB];
    let total = mib() * MIB;
    for client in clients {
        let reading = async {
            let mut answer = client.get("/").open().await;
            let mut read = 0;
            while let Some(piece) = answer.piece().await.expect("the answer is whole") {
                read += piece.len();
            }
            read
        };
        let (read, ()) = tokio::join!(reading, async {
            let mut exchange = origin.exchange().await;
            exchange.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {total}\r\n\r\n")).await;
            for _ in 0..mib() {
                exchange.send(&piece).await;
            }
            exchange.keep();
        });
        assert_eq!(read, total);
        assert_flat(&process, before);
    }
}
