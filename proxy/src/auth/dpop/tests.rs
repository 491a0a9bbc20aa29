//! Proofs with one thing wrong each, the examples of RFC 9449, and whole requests.

mod proofs;
mod requests;
mod support;
