//! Portcullis, the front server.

pub mod config;
