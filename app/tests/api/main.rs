//! The API as a value: requests go into the callable without a socket, with assertions signed as the edge signs them.

mod accounts;
mod app;
mod notebook;
mod tokens;
