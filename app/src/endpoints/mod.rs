//! The endpoints, one file a noun. Each is thin: extract, call the domain and the store, answer.

pub mod account;
pub mod jwks;
pub mod openapi;
pub mod token;
