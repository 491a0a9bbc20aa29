//! HTTP/1.0 and HTTP/1.1 on the wire (RFC 9112), strict in both directions, and the server's side of a connection.
//!
//! [`head`] and `chunked` take messages apart, [`encode`] puts them together, `fields` decides about framing. Both the
//! server (`server`) and the proxy's client stand on them.

mod chunked;
mod encode;
mod extension;
mod fields;
mod head;
mod incoming;
mod malformed;
mod names;
mod outgoing;
mod reading;
mod reply;
mod server;
#[cfg(test)]
mod tests;
mod turn;

pub use encode::{chunk_line, field, last_chunk, prepared_fields, request_head};
pub use fields::lists;
pub use head::{Framing, HeadLimits, HeadReader, RequestHead, ResponseHead};
pub use incoming::{Incoming, Piece};
pub use malformed::Malformed;
pub use outgoing::Outgoing;
pub use reading::{poll_read_body, poll_read_small};
pub(crate) use server::serve;
