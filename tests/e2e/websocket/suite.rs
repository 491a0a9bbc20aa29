//! The groups of conversations by which WebSocket implementations are commonly judged: framing, pings, reserved bits,
//! opcodes, fragments, UTF-8, closing, size, compression. The endpoint judges; the edge passes its verdict on, and
//! every byte before it.

use super::frames::opcode::{BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT};
use super::frames::{DEFLATE, MASK, Talk, close, closed, frame, hold, said, talk, whole};
use super::numbered;

/// A part of a message that goes on.
fn part(opcode: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(opcode, Some(MASK), payload.as_ref())
}

/// The first bit that an extension may give a meaning.
const COMPRESSED: u8 = 0x40;

#[tokio::test]
async fn control_frames_stand_between_fragments() {
    let text = "\u{3ba}\u{1f79}\u{3c3}\u{3bc}\u{3b5}";
    let half = text.len() / 2;
    hold(vec![
        talk(
            "pings between all fragments, at once",
            &[[
                part(TEXT, "a"),
                whole(PING, "1"),
                part(CONTINUATION, "b"),
                whole(PING, "2"),
                whole(PONG, "unasked"),
                whole(CONTINUATION, "c"),
                whole(PING, "3"),
                close(),
            ]
            .concat()],
            &[said(PONG, "1"), said(PONG, "2"), said(TEXT, "abc"), said(PONG, "3"), closed(1000)],
        ),
        talk(
            "a character cut by fragments",
            &[part(TEXT, &text.as_bytes()[..half]), whole(CONTINUATION, &text.as_bytes()[half..]), close()],
            &[said(TEXT, text), closed(1000)],
        ),
        talk(
            "fragments of nothing",
            &[part(TEXT, ""), part(CONTINUATION, ""), whole(CONTINUATION, ""), close()],
            &[said(TEXT, ""), closed(1000)],
        ),
        talk("a new message inside another", &[part(TEXT, "one"), whole(TEXT, "two")], &[closed(1002)]),
        talk("a close inside a message", &[part(TEXT, "one"), close()], &[closed(1000)]),
        talk("ten pings", &[whole(PING, "p").repeat(10), close()], &[said(PONG, "p").repeat(10), closed(1000)]),
        talk("a ping that is too long", &[whole(PING, [0; 126])], &[closed(1002)]),
        talk("all reserved bits", &[frame(0xf0 | TEXT, Some(MASK), b"x")], &[closed(1002)]),
    ])
    .await;
}

#[tokio::test]
async fn what_is_no_utf8_is_refused_where_it_is_read() {
    let valid = ["", "\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10ffff}", "\u{fffe}\u{fffd}", "\u{0}"];
    let mut talks: Vec<Talk<'_>> = valid
        .iter()
        .map(|text| talk("valid", &[whole(TEXT, text), close()], &[said(TEXT, text), closed(1000)]))
        .collect();
    let invalid: [&[u8]; 9] = [
        b"\x80",
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xff",
        b"\xed\xbf\xbf",
        b"cut \xe2\x82",
    ];
    talks.extend(invalid.iter().map(|text| talk("invalid", &[whole(TEXT, text)], &[closed(1007)])));
    let broken = [part(TEXT, b"\xce\xba"), whole(CONTINUATION, b"\xf4\x90\x80\x80")];
    talks.push(talk("invalid in a fragment", &broken, &[closed(1007)]));
    talks.push(talk(
        "the same bytes in a binary message",
        &[whole(BINARY, b"\xff\xfe"), close()],
        &[said(BINARY, b"\xff\xfe"), closed(1000)],
    ));
    hold(talks).await;
}

#[tokio::test]
async fn closes_of_every_kind_pass() {
    let code = |code: u16| whole(CLOSE, code.to_be_bytes());
    let mut talks = vec![
        talk("without a code", &[whole(CLOSE, "")], &[said(CLOSE, "")]),
        talk("half a code", &[whole(CLOSE, [3])], &[closed(1002)]),
        talk(
            "the longest reason",
            &[whole(CLOSE, [&b"\x03\xe8"[..], &[b'x'; 123]].concat())],
            &[said(CLOSE, [&b"\x03\xe8"[..], &[b'x'; 123]].concat())],
        ),
        talk("a reason that is too long", &[whole(CLOSE, [&b"\x03\xe8"[..], &[b'x'; 124]].concat())], &[closed(1002)]),
        talk("a reason that is no text", &[whole(CLOSE, b"\x03\xe8\xff")], &[closed(1007)]),
        talk("frames behind it", &[[close(), whole(PING, "late"), whole(TEXT, "late")].concat()], &[closed(1000)]),
    ];
    for good in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
        talks.push(talk("a good code", &[code(good)], &[closed(good)]));
    }
    for bad in [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535] {
        talks.push(talk("a bad code", &[code(bad)], &[closed(1002)]));
    }
    hold(talks).await;
}

#[tokio::test]
async fn sixteen_mebibytes_pass_whole_and_in_pieces() {
    const WHOLE: usize = 16 << 20;
    let content = numbered(WHOLE);
    let text = "x".repeat(WHOLE);
    let mut fragments: Vec<Vec<u8>> = content.chunks(64 << 10).map(|piece| part(CONTINUATION, piece)).collect();
    fragments[0] = part(BINARY, &content[..64 << 10]);
    let last = fragments.len() - 1;
    fragments[last] = whole(CONTINUATION, &content[WHOLE - (64 << 10)..]);
    // Written in pieces that cut frames anywhere.
    let chopped: Vec<Vec<u8>> = whole(BINARY, &content[..1 << 20]).chunks(997).map(<[u8]>::to_vec).collect();
    let end = [close()];
    hold(vec![
        talk("one frame", &[whole(TEXT, &text), close()], &[said(TEXT, &text), closed(1000)]),
        talk("fragments", &[&fragments[..], &end].concat(), &[said(BINARY, &content), closed(1000)]),
        talk("chopped", &[&chopped[..], &end].concat(), &[said(BINARY, &content[..1 << 20]), closed(1000)]),
    ])
    .await;
}

/// RFC 7692: compression is agreed between the two ends. The edge passes on what they say about it, and takes the bit
/// that it gives a meaning for what it is to it: a bit.
#[tokio::test]
async fn compression_is_agreed_end_to_end() {
    // The example of RFC 7692 section 7.2.3.1.
    let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    let packed = |opcode: u8, payload: &[u8]| frame(0x80 | COMPRESSED | opcode, Some(MASK), payload);
    let unmasked = |opcode: u8, payload: &[u8]| frame(0x80 | COMPRESSED | opcode, None, payload);
    let large = numbered(300_000);
    hold(vec![
        Talk {
            extensions: Some(DEFLATE),
            ..talk(
                "compressed",
                &[packed(TEXT, hello), packed(BINARY, &large), whole(PING, "p"), close()],
                &[unmasked(TEXT, hello), unmasked(BINARY, &large), said(PONG, "p"), closed(1000)],
            )
        },
        Talk {
            extensions: Some(DEFLATE),
            ..talk(
                "compressed in fragments, and not compressed",
                &[
                    frame(COMPRESSED | TEXT, Some(MASK), &hello[..3]),
                    whole(CONTINUATION, &hello[3..]),
                    whole(TEXT, "plain"),
                    close(),
                ],
                &[unmasked(TEXT, hello), said(TEXT, "plain"), closed(1000)],
            )
        },
        talk("compressed, though nobody has agreed to it", &[packed(TEXT, hello)], &[closed(1002)]),
    ])
    .await;
}
