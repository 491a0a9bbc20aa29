//! What the end-to-end tests stand on: the real stack in process, scripted upstreams, clients and raw scripts,
//! certificates and tokens.
//!
//! Compiled once; `e2e/` is one binary above it. Rules of the house: ports are always 0, every wait has a deadline
//! ([`deadline::within`]), nothing sleeps to synchronise, nothing is tried twice.

pub mod answer;
pub mod black_hole;
pub mod call;
pub mod certs;
pub mod client;
pub mod command;
pub mod connection;
pub mod deadline;
pub mod edge;
pub mod exchange;
pub mod frame;
pub mod frames;
pub mod guarded;
pub mod head;
pub mod hpack;
pub mod http2;
pub mod linked;
pub mod load;
pub mod log;
pub mod metrics;
pub mod names;
pub mod origin;
pub mod peer;
pub mod process;
pub mod raw;
pub mod service;
pub mod site;
pub mod slow_disk;
pub mod socket;
pub mod stack;
pub mod tokens;
