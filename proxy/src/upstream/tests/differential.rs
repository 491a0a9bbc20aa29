//! The same bytes to this client and to hyper's: what this one takes for a sound response, that one reads alike.
//! This one is stricter, so the other direction does not hold.

use super::support::*;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PARTS: &[&str] = &[
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.0 200 OK\r\n",
    "HTTP/1.1 204 No Content\r\n",
    "HTTP/1.1 103 Early Hints\r\n\r\n",
    "HTTP/1.1 200\r\n",
];

const FIELDS: &[&str] = &[
    "Content-Length: 5\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: 0\r\n",
    "Content-Length: 05\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: Chunked\r\n",
    "Connection: close\r\n",
    "X-Empty:\r\n",
    "x : y\r\n",
    " folded\r\n",
    "bare: line\n",
];

const BODIES: &[&str] = &[
    "hello",
    "hello more",
    "5\r\nhello\r\n0\r\n\r\n",
    "005;a=b\r\nhello\r\n00\r\nx: y\r\n\r\n",
    "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    "5\r\nhello\r\n",
    "g\r\n",
    "",
];

fn response() -> impl Strategy<Value = String> {
    let fields = prop::collection::vec(prop::sample::select(FIELDS), 0..3);
    (prop::sample::select(PARTS), fields, prop::sample::select(BODIES))
        .prop_map(|(line, fields, body)| format!("{line}{}\r\n{body}", fields.concat()))
}

/// Status and whole body, or that there is none.
type Seen = Result<(u16, Bytes), String>;

fn ours(bytes: &str) -> Seen {
    let mut seen = Err(String::new());
    run(async |upstream, listener| {
        (seen, ()) = tokio::join!(
            async {
                let response = get(&upstream).await.map_err(|error| error.to_string())?;
                let status = response.status().as_u16();
                let body = response.into_body().collect().await.map_err(|error| error.to_string())?;
                Ok((status, body.to_bytes()))
            },
            async {
                let mut peer = Peer::accept(&listener).await;
                peer.answer(bytes).await;
                let _ = peer.0.shutdown().await;
            }
        );
    });
    seen
}

fn hypers(bytes: &str) -> Seen {
    let runtime = serve::worker::local_runtime().expect("a runtime");
    runtime.block_on(async {
        let (stream, mut peer) = tokio::io::duplex(64 * 1024);
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        tokio::task::spawn_local(connection);
        let asked = http::Request::get("/").body(Empty::<Bytes>::new()).expect("a request");
        let (seen, _peer) = tokio::join!(
            async {
                let response = sender.send_request(asked).await.map_err(|error| error.to_string())?;
                let status = response.status().as_u16();
                let body = response.into_body().collect().await.map_err(|error| error.to_string())?;
                Ok((status, body.to_bytes()))
            },
            async {
                let mut request = [0; 1024];
                let _ = peer.read(&mut request).await;
                let _ = peer.write_all(bytes.as_bytes()).await;
                let _ = peer.shutdown().await;
                peer
            }
        );
        seen
    })
}

#[test]
fn what_is_sound_reads_as_hyper_reads_it() {
    let mut runner = TestRunner::new(Config { cases: 150, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&response(), |bytes| {
        let seen = ours(&bytes);
        if seen.is_ok() {
            prop_assert_eq!(seen, hypers(&bytes), "{:?}", bytes);
        }
        Ok(())
    });
    assert!(outcome.is_ok(), "{outcome:?}");
}
