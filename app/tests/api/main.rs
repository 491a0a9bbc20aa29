//! The API as a value: requests go into the callable without a socket, with assertions signed as the edge signs them.

#![expect(clippy::panic, reason = "a body that can't be read fails the test that asked for it")]

mod accounts;
mod app;
mod browser;
mod hashes;
mod link;
mod notebook;
mod oauth;
mod pace;
mod parallel;
mod sessions;
mod settings;
mod simplejwt;
mod timing;
mod tokens;
