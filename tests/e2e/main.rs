//! End to end: real sockets, both servers' libraries in process, one feature a file.

mod access_log;
mod accounts;
mod admin;
mod attachments;
#[path = "../browser/mod.rs"]
mod browser;
mod buffering;
mod callable;
mod command_line;
mod drain;
mod errors;
mod events;
mod faults;
mod files;
mod forwarding;
mod http2;
mod identity;
mod limits;
mod malformed;
mod metrics;
mod notes;
mod odd;
mod pool;
mod process;
mod proxy_protocol;
mod redirect;
mod regressions;
mod reload;
mod rules;
mod site;
mod site_in_browser;
mod streams;
mod tls;
mod tokens;
