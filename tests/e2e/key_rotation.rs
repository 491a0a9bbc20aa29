//! The key that edge and application share is replaced while requests go on, and none fails.

use portcullis_tests::client::Client;
use portcullis_tests::deadline::within;
use portcullis_tests::stack::Stack;
use portcullis_tests::tokens::{SigningKey, base64url, seconds_since_1970, sign_text};
use serde_json::json;
use serve::contract::link::{PATH, REQUEST_TYPE};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

/// Whether the application takes this key, asked by its own means.
async fn is_taken(application: &Client, key: &SigningKey) -> bool {
    let (now, jti) = (seconds_since_1970(), uuid::Uuid::new_v4().to_string());
    let header = json!({ "alg": "HS256", "typ": REQUEST_TYPE });
    let claims = json!({ "aud": "app", "iat": now, "exp": now + 30, "jti": jti });
    let token = sign_text(&header.to_string(), &claims.to_string(), key);
    application.get(PATH).bearer(&token).open().await.status() == 200
}

#[tokio::test]
async fn the_shared_key_is_replaced_without_a_failed_request() {
    let stack = Stack::start().await;
    let user = stack.register("ann").await;
    let file = stack.edge.folder().join("assertion.key");
    let old = std::fs::read_to_string(&file).expect("the key").trim().to_owned();
    let new = base64url([5; 32]);
    let (old_key, new_key) =
        (SigningKey::hmac("old", "HS256", &base64_decoded(&old)), SigningKey::hmac("new", "HS256", &[5; 32]));
    let application = stack.application();
    assert!(is_taken(&application, &old_key).await && !is_taken(&application, &new_key).await);

    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let load = {
        let (client, stop, count) = (stack.client(), Arc::clone(&stop), Arc::clone(&count));
        tokio::spawn(async move {
            let mut connection = client.connect().await;
            while !stop.load(SeqCst) {
                let answer = client.get("/api/me/").bearer(&user.access).send_on(&mut connection).await;
                let _ = answer.expect_status(200);
                count.fetch_add(1, SeqCst);
            }
        })
    };
    let some_requests = async || {
        let until = count.load(SeqCst) + 20;
        within("some requests", async {
            while count.load(SeqCst) < until {
                tokio::task::yield_now().await;
            }
        })
        .await;
    };
    some_requests().await;
    std::fs::write(&file, format!("{old}\n{new}\n")).expect("both keys");
    within("the new key to count", async { while !is_taken(&application, &new_key).await {} }).await;
    std::fs::write(&file, format!("{new}\n{old}\n")).expect("the new key first");
    stack.reload().await;
    some_requests().await;
    std::fs::write(&file, format!("{new}\n")).expect("the new key alone");
    within("the old key to count no more", async { while is_taken(&application, &old_key).await {} }).await;
    some_requests().await;
    stop.store(true, SeqCst);
    load.await.expect("no request failed");
}

fn base64_decoded(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).expect("base64url")
}
