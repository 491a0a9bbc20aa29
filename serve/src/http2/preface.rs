//! HTTP/2 in the clear by prior knowledge (RFC 9113 section 3.3): the first bytes of a connection say which version it
//! speaks.

use crate::drain::{Drain, LAST_REQUEST_WITHIN};
use crate::limits::ConnectionLimits;
use crate::timer::Deadline;
use crate::transport::Transport;
use bytes::BytesMut;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use tokio::io::{AsyncRead, ReadBuf};

/// What a client of HTTP/2 sends first (RFC 9113 section 3.4). No HTTP/1 request begins like it: a server that does not
/// know HTTP/2 refuses its version.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What is read at once, on the stack.
const READ_BYTES: usize = 4 * 1024;

/// How a connection began.
pub(crate) struct Beginning {
    /// By the preface of HTTP/2, or otherwise.
    pub(crate) http2: bool,
    /// What was read to find out.
    pub(crate) early: BytesMut,
}

/// Reads until it is known whether this is HTTP/2. `None` when nothing came, or not enough in time.
pub(crate) async fn beginning(
    transport: &mut Transport,
    limits: &ConnectionLimits,
    drain: &Drain,
) -> Option<Beginning> {
    let deadline = Deadline::after(limits.idle_timeout);
    let (mut early, mut told) = (BytesMut::new(), false);
    poll_fn(|cx| {
        loop {
            if !early.is_empty() {
                let compared = early.len().min(PREFACE.len());
                let http2 = early[..compared] == PREFACE[..compared];
                if !http2 || compared == PREFACE.len() {
                    return Poll::Ready(Some(http2));
                }
            } else if drain.has_begun() && !std::mem::replace(&mut told, true) {
                deadline.set(limits.idle_timeout.min(LAST_REQUEST_WITHIN));
            }
            let mut space = [0; READ_BYTES];
            let mut read = ReadBuf::new(&mut space);
            match Pin::new(&mut *transport).poll_read(cx, &mut read) {
                Poll::Ready(Ok(())) if !read.filled().is_empty() => {
                    if early.is_empty() {
                        deadline.set(limits.header_timeout);
                    }
                    early.extend_from_slice(read.filled());
                }
                Poll::Ready(_) => return Poll::Ready(None),
                Poll::Pending => return deadline.poll(cx).map(|()| None),
            }
        }
    })
    .await
    .map(|http2| Beginning { http2, early })
}
