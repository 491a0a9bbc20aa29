//! The whole verifier, on tokens as they come and on such that are signed well: what it accepts, the plain library
//! accepts too.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| assert!(portcullis::auth::fuzz_verify(bytes), "accepted without a good signature"));
