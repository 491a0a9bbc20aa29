//! The rules of the business, without HTTP, runtime or database.

pub mod account;
pub mod attachment;
pub mod cursor;
pub mod event;
pub mod markdown;
pub mod note;
pub mod revocation;
pub mod search;
pub mod session;
pub mod share;
pub mod signing_key;
pub mod tag;
mod url;
