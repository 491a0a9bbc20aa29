//! End to end: real sockets, both servers' libraries in process, one feature a file.

mod accounts;
mod admin;
mod attachments;
mod drain;
mod events;
mod faults;
mod files;
mod forwarding;
mod identity;
mod limits;
mod malformed;
mod notes;
mod odd;
mod pool;
mod redirect;
mod reload;
mod streams;
mod tls;
mod tokens;
