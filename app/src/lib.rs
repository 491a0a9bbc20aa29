//! The application server: a host that serves any [`tower::Service`] as gunicorn serves a WSGI callable, and the
//! business that it hosts here: accounts, tokens and a shared notebook.
//!
//! The floors, from the top: [`run`] and [`cli`] are the process; [`host`] serves a callable and knows no business;
//! [`service`] builds the callable; [`background`] is what goes on beside the requests, [`instances`] what is heard
//! of other instances; [`router`] lists every endpoint; [`endpoints`] are thin; [`extract`], [`error`] and
//! [`state`] are what all endpoints use; [`store`], [`live`], [`link`], [`tokens`], [`passwords`],
//! [`throttle`] and [`edge`] each do one thing, [`keys`] keeps the signing keys in the store;
//! and [`domain`] has the rules. [`config`] and [`units`] are plain values at the bottom, so that each room can take its
//! own part. A file imports only lower floors and its own folder.

pub mod background;
pub mod cli;
pub mod config;
pub mod domain;
pub mod edge;
pub mod endpoints;
pub mod error;
pub mod extract;
pub mod host;
pub mod instances;
pub mod keys;
pub mod link;
pub mod live;
pub mod passwords;
pub mod router;
pub mod run;
pub mod service;
pub mod state;
pub mod store;
pub mod throttle;
pub mod tokens;
pub mod units;

pub use config::Config;
pub use run::{Running, StartError, start};
