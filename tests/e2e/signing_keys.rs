//! The application's signing keys rotate while clients work: nobody notices.

use portcullis_tests::stack::Stack;
use portcullis_tests::tokens::header_of;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

const CLIENTS: usize = 4;
const ROTATIONS: usize = 2;

/// Works until told to stop: asks with the access token, refreshes, asks again. Returns how often.
async fn work(stack: &Stack, name: &str, stop: &AtomicBool) -> usize {
    let user = stack.register(name).await;
    let (mut access, mut refresh) = (user.access, user.refresh);
    let text = |value: &Value| value.as_str().expect("a token").to_owned();
    let mut asked = 0;
    while !stop.load(Relaxed) {
        let _ = stack.client().get("/api/me/").bearer(&access).send().await.expect_status(200);
        let body = json!({ "refresh": refresh });
        let pair = stack.client().post("/api/token/refresh/").json(&body).send().await.expect_status(200).json();
        (access, refresh) = (text(&pair["access"]), text(&pair["refresh"]));
        asked += 2;
    }
    asked
}

#[tokio::test]
async fn keys_rotate_without_one_failed_request() {
    let stack = Stack::start().await;
    let old = stack.register("old").await;
    let stop = AtomicBool::new(false);
    let rotate = async {
        for _ in 0..ROTATIONS {
            let active = stack.rotate_keys().await;
            // The application follows within seconds; what it signs then, the edge must take at once.
            loop {
                let user = stack.sign_in_demo().await;
                let _ = stack.client().get("/api/me/").bearer(&user.access).send().await.expect_status(200);
                if header_of(&user.access)["kid"] == json!(active) {
                    break;
                }
            }
        }
        stop.store(true, Relaxed);
    };
    let names: Vec<String> = (0..CLIENTS).map(|n| format!("client-{n}")).collect();
    let clients = futures_util::future::join_all(names.iter().map(|name| work(&stack, name, &stop)));
    let (asked, ()) = tokio::join!(clients, rotate);
    assert!(asked.iter().all(|asked| *asked > 0), "{asked:?}");
    // A token of the first key counts until it expires.
    let _ = stack.client().get("/api/me/").bearer(&old.access).send().await.expect_status(200);
}
