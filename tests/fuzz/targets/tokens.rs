//! Everything that reads a token before a key is involved.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|token: &[u8]| portcullis::auth::fuzz_verify(token));
