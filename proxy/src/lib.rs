//! Portcullis, the front server: TLS, static files, tokens checked at the edge, everything else forwarded.
//!
//! The floors, from the ground up: [`config`] says what is meant, [`metrics`] what is counted and [`link`] what
//! applications tell; [`auth`], [`coalesce`], [`files`], [`overload`], [`route`], [`rules`], [`spool`], [`tls`] and [`upstream`] hold
//! one idea each and do not know each other; [`snapshot`] builds one revision of all of them;
//! [`http`] is the path of a request through it; [`drill`] tries a running stack from outside; [`run`] and [`cli`] are the
//! process.

mod admin;
pub mod auth;
mod budget;
pub mod cli;
pub mod coalesce;
pub mod config;
pub mod drill;
pub mod files;
pub mod http;
pub mod link;
mod links;
pub mod metrics;
pub mod overload;
mod precompress;
pub mod reload;
pub mod route;
pub mod rules;
pub mod run;
pub mod snapshot;
pub mod spool;
pub mod tls;
pub mod upstream;
