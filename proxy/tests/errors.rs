//! The page of error codes equals the list in the code.
//!
//! `UPDATE=1 cargo test -p portcullis --test errors` writes it anew.

use std::fs;

#[test]
fn the_page_of_errors_is_current() {
    let (page, written) = ("../docs/errors.md", portcullis::http::error_reference());
    if std::env::var_os("UPDATE").is_some() {
        fs::write(page, &written).expect("writing the page");
    }
    let current = fs::read_to_string(page).unwrap_or_default();
    assert_eq!(written, current, "{page} differs; see the top of this test for UPDATE=1");
}
