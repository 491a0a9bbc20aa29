//! What both servers stand on, and what they promise each other.
//!
//! [`contract`] holds the pure facts that the edge and the application agree on: who the caller is, where the
//! request came from, how an error looks. The rest serves a [`tower::Service`] over sockets: bind, accept, limit,
//! drain.

pub mod activation;
pub mod admission;
pub mod body;
mod body_error;
pub mod clients;
pub mod connection;
pub mod contract;
pub mod counters;
pub mod date;
pub mod drain;
mod exchange;
mod file_sink;
mod handler;
pub mod handover;
mod held;
pub mod http1;
mod http2;
mod limits;
pub mod listener;
pub mod notify;
mod part;
pub mod probe;
pub mod proxy_protocol;
pub mod shared_key;
pub mod telemetry;
pub mod timer;
pub mod transport;
pub mod worker;

pub use body::{Body, BodyError, InterimSender};
pub use file_sink::FileSink;
pub use handler::{BodyErrorOf, Handler};
pub use part::{FilePart, Part};
