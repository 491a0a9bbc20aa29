//! What becomes of a response, sound or not, and of its connection.

use super::support::*;
use crate::upstream::UpstreamError;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use serve::{Body, BodyError};

const SOUND: &[(&str, &str)] = &[
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x\r\nlo\r\n0\r\nx: y\r\n\r\n", "hello"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""),
    ("HTTP/1.1 204 No Content\r\n\r\n", ""),
    ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", ""),
];

#[test]
fn sound_responses_are_read_wherever_they_are_cut() {
    run(async |upstream, listener| {
        let mut peer = None;
        for (bytes, text) in SOUND {
            for cut in 0..bytes.len() {
                let (outcome, ()) = tokio::join!(async { read(get(&upstream).await).await }, async {
                    // One connection serves them all.
                    if peer.is_none() {
                        peer = Some(Peer::accept(&listener).await);
                    }
                    let peer = peer.as_mut().expect("a connection");
                    peer.answer(&bytes[..cut]).await;
                    tokio::task::yield_now().await;
                    peer.send(&bytes[cut..]).await;
                });
                assert_eq!(outcome.1.as_deref(), Ok(*text), "{bytes:?} cut at {cut}");
            }
        }
    });
}

#[test]
fn a_connection_that_ends_early_never_looks_whole() {
    for (bytes, text) in SOUND {
        for end in 0..bytes.len() {
            run(async |upstream, listener| {
                let (outcome, ()) = tokio::join!(get(&upstream), async {
                    let mut peer = Peer::accept(&listener).await;
                    peer.answer(&bytes[..end]).await;
                });
                match outcome {
                    Err(UpstreamError::Reset(_)) => assert!(!bytes[..end].contains("\r\n\r\n"), "{bytes:?} {end}"),
                    Err(error) => unreachable!("{bytes:?} {end}: {error}"),
                    Ok(response) => {
                        let body = response.into_body().collect().await;
                        assert_eq!(body.err(), Some(BodyError::Upstream), "{bytes:?} {end} {text}");
                    }
                }
            });
        }
    }
}

#[test]
fn without_an_announced_end_the_body_ends_with_its_connection() {
    for bytes in ["HTTP/1.1 200 OK\r\n\r\nhello", "HTTP/1.0 200 OK\r\n\r\nhello"] {
        run(async |upstream, listener| {
            let (outcome, ()) = tokio::join!(async { read(get(&upstream).await).await }, async {
                Peer::accept(&listener).await.answer(bytes).await;
            });
            assert_eq!(outcome, (200, Ok("hello".to_owned())));
        });
        // A reset is no end.
        run(async |upstream, listener| {
            let (outcome, ()) = tokio::join!(get(&upstream), async {
                let mut peer = Peer::accept(&listener).await;
                peer.answer(bytes).await;
                tokio::task::yield_now().await;
                peer.reset();
            });
            if let Ok(response) = outcome {
                assert_eq!(response.into_body().collect().await.err(), Some(BodyError::Upstream));
            }
        });
    }
}

#[test]
fn what_is_no_response_is_malformed() {
    for bytes in [
        "garbage\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\na : b\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
    ] {
        run(async |upstream, listener| {
            let (outcome, ()) = tokio::join!(get(&upstream), async {
                Peer::accept(&listener).await.answer(bytes).await;
            });
            assert!(matches!(outcome, Err(UpstreamError::Malformed(_))), "{bytes:?}");
        });
    }
    let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(70_000));
    run(async |upstream, listener| {
        let (outcome, ()) = tokio::join!(get(&upstream), async {
            let mut peer = Peer::accept(&listener).await;
            peer.answer(&endless).await;
            peer.read_to_close().await;
        });
        assert!(matches!(outcome, Err(UpstreamError::Malformed(_))));
    });
}

#[test]
fn broken_chunks_end_the_body_with_an_error() {
    for chunks in ["zz\r\n", "5\r\nhelloX", "-1\r\n", "5\nhello\r\n", "0\r\nno colon\r\n\r\n"] {
        run(async |upstream, listener| {
            let (outcome, seen) = tokio::join!(async { read(get(&upstream).await).await }, async {
                let mut peer = Peer::accept(&listener).await;
                peer.answer(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")).await;
                peer.read_to_close().await
            });
            assert_eq!(outcome, (200, Err(BodyError::Upstream)), "{chunks:?}");
            assert_eq!(seen, "", "the connection has ended");
        });
    }
}

#[test]
fn a_connection_is_used_again_only_when_nothing_speaks_against_it() {
    for (answer, kept) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", true),
        ("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", true),
        ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false),
        ("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad", false),
    ] {
        run(async |upstream, listener| {
            let (outcome, mut first) = tokio::join!(async { read(get(&upstream).await).await }, async {
                let mut peer = Peer::accept(&listener).await;
                peer.answer(answer).await;
                peer
            });
            assert_eq!(outcome, (200, Ok("ok".to_owned())));
            let next = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext";
            let (outcome, ()) = tokio::join!(async { read(get(&upstream).await).await }, async {
                if kept {
                    first.answer(next).await;
                } else {
                    assert_eq!(first.read_to_close().await, "", "{answer:?}");
                    Peer::accept(&listener).await.answer(next).await;
                }
            });
            assert_eq!(outcome, (200, Ok("next".to_owned())), "{answer:?}");
        });
    }
}

