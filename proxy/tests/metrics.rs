//! The page of metrics is current. `UPDATE=1 cargo test -p portcullis --test metrics` writes it anew.

use std::fs;
use std::path::Path;

#[test]
fn the_page_of_metrics_is_current() {
    let file = Path::new("../docs/metrics.md");
    let page = portcullis::metrics::reference();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(file, &page).expect("writing the page");
    }
    assert_eq!(page, fs::read_to_string(file).unwrap_or_default(), "see the top of this test for UPDATE=1");
}
