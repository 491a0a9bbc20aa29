//! HTTP/1 messages as bytes: heads and chunks are read the same however they are cut, and never panic; and what goes on
//! to the next server is read there as it was read here.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use serve::http1::{Framing, HeadLimits, HeadReader, Incoming, Piece, RequestHead, request_head};

const LIMITS: HeadLimits = HeadLimits { bytes_max: 2048, fields_max: 16 };

/// Limits of the next server: what is written is somewhat longer than what was read.
const NEXT_LIMITS: HeadLimits = HeadLimits { bytes_max: 4 * LIMITS.bytes_max, fields_max: LIMITS.fields_max + 1 };

/// Writes a head as it goes to the next server, and reads it as that one would: one request, the same, and no byte left.
fn forwards(head: &RequestHead) {
    let parts = &head.parts;
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    if !target.starts_with('/') {
        // No route takes it.
        return;
    }
    let mut written = Vec::new();
    request_head(&mut written, &parts.method, target, |_| {}, &parts.headers, Some(head.framing));
    let mut buffer = BytesMut::from(&written[..]);
    let read = HeadReader::default().request(&mut buffer, NEXT_LIMITS).expect("sound").expect("whole");
    assert!(buffer.is_empty());
    assert_eq!((&read.parts.method, read.parts.uri.to_string().as_str()), (&parts.method, target));
    assert_eq!(read.framing, head.framing);
    let others = |head: &RequestHead| {
        let mut fields = head.parts.headers.clone();
        fields.remove("content-length");
        fields.remove("transfer-encoding");
        fields
    };
    assert_eq!(others(&read), others(head));
    assert_ne!(head.framing, Framing::UntilClose, "a request ends");
}

/// Everything that a connection makes of these bytes, arriving in pieces of `step` bytes.
fn read(bytes: &[u8], step: usize) -> Result<Vec<String>, String> {
    let mut seen = Vec::new();
    let (mut reader, mut body, mut buffer) = (HeadReader::default(), None::<Incoming>, BytesMut::new());
    let mut content = Vec::new();
    for piece in bytes.chunks(step.max(1)) {
        buffer.extend_from_slice(piece);
        loop {
            if let Some(incoming) = &mut body {
                match incoming.next(&mut buffer, LIMITS).map_err(|malformed| format!("{seen:?} {malformed}"))? {
                    Piece::Data(data) => content.extend_from_slice(&data),
                    Piece::Starved => break,
                    Piece::End(trailer) => {
                        seen.push(format!("{} {trailer:?}", std::mem::take(&mut content).escape_ascii()));
                        body = None;
                    }
                }
            } else {
                match reader.request(&mut buffer, LIMITS).map_err(|malformed| format!("{seen:?} {malformed}"))? {
                    None => break,
                    Some(head) => {
                        assert!(head.parts.headers.len() <= LIMITS.fields_max);
                        forwards(&head);
                        seen.push(format!("{:?} {:?}", head.parts, head.framing));
                        body = Some(Incoming::new(head.framing));
                    }
                }
            }
        }
        assert!(buffer.len() <= LIMITS.bytes_max + piece.len(), "what is kept is bounded");
    }
    Ok(seen)
}

fuzz_target!(|input: (u8, &[u8])| {
    let (step, bytes) = input;
    let (whole, cut) = (read(bytes, bytes.len()), read(bytes, usize::from(step)));
    match (&whole, &cut) {
        (Ok(whole), Ok(cut)) => assert_eq!(whole, cut),
        (Err(_), Err(_)) => {}
        _ => panic!("cut by {step}: {cut:?}, whole: {whole:?}"),
    }
    let _ = HeadReader::default().response(&mut BytesMut::from(bytes), LIMITS, &http::Method::GET);
});
