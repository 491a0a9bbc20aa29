//! Real frames of HTTP/1.1 clients: each conversation is held twice, directly with an endpoint and through the edge,
//! and both sides must receive the same bytes and the same end.

use super::{accept, numbered, switched};
use portcullis_tests::deadline::PATIENCE;
use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::exchange::Exchange;
use portcullis_tests::origin::Origin;
use portcullis_tests::raw::{End, Raw};

/// What frames carry (RFC 6455 section 5.2).
pub(super) mod opcode {
    pub(in crate::websocket) const CONTINUATION: u8 = 0;
    pub(in crate::websocket) const TEXT: u8 = 1;
    pub(in crate::websocket) const BINARY: u8 = 2;
    pub(in crate::websocket) const CLOSE: u8 = 8;
    pub(in crate::websocket) const PING: u8 = 9;
    pub(in crate::websocket) const PONG: u8 = 10;
}

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;
pub(super) const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// What a bit means that RFC 7692 gives to compression.
const COMPRESSED: u8 = 0x40;
/// What both ends say when they agree to it.
pub(super) const DEFLATE: &str = "permessage-deflate; client_no_context_takeover; client_max_window_bits=10";
/// The key of RFC 6455 section 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// A frame's bytes; clients mask theirs.
pub(super) fn frame(first: u8, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let marked = if mask.is_some() { MASKED } else { 0 };
    let mut bytes = vec![first];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length), _) if length < 126 => bytes.push(marked | length),
        (_, Ok(length)) => bytes.extend([&[marked | 126][..], &length.to_be_bytes()].concat()),
        _ => bytes.extend([&[marked | 127][..], &(payload.len() as u64).to_be_bytes()].concat()),
    }
    bytes.extend(mask.unwrap_or_default().iter().take(if mask.is_some() { 4 } else { 0 }));
    let mask = mask.unwrap_or_default();
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

/// A frame of the client that ends its message.
pub(super) fn whole(opcode: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(FIN | opcode, Some(MASK), payload.as_ref())
}

/// The client's close with the code for "all done".
pub(super) fn close() -> Vec<u8> {
    whole(opcode::CLOSE, 1000_u16.to_be_bytes())
}

/// An endpoint as RFC 6455 wants it: it says messages again, answers pings, and closes when it is asked to or meets a
/// frame that it may not take. Returns what it has received, and how that ended.
async fn endpoint(mut exchange: Exchange, greeting: &[u8]) -> (Vec<u8>, End) {
    let key = exchange.head().field("sec-websocket-key").expect("a key").to_owned();
    let extensions = exchange.head().field("sec-websocket-extensions").map(str::to_owned);
    let agreed = extensions.iter().map(|named| format!("Sec-WebSocket-Extensions: {named}\r\n\r\n")).next();
    let yes = switched(&key).replacen("\r\n\r\n", &format!("\r\n{}", agreed.as_deref().unwrap_or("\r\n")), 1);
    exchange.send([yes.as_bytes(), greeting].concat()).await;
    let mut raw = exchange.into_raw();
    let (mut received, mut message, mut kind) = (Vec::new(), Vec::new(), opcode::CONTINUATION);
    let (mut packed, allowed) = (0, if extensions.is_some() { COMPRESSED } else { 0 });
    loop {
        let head = raw.read_exactly(2).await;
        let more = match head[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let long = raw.read_exactly(more).await;
        let length = long.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let length = if more == 0 { usize::from(head[1] & 0x7f) } else { length };
        let mask = raw.read_exactly(if head[1] & MASKED == 0 { 0 } else { 4 }).await;
        let payload = raw.read_exactly(length).await;
        received.extend([&head, &long, &mask, &payload].into_iter().flatten());
        let payload: Vec<u8> = payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        let (is_last, opcode) = (head[0] & FIN != 0, head[0] & 0x0f);
        let answer = match opcode {
            _ if mask.is_empty() || head[0] & 0x70 & !allowed != 0 => None,
            opcode::PING if is_last && length < 126 => Some(frame(FIN | opcode::PONG, None, &payload)),
            opcode::PONG => Some(Vec::new()),
            opcode::CONTINUATION | opcode::TEXT | opcode::BINARY
                if (opcode == opcode::CONTINUATION) == (kind != opcode::CONTINUATION) =>
            {
                if opcode != opcode::CONTINUATION {
                    (kind, packed) = (opcode, head[0] & COMPRESSED);
                }
                message.extend(payload);
                let is_text = kind == opcode::TEXT && packed == 0;
                if is_last && is_text && std::str::from_utf8(&message).is_err() {
                    raw.send(closed(1007)).await;
                    break;
                }
                is_last
                    .then(|| {
                        let kind = std::mem::replace(&mut kind, opcode::CONTINUATION);
                        frame(FIN | packed | kind, None, &std::mem::take(&mut message))
                    })
                    .or_else(|| Some(Vec::new()))
            }
            opcode::CLOSE => {
                raw.send(said(opcode::CLOSE, answer_to_close(&payload))).await;
                break;
            }
            _ => None,
        };
        let Some(answer) = answer else {
            raw.send(frame(FIN | opcode::CLOSE, None, &1002_u16.to_be_bytes())).await;
            break;
        };
        raw.send(answer).await;
    }
    raw.finish().await;
    let (rest, end) = raw.read_to_end(PATIENCE).await;
    received.extend(rest);
    (received, end)
}

/// What a close is answered with: itself, or a code that says what is wrong with it (RFC 6455 sections 5.5.1 and 7.4).
fn answer_to_close(payload: &[u8]) -> Vec<u8> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Vec::new() } else { 1002_u16.to_be_bytes().to_vec() };
    };
    let known = matches!(u16::from_be_bytes(*code), 1000..=1003 | 1007..=1011 | 3000..=4999);
    match std::str::from_utf8(reason) {
        _ if !known || payload.len() > 125 => 1002_u16.to_be_bytes().to_vec(),
        Ok(_) => payload.to_vec(),
        Err(_) => 1007_u16.to_be_bytes().to_vec(),
    }
}

