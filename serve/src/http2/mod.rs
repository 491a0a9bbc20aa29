//! The server's side of HTTP/2 connections (RFC 9113), directly on the `h2` crate.
//!
//! `h2` knows frames, field blocks, windows and the states of streams. This folder drives it: `connection` is the one
//! task of a connection, in which its streams are polled too, between `opening` and `ending`; `stream` is one request
//! with its `call`, `outgoing` the response, `incoming` the request's body. `wire` lies under `h2` and lets all frames of
//! one turn leave together; `meter` looks at the frames that come in and finds clients that only cause work. `head`
//! and `trailers` find what `h2` lets pass and must not, `preface` tells HTTP/2 from HTTP/1 where both may come in the clear.

mod call;
mod connection;
mod ending;
mod head;
pub(crate) mod incoming;
mod meter;
mod opening;
mod outgoing;
pub(crate) mod preface;
mod stream;
#[cfg(test)]
mod tests;
mod trailers;
mod turns;
mod wire;

pub(crate) use connection::serve;
