//! WebSocket through the edge: for clients of HTTP/1.1 its bytes are what they are on a direct connection, and for
//! those of HTTP/2 the handshake is translated (RFC 6455, RFC 8441).

mod cookies;
mod extended_connect;
mod frames;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The proof that an endpoint has read the key (RFC 6455 section 4.2.2).
fn accept(key: &str) -> String {
    let joined = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, joined.as_bytes()))
}

/// An endpoint's yes to a key.
fn switched(key: &str) -> String {
    let proof = accept(key);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {proof}\r\n\r\n"
    )
}

/// Bytes that are nowhere alike, so that a piece that is lost, doubled or moved shows.
fn numbered(count: usize) -> Vec<u8> {
    (0_u32..).flat_map(u32::to_be_bytes).take(count).collect()
}
