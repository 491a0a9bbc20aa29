//! Forwarding: an upstream's endpoints, the choice among them, and the connections to each.
//!
//! Everything here belongs to one worker. Connections are never shared between workers: a pool behind a lock cost
//! half as much again a request. hyper's client connection has no task of its own; it is polled by the request that
//! uses it, which saves two wake-ups a request and lets a client that leaves cancel its request at once.

mod balance;
mod body;
mod connection;
mod endpoint;
mod host;
mod pool;
mod resolve;
mod send;
mod tunnel;
mod upload;

pub use body::UpstreamBody;
pub use host::HostField;
pub use pool::Pools;
pub use send::{Attempt, SendLimits, Sent, Upstream, UpstreamError};
pub use tunnel::Tunnel;
