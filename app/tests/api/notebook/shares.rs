//! Who sees and writes a note that is not his.

use super::{Notebook, refusal};
use http::{Method, StatusCode};
use serde_json::json;

#[tokio::test]
async fn each_role_may_what_it_may() {
    let notebook = Notebook::new().await;
    let ann = notebook.person("ann").await;
    let note = notebook.note(&ann, "shared").await;
    let forbidden = Some("forbidden");
    for (name, role, read, write, delete) in [
        ("eve", None, Some("not_found"), Some("not_found"), Some("not_found")),
        ("vic", Some("viewer"), None, forbidden, forbidden),
        ("ed", Some("editor"), None, None, forbidden),
    ] {
        let person = notebook.person(&format!("{name}_")).await;
        if let Some(role) = role {
            notebook.share(&ann, &note, &person, role).await;
        }
        let code = |answer: &crate::app::Answer| (!answer.status.is_success()).then(|| refusal(answer).1);
        let seen = notebook.get(&person, &note.path).await;
        assert_eq!(code(&seen).as_deref(), read, "{name} reads");
        if let Some(role) = role {
            assert_eq!((&seen.json()["access"], &seen.json()["shares"]), (&json!(role), &json!([])));
        }
        let written = notebook.patch(&person, &note.path, "*", json!({"text": name})).await;
        assert_eq!(code(&written).as_deref(), write, "{name} writes");
        let uploaded = notebook.upload(&person, &note, "a.txt", "a").await;
        assert_eq!(code(&uploaded).as_deref(), write, "{name} uploads");
        let shares = format!("{}shares/ann/", note.path);
        let shared = notebook.send_json(&person, Method::PUT, &shares, None, json!({"role": "viewer"})).await;
        assert_eq!(code(&shared).as_deref(), delete, "{name} shares");
        assert_eq!(code(&notebook.delete(&person, &shares).await).as_deref(), delete, "{name} unshares");
        assert_eq!(code(&notebook.delete(&person, &note.path).await).as_deref(), delete, "{name} deletes");
    }
    let shares = &notebook.get(&ann, &note.path).await.json()["shares"];
    assert_eq!(shares, &json!([{"username": "ed_", "role": "editor"}, {"username": "vic_", "role": "viewer"}]));
}

#[tokio::test]
async fn a_share_ends_at_once() {
    let notebook = Notebook::new().await;
    let (ann, bob) = (notebook.person("ann").await, notebook.person("bob").await);
    let note = notebook.note(&ann, "shared").await;
    let share = format!("{}shares/BOB/", note.path);
    for leaver in [&ann, &bob] {
        notebook.share(&ann, &note, &bob, "editor").await;
        let list = notebook.get(&bob, "/api/notes/").await.json();
        assert_eq!(list["items"][0]["owner"], "ann");
        assert_eq!(notebook.delete(leaver, &share).await.status, StatusCode::NO_CONTENT);
        assert_eq!(refusal(&notebook.get(&bob, &note.path).await), (404, "not_found".into()));
        let written = notebook.patch(&bob, &note.path, "*", json!({"text": "x"})).await;
        assert_eq!(refusal(&written), (404, "not_found".into()));
        assert_eq!(notebook.get(&bob, "/api/notes/").await.json()["items"], json!([]));
    }
    assert_eq!(refusal(&notebook.delete(&ann, &share).await), (404, "not_found".into()));
}

#[tokio::test]
async fn shares_that_make_no_sense() {
    let notebook = Notebook::new().await;
    let (ann, bob) = (notebook.person("ann").await, notebook.person("bob").await);
    let note = notebook.note(&ann, "shared").await;
    for (username, role, status, code) in [
        ("nobody", "viewer", 404, "not_found"),
        ("%00", "viewer", 404, "not_found"),
        ("ann", "viewer", 409, "self"),
        ("bob", "owner", 400, "validation"),
    ] {
        let path = format!("{}shares/{username}/", note.path);
        let answer = notebook.send_json(&ann, Method::PUT, &path, None, json!({"role": role})).await;
        assert_eq!(refusal(&answer), (status, code.to_owned()), "{username}");
    }
    notebook.share(&ann, &note, &bob, "viewer").await;
    let own = notebook.delete(&ann, &format!("{}shares/ann/", note.path)).await;
    assert_eq!(refusal(&own), (404, "not_found".into()), "the owner has no share");
}
