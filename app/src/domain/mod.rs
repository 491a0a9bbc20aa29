//! The rules of the business, without HTTP, runtime or database.

pub mod account;
pub mod session;
