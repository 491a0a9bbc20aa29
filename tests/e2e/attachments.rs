//! Files of a note: up through the edge, down from the edge's own disk, with the application's consent.

use portcullis_tests::stack::{Stack, User};
use serde_json::{Value, json};

/// A note with one attachment of these bytes.
async fn attached(stack: &Stack, user: &User, bytes: &[u8]) -> Value {
    let client = stack.client();
    let made = client.post("/api/notes/").bearer(&user.access).json(&json!({ "title": "Files" })).send().await;
    let place = made.expect_status(201).header("location").expect("a place").to_owned();
    let upload = client.post(&format!("{place}attachments/?name=caf%C3%A9.bin")).bearer(&user.access);
    upload.header("Content-Type", "application/x-test").body(bytes.to_vec()).send().await.expect_status(201).json()
}

#[tokio::test]
async fn what_was_uploaded_comes_down_again_whole_and_in_parts() {
    let stack = Stack::start().await;
    let alice = stack.register("alice").await;
    // Larger than every buffer on the way.
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[usize::from(number % 3 == 0)]).collect();
    let attachment = attached(&stack, &alice, &bytes).await;
    assert_eq!((&attachment["name"], &attachment["size"]), (&json!("café.bin"), &json!(bytes.len())));
    let place = format!("/api/attachments/{}/", attachment["id"].as_str().expect("an id"));
    let get = || stack.client().get(&place).bearer(&alice.access);

    let whole = get().send().await.expect_status(200);
    assert!(whole.body == bytes, "{} bytes came back", whole.body.len());
    assert_eq!(whole.header("content-type"), Some("application/x-test"));
    assert_eq!(whole.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(whole.header("x-accel-redirect"), None);
    let disposition = whole.header("content-disposition").expect("a disposition");
    assert!(
        disposition.starts_with("attachment") && disposition.contains("filename*=UTF-8''caf%C3%A9.bin"),
        "{disposition}"
    );

    let part = get().header("Range", "bytes=1000000-1000009").send().await.expect_status(206);
    assert_eq!(part.body, bytes[1_000_000..=1_000_009]);
    assert_eq!(part.header("content-range"), Some("bytes 1000000-1000009/3000000"));
    let etag = whole.header("etag").expect("a tag");
    let _ = get().header("If-None-Match", etag).send().await.expect_status(304);
    let resumed = get().header("Range", "bytes=2999990-").header("If-Range", etag).send().await.expect_status(206);
    assert_eq!(resumed.body, bytes[2_999_990..]);
}

#[tokio::test]
async fn a_download_is_for_those_who_see_the_note() {
    let stack = Stack::start().await;
    let (alice, bob) = (stack.register("alice").await, stack.register("bob").await);
    let attachment = attached(&stack, &alice, b"private").await;
    let place = format!("/api/attachments/{}/", attachment["id"].as_str().expect("an id"));
    let refused = stack.client().get(&place).bearer(&bob.access).send().await.expect_status(404);
    assert!(!refused.text().contains("private"));
    let _ = stack.client().get(&place).send().await.expect_status(401);
    let digest = attachment["digest"].as_str().expect("a digest");
    for target in [format!("/{digest}"), format!("/{}/{}/{digest}", &digest[..2], &digest[2..4])] {
        let _ = stack.client().get(&target).bearer(&alice.access).send().await.expect_status(404);
    }
}

#[tokio::test]
async fn too_large_a_file_is_413_and_leaves_nothing() {
    let stack = Stack::start().await;
    let alice = stack.register("alice").await;
    let client = stack.client();
    let made = client.post("/api/notes/").bearer(&alice.access).json(&json!({ "title": "Files" })).send().await;
    let place = made.expect_status(201).header("location").expect("a place").to_owned();
    let (call, upload) = client.post(&format!("{place}attachments/?name=large")).bearer(&alice.access).upload();
    // 27 MiB of unknown length: more than the application takes (25 MiB), and than the edge lets through (26 MiB).
    for _ in 0..27 {
        upload.send(vec![0; 1 << 20]);
    }
    drop(upload);
    let _ = call.send().await.expect_status(413);
    let note = client.get(&place).bearer(&alice.access).send().await.expect_status(200).json();
    assert_eq!(note["attachments"], json!([]));
}
