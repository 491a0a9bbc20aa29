//! Forwarding: an upstream's endpoints, the choice among them, and the connections to each.
//!
//! Everything here belongs to one worker. Connections are never shared between workers: a pool behind a lock cost
//! half as much again a request. A connection has no task of its own; it is polled by the request that uses it, which
//! saves two wake-ups a request and lets a client that leaves cancel its request at once.
//!
//! The way of a request: `send` makes attempt after attempt, `deliver` one of them, on a connection that it can `reach`.
//! Over HTTP/1.1 an `exchange` on a `connection` writes the head and the `upload` until the head of the response comes,
//! and the rest is polled as the `response`'s `body`, or as a `tunnel`.
//! HTTP/2 connections are shared by many requests, so each has a task (`http2`).

mod adaptive;
mod address;
mod affinity;
mod attempt;
mod balance;
mod body;
mod breaker;
mod budget;
mod choice;
mod client_tls;
mod connection;
mod contest;
mod deliver;
mod dial;
mod endpoint;
mod endpoints;
mod error;
mod exchange;
mod floor;
mod former;
mod gate;
mod gradient;
mod group;
mod health;
mod health_state;
mod hedge;
mod histogram;
mod host;
mod http2;
mod keeper;
mod member;
mod names;
mod outcome;
mod own_fields;
mod park;
mod percentile;
mod pool;
mod probe;
mod queue;
mod race;
mod reach;
mod resolve;
mod response;
mod retry;
mod send;
mod shared;
mod sticky;
mod stream;
#[cfg(test)]
mod tests;
mod trailer;
mod tunnel;
mod upload;
mod wait;
mod watch;
mod worker;

pub use address::display;
pub use affinity::{Affinity, number};
pub use attempt::{Attempt, Failed, Why};
pub use client_tls::client_config;
pub use deliver::{Again, take_head};
pub use dial::{Transport, dial};
pub use error::UpstreamError;
pub use group::Group;
pub use host::HostField;
pub use keeper::{Keeper, Kept};
pub use member::Member;
pub use own_fields::OwnFields;
pub use pool::Pools;
pub use response::UpstreamBody;
pub use retry::RetryPolicy;
pub use send::Call;
pub use shared::Shared;
pub use sticky::Sticky;
pub use watch::SendLimits;
pub use worker::Upstream;
