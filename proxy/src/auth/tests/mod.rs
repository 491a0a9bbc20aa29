//! Tests of the folder as a whole: foreign vectors, the verifier's table, a route's rule, keys over the network.

mod authorize;
mod discovery;
mod property;
mod reload;
mod remote;
mod support;
mod vectors;
mod verifier;
mod web;
