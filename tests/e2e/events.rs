//! Live changes: what one user does, another sees at once.

use portcullis_tests::stack::Stack;
use serde_json::json;

#[tokio::test]
async fn a_change_reaches_those_who_see_the_note() {
    let stack = Stack::start().await;
    let (alice, bob) = (stack.register("alice").await, stack.register("bob").await);
    let client = stack.client();
    let mut events = client.get("/api/events/").bearer(&bob.access).open().await;
    assert_eq!(events.status(), 200);
    assert_eq!(events.header("content-type"), Some("text/event-stream"));

    let private = client.post("/api/notes/").bearer(&alice.access).json(&json!({ "title": "private" })).send().await;
    let private = private.expect_status(201).json()["id"].as_str().expect("an id").to_owned();
    let made = client.post("/api/notes/").bearer(&alice.access).json(&json!({ "title": "ours" })).send().await;
    let made = made.expect_status(201);
    let (place, id) =
        (made.header("location").expect("a place").to_owned(), made.json()["id"].as_str().expect("an id").to_owned());
    let share = client.call("PUT", &format!("{place}shares/bob/")).bearer(&alice.access);
    let _ = share.json(&json!({ "role": "viewer" })).send().await.expect_status(200);
    let shared = events.read_until("shared").await + &events.read_until("\n\n").await;
    assert!(shared.contains("event: note") && shared.contains(&id), "{shared}");

    let change =
        client.call("PATCH", &place).bearer(&alice.access).header("If-Match", "*").json(&json!({ "title": "new" }));
    let _ = change.send().await.expect_status(200);
    let updated = events.read_until("updated").await;
    assert!(!(shared + &updated).contains(&private), "nobody learns of notes that he does not see");
}
