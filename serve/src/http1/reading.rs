//! Where bytes are read to. Most connections wait most of the time, so the connections of a thread share the blocks
//! that they wait with: a connection holds no memory until bytes have come, and a block that nobody holds any more is
//! filled again from its start, while it is still in the core's cache.

use bytes::BytesMut;
use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread::LocalKey;
use tokio::io::AsyncRead;
use tokio_util::io::poll_read_buf;

/// Reads of a body are at most this large: more does not fit a core's cache well.
const BODY_BLOCK_BYTES: usize = 64 * 1024;

/// With less room than this left, a new block is begun for bodies.
const BODY_ROOM_MIN: usize = 16 * 1024;

/// Several heads share a block. A head with a body of 64 KiB behind it fits, so that such a message is one read and,
/// at a proxy, one write.
const HEAD_BLOCK_BYTES: usize = 72 * 1024;

/// With less room than this left, a new block is begun for heads.
const HEAD_ROOM_MIN: usize = 4 * 1024;

type Shared = Cell<Option<BytesMut>>;

thread_local! {
    static HEADS: Shared = const { Cell::new(None) };
    static BODIES: Shared = const { Cell::new(None) };
}

/// Reads more of a head, or of whatever is expected to be small. 0 is the end of the stream.
///
/// # Errors
/// What the stream says.
pub fn poll_read_small(
    io: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
    buffer: &mut BytesMut,
) -> Poll<io::Result<usize>> {
    poll_read(&HEADS, HEAD_BLOCK_BYTES, HEAD_ROOM_MIN, io, cx, buffer)
}

/// Reads more of a body. 0 is the end of the stream.
///
/// # Errors
/// What the stream says.
pub fn poll_read_body(
    io: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
    buffer: &mut BytesMut,
) -> Poll<io::Result<usize>> {
    poll_read(&BODIES, BODY_BLOCK_BYTES, BODY_ROOM_MIN, io, cx, buffer)
}

fn poll_read(
    shared: &'static LocalKey<Shared>,
    block_bytes: usize,
    room_min: usize,
    io: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
    buffer: &mut BytesMut,
) -> Poll<io::Result<usize>> {
    if !buffer.is_empty() {
        if buffer.capacity() - buffer.len() < room_min {
            // Out of the block, which what comes slowly would hold on to.
            let mut own = BytesMut::with_capacity(buffer.len() + room_min);
            own.extend_from_slice(buffer);
            *buffer = own;
        }
        return poll_read_buf(Pin::new(io), cx, buffer);
    }
    let mut block = shared.take().unwrap_or_default();
    if block.capacity() < block_bytes && !block.try_reclaim(block_bytes) && block.capacity() < room_min {
        block = BytesMut::with_capacity(block_bytes);
    }
    let polled = poll_read_buf(Pin::new(io), cx, &mut block);
    // An empty part of the block would keep all of it.
    *buffer = if block.is_empty() { BytesMut::new() } else { block.split() };
    shared.set(Some(block));
    polled
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    #[test]
    fn bytes_come_in_order_and_a_wait_costs_no_memory() {
        let cx = &mut Context::from_waker(Waker::noop());
        let mut buffer = BytesMut::new();
        let mut stream = &b"one two"[..];
        assert!(matches!(poll_read_small(&mut stream, cx, &mut buffer), Poll::Ready(Ok(7))));
        assert_eq!(&buffer[..], b"one two");
        let mut more = &b" three"[..];
        assert!(matches!(poll_read_small(&mut more, cx, &mut buffer), Poll::Ready(Ok(6))));
        assert_eq!(&buffer[..], b"one two three");
        let (mut silent, _peer) = tokio::io::duplex(64);
        buffer.clear();
        assert!(poll_read_body(&mut silent, cx, &mut buffer).is_pending());
        assert_eq!(buffer.capacity(), 0);
    }

    #[test]
    fn a_block_that_nobody_holds_is_filled_again() {
        let cx = &mut Context::from_waker(Waker::noop());
        let large = vec![b'x'; BODY_BLOCK_BYTES * 2];
        let mut stream = &large[..];
        let mut buffer = BytesMut::new();
        assert!(matches!(poll_read_body(&mut stream, cx, &mut buffer), Poll::Ready(Ok(BODY_BLOCK_BYTES))));
        let first = buffer.as_ptr();
        buffer = BytesMut::new();
        assert!(matches!(poll_read_body(&mut stream, cx, &mut buffer), Poll::Ready(Ok(BODY_BLOCK_BYTES))));
        assert_eq!(buffer.as_ptr(), first);
    }
}
