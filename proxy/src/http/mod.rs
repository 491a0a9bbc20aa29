//! The request path: from a parsed request to a response, and the line in the log.
//!
//! [`stack`] is the outer ring, [`handler`] the inner path and the only file that knows the order of its steps,
//! [`error`] the only place that words errors.

mod access_log;
mod affinity;
mod body;
mod coalescing;
mod context;
mod deadline;
mod error;
mod error_pages;
mod farewell;
mod handler;
mod headers;
mod location;
mod max_forwards;
mod own_client;
mod own_fields;
mod random;
mod response_rules;
mod security_headers;
mod stack;
mod target;
#[cfg(test)]
mod tests;
mod websocket;
mod worker;

pub use body::ProxyBody;
pub use error::error_reference;
pub use stack::Front;
pub use worker::{WorkerState, WorkerTools};
