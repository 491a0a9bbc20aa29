//! Portcullis, the front server.

pub mod auth;
pub mod config;
pub mod files;
pub mod route;
pub mod upstream;
