//! Everything that reads a token before a key is involved, and everything that reads a DPoP proof, whose key comes with
//! it.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|token: &[u8]| {
    portcullis::auth::fuzz_verify(token);
    portcullis::auth::fuzz_proof(token);
});
