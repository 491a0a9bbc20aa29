//! The endpoints, one file a noun. Each is thin: extract, call the domain and the store, answer.

pub mod me;
pub mod openapi;
