//! How an HTTP/2 connection begins: prefaces and settings both ways (RFC 9113 section 3.4).

use super::call::Shared;
use super::ending::Ended;
use super::head::FIELD_OVERHEAD_BYTES;
use super::meter::LOCAL_RESETS_MAX;
use super::wire::Handle;
use crate::drain::{Drain, LAST_REQUEST_WITHIN};
use crate::timer::Deadline;
use bytes::Bytes;
use h2::server::{Builder, Connection};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, ready};

/// The receive window of one stream, in bytes: what an upload may send ahead of the service.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;

/// The receive window of a connection, in bytes.
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;

/// What `h2` may hold of one response, in bytes, until the socket takes it.
const SEND_BUFFER_BYTES_MAX: usize = 64 * 1024;

/// DATA frames of less than 256 bytes cost `h2` that much to hold; so many such bytes may wait for their reader.
const DATA_OVERHEAD_BYTES_MAX: usize = 512 * 1024;

/// Exchanges prefaces and settings. `None` when the client has left, or the drain came first.
pub(super) async fn begin(shared: &Shared<'_>, drain: &Drain) -> Result<Option<Connection<Handle, Bytes>>, Ended> {
    let limits = shared.limits;
    let list_bytes = limits.header_bytes_max.saturating_add(limits.header_count_max * FIELD_OVERHEAD_BYTES);
    let mut builder = Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(u32::try_from(list_bytes).unwrap_or(u32::MAX))
        .max_send_buffer_size(SEND_BUFFER_BYTES_MAX)
        // Streams are accepted as they come, so these are the ones of one read; the meter counts the others.
        .max_pending_accept_reset_streams(limits.streams_max as usize)
        .max_local_error_reset_streams(Some(LOCAL_RESETS_MAX))
        .data_frame_budget(DATA_OVERHEAD_BYTES_MAX)
        .enable_connect_protocol();
    let mut handshake = pin!(builder.handshake(Handle(Rc::clone(&shared.wire))));
    let deadline = Deadline::after(limits.idle_timeout);
    let (mut has_begun, mut told) = (false, false);
    poll_fn(|cx| {
        shared.wire.borrow_mut().begin_turn();
        if let Poll::Ready(outcome) = handshake.as_mut().poll(cx) {
            let left = shared.wire.borrow().has_ended();
            return Poll::Ready(match outcome {
                Ok(connection) => Ok(Some(connection)),
                Err(_) if left => Ok(None),
                Err(error) => Err(error.into()),
            });
        }
        let mut wire = shared.wire.borrow_mut();
        if let Poll::Ready(Err(error)) = wire.poll_flush(cx) {
            return Poll::Ready(Err(error.into()));
        }
        if !has_begun && wire.received() > 0 {
            has_begun = true;
            deadline.set(limits.header_timeout);
        }
        if !has_begun && drain.has_begun() && !std::mem::replace(&mut told, true) {
            deadline.set(limits.idle_timeout.min(LAST_REQUEST_WITHIN));
        }
        ready!(deadline.poll(cx));
        Poll::Ready(match (has_begun, told) {
            (true, _) => Err(Ended::NotBegun),
            (false, true) => Ok(None),
            (false, false) => Err(Ended::Idle),
        })
    })
    .await
}