/// What each side of a conversation has received, and how it ended.
#[derive(Debug, PartialEq, Eq)]
struct Transcript {
    by_client: (Vec<u8>, End),
    by_endpoint: (Vec<u8>, End),
}

/// What is said in one conversation.
pub(super) struct Talk<'a> {
    pub(super) name: &'a str,
    /// Sent with the request, before anybody has agreed to anything.
    pub(super) early: Vec<u8>,
    /// Each is one write.
    pub(super) then: Vec<Vec<u8>>,
    /// Sent by the endpoint right behind its 101.
    pub(super) greeting: Vec<u8>,
    /// The frames that the client is to receive.
    pub(super) expected: Vec<u8>,
    /// What the client offers, which the endpoint agrees to.
    pub(super) extensions: Option<&'a str>,
}

pub(super) fn talk<'a>(name: &'a str, then: &[Vec<u8>], expected: &[Vec<u8>]) -> Talk<'a> {
    let (early, greeting, extensions) = (Vec::new(), Vec::new(), None);
    Talk { name, early, then: then.to_vec(), greeting, expected: expected.concat(), extensions }
}

async fn converse(mut client: Raw, origin: &mut Origin, talk: &Talk<'_>) -> Transcript {
    let offered = talk.extensions.map(|named| format!("Sec-WebSocket-Extensions: {named}\r\n")).unwrap_or_default();
    let head = format!(
        "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: {KEY}\r\n{offered}\r\n"
    );
    let (by_client, by_endpoint) = tokio::join!(
        async {
            client.send([head.as_bytes(), &talk.early].concat()).await;
            let answer = client.read_head().await;
            assert_eq!((answer.status(), answer.field("upgrade")), (101, Some("websocket")), "{}", answer.raw);
            assert_eq!(answer.field("sec-websocket-accept"), Some(accept(KEY).as_str()), "{}", answer.raw);
            assert_eq!(answer.field("sec-websocket-extensions"), talk.extensions, "{}", answer.raw);
            for piece in &talk.then {
                client.send(piece).await;
            }
            let received = client.read_to_end(PATIENCE).await;
            client.finish().await;
            received
        },
        async {
            let exchange = origin.exchange().await;
            endpoint(exchange, &talk.greeting).await
        }
    );
    Transcript { by_client, by_endpoint }
}

/// Holds each conversation twice. What the client is to receive is said too, so that the endpoint is known to work.
pub(super) async fn hold(talks: Vec<Talk<'_>>) {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    for talk in talks {
        let direct = Raw::connect(origin.address()).await;
        let direct = converse(direct, &mut origin, &talk).await;
        let through = Raw::connect(edge.address("http")).await;
        let through = converse(through, &mut origin, &talk).await;
        assert!(direct.by_client == (talk.expected.clone(), End::Closed), "{}: the endpoint itself", talk.name);
        assert!(direct == through, "{}: it is not the same through the edge", talk.name);
    }
}

