//! What both servers stand on, and what they promise each other.
//!
//! [`contract`] holds the pure facts that the edge and the application agree on: who the caller is, where the
//! request came from, how an error looks. The rest serves a [`tower::Service`] over sockets: bind, accept, limit,
//! drain.

pub mod body;
pub mod contract;
pub mod listener;
pub mod shared_key;

pub use body::{Body, BodyError};
