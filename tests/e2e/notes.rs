//! The life of a note.

use portcullis_tests::stack::Stack;
use serde_json::json;

#[tokio::test]
async fn a_note_is_made_read_changed_found_and_deleted() {
    let stack = Stack::start().await;
    let alice = stack.register("alice").await;
    let client = stack.client();
    let draft =
        json!({ "title": "Groceries", "text": "*milk* <script>alert(1)</script>", "tags": ["home"], "pinned": true });
    let made = client.post("/api/notes/").bearer(&alice.access).json(&draft).send().await.expect_status(201);
    let (location, first) =
        (made.header("location").expect("a place").to_owned(), made.header("etag").expect("a tag").to_owned());
    let note = made.json();
    assert_eq!((&note["owner"], &note["access"], &note["version"]), (&json!("alice"), &json!("owner"), &json!(1)));
    let html = note["html"].as_str().expect("html");
    assert!(html.contains("<em>milk</em>") && !html.contains("<script"), "{html}");

    let read = client.get(&location).bearer(&alice.access).send().await.expect_status(200);
    assert_eq!((read.header("etag"), read.json()["title"].as_str()), (Some(first.as_str()), Some("Groceries")));
    let fresh = client.get(&location).bearer(&alice.access).header("If-None-Match", &first).send().await;
    let _ = fresh.expect_status(304);

    let change = json!({ "text": "milk and bread" });
    let patch = || client.call("PATCH", &location).bearer(&alice.access).json(&change);
    assert_eq!(patch().send().await.expect_status(428).json()["code"], "precondition_required");
    let changed = patch().header("If-Match", &first).send().await.expect_status(200);
    assert_ne!(changed.header("etag"), Some(first.as_str()));
    let stale = patch().header("If-Match", &first).send().await.expect_status(412);
    assert_eq!(stale.json()["code"], "version_conflict");

    for (query, count) in [("?q=bread", 1), ("?q=butter", 0), ("?tag=home", 1), ("?tag=work", 0), ("", 1)] {
        let found = client.get(&format!("/api/notes/{query}")).bearer(&alice.access).send().await.expect_status(200);
        assert_eq!(found.json()["items"].as_array().expect("a list").len(), count, "{query}");
    }
    let _ = client.call("DELETE", &location).bearer(&alice.access).send().await.expect_status(204);
    let gone = client.get(&location).bearer(&alice.access).send().await.expect_status(404);
    assert_eq!((&gone.json()["code"], &gone.json()["source"]), (&json!("not_found"), &json!("app")));
}

#[tokio::test]
async fn a_note_is_seen_by_those_it_is_shared_with_and_by_nobody_else() {
    let stack = Stack::start().await;
    let (alice, bob) = (stack.register("alice").await, stack.register("bob").await);
    let client = stack.client();
    let made = client.post("/api/notes/").bearer(&alice.access).json(&json!({ "title": "Plan" })).send().await;
    let made = made.expect_status(201);
    let (place, etag) =
        (made.header("location").expect("a place").to_owned(), made.header("etag").expect("a tag").to_owned());
    let _ = client.get(&place).bearer(&bob.access).send().await.expect_status(404);

    let share = format!("{place}shares/bob/");
    let shared = client.call("PUT", &share).bearer(&alice.access).json(&json!({ "role": "viewer" })).send().await;
    assert_eq!(shared.expect_status(200).json(), json!({ "username": "bob", "role": "viewer" }));
    let seen = client.get(&place).bearer(&bob.access).send().await.expect_status(200).json();
    assert_eq!((&seen["access"], &seen["shares"]), (&json!("viewer"), &json!([])));
    let edit = |etag: &str| {
        let call = client.call("PATCH", &place).bearer(&bob.access).header("If-Match", etag);
        call.json(&json!({ "text": "bob was here" })).send()
    };
    assert_eq!(edit(&etag).await.expect_status(403).json()["code"], "forbidden");

    let promote = client.call("PUT", &share).bearer(&alice.access).json(&json!({ "role": "editor" })).send().await;
    let _ = promote.expect_status(200);
    let now = client.get(&place).bearer(&bob.access).send().await.expect_status(200);
    let _ = edit(now.header("etag").expect("a tag")).await.expect_status(200);
    let _ = client.call("DELETE", &share).bearer(&alice.access).send().await.expect_status(204);
    let _ = client.get(&place).bearer(&bob.access).send().await.expect_status(404);
}

#[tokio::test]
async fn pages_join_without_gap_or_repetition() {
    let stack = Stack::start().await;
    let alice = stack.register("alice").await;
    let client = stack.client();
    for number in 0..7 {
        let draft = json!({ "title": format!("note {number}"), "pinned": number == 0 });
        let _ = client.post("/api/notes/").bearer(&alice.access).json(&draft).send().await.expect_status(201);
    }
    let (mut titles, mut target) = (Vec::new(), "/api/notes/?limit=3".to_owned());
    loop {
        let page = client.get(&target).bearer(&alice.access).send().await.expect_status(200).json();
        for item in page["items"].as_array().expect("a list") {
            titles.push(item["title"].as_str().expect("a title").to_owned());
        }
        let Some(cursor) = page["next"].as_str() else { break };
        target = format!("/api/notes/?limit=3&cursor={cursor}");
    }
    assert_eq!(titles, ["note 0", "note 6", "note 5", "note 4", "note 3", "note 2", "note 1"]);
}
