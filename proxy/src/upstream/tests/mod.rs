//! The client against endpoints that say byte by byte what they answer and when.

mod differential;
mod hedging;
mod queueing;
mod reloads;
mod requests;
mod responses;
mod retries;
mod support;
mod tunnels;
mod waiting;
