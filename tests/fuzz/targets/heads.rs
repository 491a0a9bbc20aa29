//! HTTP/1 messages as bytes: heads and chunks are read the same however they are cut, and never panic.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use serve::http1::{HeadLimits, HeadReader, Incoming, Piece};

const LIMITS: HeadLimits = HeadLimits { bytes_max: 2048, fields_max: 16 };

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