/// Frames as an endpoint sends them.
pub(super) fn said(opcode: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(FIN | opcode, None, payload.as_ref())
}

pub(super) fn closed(code: u16) -> Vec<u8> {
    said(opcode::CLOSE, code.to_be_bytes())
}

#[tokio::test]
async fn messages_are_the_same_as_without_the_edge() {
    use opcode::{BINARY, CONTINUATION, PING, PONG, TEXT};
    let part = |opcode, payload: &str| frame(opcode, Some(MASK), payload.as_bytes());
    let mut talks = vec![
        talk("only a close", &[close()], &[closed(1000)]),
        talk("a text", &[whole(TEXT, "h\u{e9}llo"), close()], &[said(TEXT, "h\u{e9}llo"), closed(1000)]),
        talk(
            "a text in fragments, with a ping between them",
            &[
                part(TEXT, "one "),
                part(CONTINUATION, "two "),
                whole(PING, "there?"),
                part(CONTINUATION, ""),
                whole(CONTINUATION, "three"),
                close(),
            ],
            &[said(PONG, "there?"), said(TEXT, "one two three"), closed(1000)],
        ),
        talk(
            "pings, a pong that nobody asked for, and a close with a reason",
            &[
                whole(PING, ""),
                whole(PING, [0xff; 125]),
                whole(PONG, "why?"),
                whole(opcode::CLOSE, b"\x03\xe8all said"),
            ],
            &[said(PONG, ""), said(PONG, [0xff; 125]), said(opcode::CLOSE, b"\x03\xe8all said")],
        ),
        talk(
            "all in one write",
            &[[whole(TEXT, "1"), whole(TEXT, "2"), whole(PING, "3"), close()].concat()],
            &[said(TEXT, "1"), said(TEXT, "2"), said(PONG, "3"), closed(1000)],
        ),
        talk(
            "byte by byte",
            &[whole(TEXT, "slow"), close()].concat().iter().map(|byte| vec![*byte]).collect::<Vec<_>>(),
            &[said(TEXT, "slow"), closed(1000)],
        ),
    ];
    for length in [0, 125, 126, 127, 65_535, 65_536, 1 << 20] {
        let payload = numbered(length);
        talks.push(talk(
            "a binary message",
            &[whole(BINARY, &payload), close()],
            &[said(BINARY, &payload), closed(1000)],
        ));
    }
    hold(talks).await;
}

/// The edge does not judge frames: the endpoint does, and its verdict arrives.
#[tokio::test]
async fn wrong_frames_are_refused_as_without_the_edge() {
    use opcode::{CONTINUATION, PING, TEXT};
    let wrong = |name, bytes: Vec<u8>| talk(name, &[whole(TEXT, "fine"), bytes], &[said(TEXT, "fine"), closed(1002)]);
    hold(vec![
        wrong("a frame without mask", frame(FIN | TEXT, None, b"naked")),
        wrong("a reserved bit", whole(0x40 | TEXT, "x")),
        wrong("a reserved opcode", whole(11, "x")),
        wrong("a fragment of nothing", whole(CONTINUATION, "x")),
        wrong("a ping in fragments", frame(PING, Some(MASK), b"x")),
        wrong("bytes behind the fault", [whole(3, "x"), whole(TEXT, "unheard")].concat()),
    ])
    .await;
}

/// Neither side has to wait for the other to have read the handshake.
#[tokio::test]
async fn bytes_that_come_with_the_handshake_are_not_lost() {
    use opcode::{BINARY, TEXT};
    let large = numbered(200_000);
    hold(vec![
        Talk { early: whole(TEXT, "early"), ..talk("early", &[close()], &[said(TEXT, "early"), closed(1000)]) },
        Talk {
            early: [whole(BINARY, &large), close()].concat(),
            ..talk("all of it early", &[], &[said(BINARY, &large), closed(1000)])
        },
        Talk {
            early: whole(TEXT, "early")[..3].to_vec(),
            ..talk(
                "half a frame early",
                &[whole(TEXT, "early")[3..].to_vec(), close()],
                &[said(TEXT, "early"), closed(1000)],
            )
        },
        Talk {
            greeting: [said(TEXT, "welcome"), said(BINARY, &large)].concat(),
            ..talk("greeted", &[close()], &[said(TEXT, "welcome"), said(BINARY, &large), closed(1000)])
        },
        Talk {
            early: whole(TEXT, "early"),
            greeting: said(TEXT, "welcome"),
            ..talk("both", &[close()], &[said(TEXT, "welcome"), said(TEXT, "early"), closed(1000)])
        },
    ])
    .await;
}
