//! Administration: who may, whom it concerns, and what it ends.

use super::{Notebook, refusal};
use http::StatusCode;
use serde_json::json;

#[tokio::test]
async fn only_administrators_may() {
    let notebook = Notebook::new().await;
    let (ann, root) = (notebook.person("ann").await, notebook.root().await);
    let disable = format!("/api/admin/users/{}/disable/", root.id);
    assert_eq!(refusal(&notebook.get(&ann, "/api/admin/users/").await), (403, "forbidden".into()));
    assert_eq!(refusal(&notebook.post(&ann, &disable, json!({})).await), (403, "forbidden".into()));
    assert_eq!(refusal(&notebook.post(&root, &disable, json!({})).await), (409, "self".into()));
    let nobody = "/api/admin/users/00000000-0000-0000-0000-000000000000/disable/";
    assert_eq!(refusal(&notebook.post(&root, nobody, json!({})).await), (404, "not_found".into()));
}

#[tokio::test]
async fn users_are_listed_page_by_page() {
    let notebook = Notebook::new().await;
    let root = notebook.root().await;
    for name in ["ann", "bob", "cid", "dot"] {
        notebook.person(name).await;
    }
    let first = notebook.get(&root, "/api/admin/users/?limit=3").await.json();
    let next = first["next"].as_str().expect("another page");
    let second = notebook.get(&root, &format!("/api/admin/users/?limit=3&cursor={next}")).await.json();
    assert_eq!(second["next"], json!(null));
    let items = [&first, &second].map(|page| page["items"].as_array().expect("items").clone()).concat();
    let mut names: Vec<_> = items.iter().map(|item| item["username"].as_str().expect("a name")).collect();
    names.sort_unstable();
    assert_eq!(names, ["ann", "bob", "cid", "dot", "root"]);
    let item = items.iter().find(|item| item["username"] == "root").expect("root");
    assert_eq!((&item["role"], &item["active"]), (&json!("admin"), &json!(true)));
    assert!(item["last_login"].is_string() && item["password_hash"].is_null(), "{item}");
    assert_eq!(refusal(&notebook.get(&root, "/api/admin/users/?limit=1000").await), (400, "validation".into()));
}

#[tokio::test]
async fn a_disabled_user_is_out_at_once_and_may_come_back() {
    let notebook = Notebook::new().await;
    let (ann, root) = (notebook.person("ann").await, notebook.root().await);
    let mut stream = notebook.listen(&ann, None).await;
    let path = |deed: &str| format!("/api/admin/users/{}/{deed}/", ann.id);
    let disabled = notebook.post(&root, &path("disable"), json!({})).await;
    assert_eq!((disabled.status, &disabled.json()["active"]), (StatusCode::OK, &json!(false)));
    assert!(stream.next().await.is_none());
    assert_eq!(notebook.get(&ann, "/api/notes/").await.status, StatusCode::UNAUTHORIZED);
    let enabled = notebook.post(&root, &path("enable"), json!({})).await;
    assert_eq!((enabled.status, &enabled.json()["active"]), (StatusCode::OK, &json!(true)));
    assert_eq!(notebook.get(&ann, "/api/notes/").await.status, StatusCode::OK);
}
