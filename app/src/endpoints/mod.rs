//! The endpoints, one file a noun. Each is thin: extract, call the domain and the store, answer.

pub mod account;
pub mod admin;
pub mod attachments;
mod clock;
mod complete;
mod cookies;
mod etag;
pub mod events;
pub mod jwks;
pub mod link;
pub mod markdown;
pub mod notes;
pub mod oauth;
pub mod openapi;
pub mod password;
pub mod sessions;
pub mod shares;
pub mod token;
