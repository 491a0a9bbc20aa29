//! The API as a value: requests go into the callable without a socket, with assertions signed as the edge signs them.

#![expect(clippy::panic, reason = "a body that can't be read fails the test that asked for it")]

mod accounts;
mod app;
mod link;
mod notebook;
mod tokens;
