//! Sticky sessions, as the operator means them.

use super::KeyFile;
use std::time::Duration;

/// A cookie that brings a client back to its endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sticky {
    /// Its name.
    pub cookie: String,
    /// Seals it; `None`: a key below [`super::Server::state`] that is made at the first start.
    pub key: Option<KeyFile>,
    /// `Path`. Default `/`.
    pub path: String,
    /// Whether it is for https only. Default true.
    pub secure: bool,
    /// `SameSite`. Default lax.
    pub same_site: SameSite,
    /// For how long the client keeps it; `None`, the default: until it ends.
    pub max_age: Option<Duration>,
}

/// When a browser sends the cookie with requests from other sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSite {
    /// Never.
    Strict,
    /// When a link is followed.
    Lax,
    /// Always.
    None,
}
