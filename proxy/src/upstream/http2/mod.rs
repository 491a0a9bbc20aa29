//! HTTP/2 to endpoints (RFC 9113): a few connections, each shared by many requests of one worker.
//!
//! [`connections`] keeps the connections of one endpoint and hands out places on them; [`connection`] is one of them
//! and its task; [`exchange`] sends a request in such a place and waits for the head of the response; [`head`] says
//! which fields cross; [`outgoing`] is the request's body, which can begin anew as long as it is short, and [`pump`]
//! moves it into the stream; [`incoming`] is the response's body.

mod connection;
mod connections;
mod exchange;
mod head;
mod incoming;
mod outgoing;
mod pump;
#[cfg(test)]
mod tests;

pub(super) use connection::{Connection, Slot};
pub(super) use connections::Connections;
pub(super) use exchange::{Failed, Http2Error, Limits, send};
pub(super) use incoming::Http2Body;
pub(super) use pump::Client;
