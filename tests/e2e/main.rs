//! End to end: real sockets, both servers' libraries in process, one feature a file.

mod admin;
mod drain;
mod faults;
mod files;
mod forwarding;
mod identity;
mod limits;
mod malformed;
mod odd;
mod pool;
mod redirect;
mod reload;
mod streams;
mod tls;
mod tokens;
