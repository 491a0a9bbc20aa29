//! The site as people use it: real Chromium against the shipped stack.

use crate::browser;
use portcullis_tests::stack::Stack;

#[tokio::test]
async fn people_use_the_notebook() {
    let stack = Stack::start().await;
    let port = stack.edge.address("https").port();
    browser::run(&format!("https://localhost:{port}")).await;
}
