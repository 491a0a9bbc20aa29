//! Pure facts that the edge and the application agree on. No runtime, no socket: `http` and `serde`, and the one
//! hash that tokens need.

pub mod csrf;
pub mod deadline;
pub mod error_code;
pub mod forwarded;
pub mod forwarded_prefix;
mod hex;
pub mod identity;
pub mod link;
pub mod problem;
pub mod request_id;
pub mod trace;
