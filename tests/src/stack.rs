//! The whole product in process: the application and the edge before it, with the configuration that is shipped.

use crate::certs::trusting_file;
use crate::client::Client;
use crate::edge::Edge;
use serde_json::json;
use std::path::Path;
use tempfile::TempDir;

/// The application, the edge before it, and a folder for the state of both.
pub struct Stack {
    /// The front server.
    pub edge: Edge,
}

/// Somebody who is signed in.
pub struct User {
    /// For the login form.
    pub password: String,
    /// The access token.
    pub access: String,
    /// The refresh token.
    pub refresh: String,
}