#[test]
fn the_answer_to_head_has_no_body() {
    run(async |upstream, listener| {
        let head = send(&upstream, request(Method::HEAD, "/"), Body::empty());
        let (outcome, ()) = tokio::join!(head, async {
            Peer::accept(&listener).await.answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").await;
        });
        let response = outcome.expect("a response");
        assert_eq!(response.headers()["content-length"], "5");
        assert_eq!(read(Ok(response)).await, (200, Ok(String::new())));
    });
}

#[test]
fn interim_responses_are_told_and_bounded() {
    run(async |upstream, listener| {
        let mut noted = Vec::new();
        let sending = send_noting(&upstream, request(Method::GET, "/"), Body::empty(), &mut noted);
        let (outcome, ()) = tokio::join!(sending, async {
            let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";
            let answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            Peer::accept(&listener).await.answer(format!("{hints}{answer}")).await;
        });
        assert_eq!(read(outcome).await, (200, Ok("ok".to_owned())));
        let statuses: Vec<_> = noted.iter().map(|(status, _)| *status).collect();
        assert_eq!(statuses, [StatusCode::EARLY_HINTS], "the 100 was not for the client");
        assert_eq!(noted[0].1["link"], "</a.css>");
    });
    run(async |upstream, listener| {
        let (outcome, ()) = tokio::join!(get(&upstream), async {
            let mut peer = Peer::accept(&listener).await;
            peer.answer("HTTP/1.1 102 Processing\r\n\r\n".repeat(17)).await;
        });
        assert!(matches!(outcome, Err(UpstreamError::Malformed(_))));
    });
}

#[test]
fn an_early_answer_passes_while_the_request_is_still_sent() {
    run(async |upstream, listener| {
        let (sender, body) = supplied();
        sender.send(piece(b"one")).expect("wanted");
        let (outcome, ()) = tokio::join!(
            async {
                let first = read(send(&upstream, request(Method::POST, "/"), body).await).await;
                (first, read(get(&upstream).await).await)
            },
            async {
                let mut peer = Peer::accept(&listener).await;
                peer.read_until(b"one\r\n").await;
                peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nearly\r\n").await;
                sender.send(piece(b"two")).expect("wanted");
                peer.read_until(b"two\r\n").await;
                drop(sender);
                peer.read_until(b"0\r\n\r\n").await;
                peer.send("0\r\n\r\n").await;
                // Both directions are complete: the connection is kept.
                peer.answer("HTTP/1.1 204 No Content\r\n\r\n").await;
            }
        );
        assert_eq!(outcome, ((200, Ok("early".to_owned())), (204, Ok(String::new()))));
    });
}

#[test]
fn an_answer_that_ends_before_the_request_ends_the_connection() {
    run(async |upstream, listener| {
        let (sender, body) = supplied();
        sender.send(piece(b"one")).expect("wanted");
        let (outcome, seen) =
            tokio::join!(async { read(send(&upstream, request(Method::POST, "/"), body).await).await }, async {
                let mut peer = Peer::accept(&listener).await;
                peer.read_until(b"one\r\n").await;
                peer.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").await;
                peer.read_to_close().await
            });
        assert_eq!(outcome, (403, Ok("no".to_owned())));
        assert_eq!(seen, "");
        assert!(sender.is_closed(), "the client's body is let go of");
    });
}

#[test]
fn an_endpoint_that_answers_and_takes_no_more_is_heard() {
    run(async |upstream, listener| {
        let (sender, body) = supplied();
        let large: &'static [u8] = Box::leak(vec![b'x'; 1 << 20].into_boxed_slice());
        (0..16).for_each(|_| sender.send(piece(large)).expect("wanted"));
        let (outcome, ()) =
            tokio::join!(async { read(send(&upstream, request(Method::POST, "/"), body).await).await }, async {
                let mut peer = Peer::accept(&listener).await;
                peer.answer("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno").await;
            });
        assert_eq!(outcome, (413, Ok("no".to_owned())));
    });
}
