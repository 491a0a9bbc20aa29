//! The application server: a host that serves any [`tower::Service`] as gunicorn serves a WSGI callable, and the
//! business that it hosts here: accounts, tokens and a shared notebook.
//!
//! The floors, from the top: `host` and `service` run and build the callable, [`router`] lists every endpoint,
//! [`endpoints`] are thin, [`extract`], [`error`] and [`state`] are what all endpoints use, [`store`] keeps rows and
//! [`domain`] has the rules. A file imports only lower floors and its own folder.

pub mod config;
pub mod domain;
pub mod edge;
pub mod endpoints;
pub mod error;
pub mod extract;
pub mod passwords;
pub mod router;
pub mod state;
pub mod store;
pub mod tokens;
