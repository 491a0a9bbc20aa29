//! Configuration files: any text is either a configuration or a list of mistakes that can be printed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::config;
use std::path::Path;

fuzz_target!(|text: &str| {
    // No file of the machine takes part: includes and secrets lead to a folder that does not exist.
    if let Err(problems) = config::load_str("fuzz.toml", text, &|_| None, Path::new("/nonexistent")) {
        assert!(!problems.to_string().is_empty(), "a refusal says why");
    }
});
