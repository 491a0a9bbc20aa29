//! The endpoints, one file a noun. Each is thin: extract, call the domain and the store, answer.

pub mod admin;
pub mod attachments;
mod clock;
mod complete;
mod etag;
pub mod events;
pub mod markdown;
pub mod me;
pub mod notes;
pub mod openapi;
pub mod shares;
