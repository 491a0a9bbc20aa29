//! Forwarding: an upstream's endpoints, the choice among them, and the connections to each.
//!
//! Everything here belongs to one worker. Connections are never shared between workers: a pool behind a lock cost
//! half as much again a request. hyper's client connection has no task of its own; it is polled by the request that
//! uses it, which saves two wake-ups a request and lets a client that leaves cancel its request at once. HTTP/2
//! connections are shared by many requests, so each has a task (`http2`).

mod balance;
mod body;
mod client_tls;
mod connection;
mod dial;
mod endpoint;
mod http2;
mod pool;
mod resolve;
mod response;
mod send;
mod stream;
mod tunnel;
mod upload;

pub use client_tls::client_config;
pub use dial::Transport;
pub use pool::Pools;
pub use response::UpstreamBody;
pub use send::{Attempt, SendLimits, Sent, Upstream, UpstreamError};
pub use tunnel::Tunnel;
