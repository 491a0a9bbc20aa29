//! End to end: real sockets, both servers' libraries in process, one feature a file.

mod access_log;
mod accounts;
mod admin;
mod attachments;
#[path = "../browser/mod.rs"]
mod browser;
mod callable;
mod command_line;
mod drain;
mod events;
mod faults;
mod files;
mod forwarding;
mod grpc;
mod identity;
mod limits;
mod malformed;
mod notes;
mod odd;
mod pool;
mod process;
mod redirect;
mod regressions;
mod reload;
mod site;
mod site_in_browser;
mod streams;
mod tls;
mod tokens;
mod upstream_http2;
mod upstream_tls;
