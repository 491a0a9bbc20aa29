//! Notes from their first version to their end.

use super::{Notebook, refusal};
use axum::body::Body;
use http::{Method, StatusCode};
use serde_json::{Value, json};

#[tokio::test]
async fn a_note_is_made_read_changed_and_removed() {
    let notebook = Notebook::new().await;
    let ann = notebook.person("ann").await;
    let body = json!({"title": " Plan ", "text": "*now* <b>", "tags": ["Work", "work"], "pinned": true});
    let made = notebook.post(&ann, "/api/notes/", body).await;
    assert_eq!((made.status, &made.headers["etag"]), (StatusCode::CREATED, &"\"1\"".parse().expect("a value")));
    let note = made.json();
    let path = format!("/api/notes/{}/", note["id"].as_str().expect("an id"));
    assert_eq!(made.headers["location"], path);
    assert_eq!(note["html"], "<p><em>now</em> &lt;b&gt;</p>\n");
    for (member, value) in [
        ("title", json!("Plan")),
        ("tags", json!(["work"])),
        ("pinned", json!(true)),
        ("owner", json!("ann")),
        ("access", json!("owner")),
        ("shares", json!([])),
        ("attachments", json!([])),
        ("version", json!(1)),
    ] {
        assert_eq!(note[member], value, "{member}");
    }
    for path in [path.as_str(), path.trim_end_matches('/')] {
        assert_eq!(notebook.get(&ann, path).await.json(), note);
    }

    let put = json!({"title": "Plan B", "text": "", "tags": [], "pinned": false});
    let put = notebook.put(&ann, &path, "\"1\"", put).await;
    assert_eq!((put.status, &put.headers["etag"]), (StatusCode::OK, &"\"2\"".parse().expect("a value")));
    assert_eq!((&put.json()["title"], &put.json()["version"]), (&json!("Plan B"), &json!(2)));
    let patched = notebook.patch(&ann, &path, "\"2\"", json!({"tags": ["x"]})).await;
    assert_eq!((&patched.json()["title"], &patched.json()["tags"]), (&json!("Plan B"), &json!(["x"])));
    assert_eq!(notebook.get(&ann, &path).await.json(), patched.json());

    assert_eq!(notebook.delete(&ann, &path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(refusal(&notebook.get(&ann, &path).await), (404, "not_found".into()));
    assert_eq!(refusal(&notebook.delete(&ann, &path).await), (404, "not_found".into()));
}

#[tokio::test]
async fn writes_say_which_version_they_are_made_from() {
    let notebook = Notebook::new().await;
    let ann = notebook.person("ann").await;
    let note = notebook.note(&ann, "first").await;
    let missing = notebook.send_json(&ann, Method::PATCH, &note.path, None, json!({"title": "x"})).await;
    assert_eq!(refusal(&missing), (428, "precondition_required".into()));
    for (tag, status) in
        [("\"9\"", 412), ("W/\"1\"", 412), ("nonsense", 400), ("\"9\", \"1\"", 200), ("\"1\"", 412), ("*", 200)]
    {
        let answer = notebook.patch(&ann, &note.path, tag, json!({"text": tag})).await;
        assert_eq!(answer.status.as_u16(), status, "{tag}: {}", answer.text);
    }
    // What is wrong in itself is said before the version is looked at (RFC 9110 section 13.2.1).
    let invalid = notebook.patch(&ann, &note.path, "\"1\"", json!({"title": ""})).await;
    assert_eq!(refusal(&invalid), (400, "validation".into()));
    let request = notebook.request(&ann, Method::DELETE, &note.path).header("if-match", "\"1\"");
    let stale = notebook.app.send(request.body(Body::empty()).expect("a request")).await;
    assert_eq!(refusal(&stale), (412, "version_conflict".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_writers_of_one_version_exactly_one_wins() {
    let notebook = Notebook::new().await;
    let ann = notebook.person("ann").await;
    let note = notebook.note(&ann, "first").await;
    let writers = (0..10).map(|n| {
        let body = json!({"title": format!("writer {n}"), "text": "", "tags": [], "pinned": false});
        notebook.put(&ann, &note.path, &note.etag, body)
    });
    let answers = futures_util::future::join_all(writers).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == StatusCode::OK);
    assert_eq!((won.len(), lost.len()), (1, 9));
    assert!(lost.iter().all(|answer| refusal(answer) == (412, "version_conflict".into())));
    assert_eq!(notebook.get(&ann, &note.path).await.json(), won[0].json());

    // Who accepts any version always wins, however many there are.
    let writers = (0..10).map(|n| notebook.patch(&ann, &note.path, "*", json!({"text": n.to_string()})));
    let answers = futures_util::future::join_all(writers).await;
    assert!(answers.iter().all(|answer| answer.status == StatusCode::OK));
    assert_eq!(notebook.get(&ann, &note.path).await.json()["version"], 12);
}

#[tokio::test]
async fn an_unchanged_note_is_not_sent_again() {
    let notebook = Notebook::new().await;
    let (ann, bob) = (notebook.person("ann").await, notebook.person("bob").await);
    let note = notebook.note(&ann, "first").await;
    let conditional = async |tag: &str| {
        let request = notebook.request(&ann, Method::GET, &note.path).header("if-none-match", tag);
        notebook.app.send(request.body(Body::empty()).expect("a request")).await
    };
    let same = conditional(&format!("\"0\", W/{}", note.etag)).await;
    assert_eq!((same.status, same.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
    assert_eq!(same.headers["etag"], note.etag);
    assert_eq!(conditional("\"0\"").await.status, StatusCode::OK);
    // The owner's page lists the shares, so that a share makes another page, but no conflict.
    notebook.share(&ann, &note, &bob, "viewer").await;
    let shared = conditional(&note.etag).await;
    assert_eq!(shared.json()["shares"], json!([{"username": "bob", "role": "viewer"}]));
    assert_eq!(notebook.patch(&ann, &note.path, &note.etag, json!({"text": "x"})).await.status, StatusCode::OK);
}

#[tokio::test]
async fn refusals_name_the_fields() {
    let notebook = Notebook::new().await;
    let ann = notebook.person("ann").await;
    for (body, fields) in [
        (json!({}), vec!["title"]),
        (json!({"title": "x".repeat(201)}), vec!["title"]),
        (json!({"title": "x", "text": "x".repeat(256 * 1024 + 1)}), vec!["text"]),
        (json!({"title": "x", "tags": [""]}), vec!["tags"]),
        (json!({"title": "\u{0}", "text": "\u{0}", "tags": ["\u{0}"]}), vec!["tags", "text", "title"]),
    ] {
        let answer = notebook.post(&ann, "/api/notes/", body).await;
        assert_eq!(refusal(&answer), (400, "validation".into()));
        let problem = answer.json();
        let mut found: Vec<_> = problem["errors"].as_object().expect("errors").keys().collect();
        found.sort();
        assert_eq!(found, fields);
    }
    let note = notebook.note(&ann, "whole").await;
    let half = notebook.put(&ann, &note.path, &note.etag, json!({"title": "half"})).await;
    assert_eq!(half.json()["errors"].as_object().map(serde_json::Map::len), Some(3), "{}", half.text);
    assert_eq!(refusal(&notebook.post(&ann, "/api/notes/", json!([])).await), (400, "bad_request".into()));
    for path in ["/api/notes/?limit=0", "/api/notes/?limit=x", "/api/notes/?cursor=x", "/api/notes/?q=%00"] {
        assert_eq!(refusal(&notebook.get(&ann, path).await), (400, "validation".into()), "{path}");
    }
    for path in ["/api/notes/x/", "/api/notes/00000000-0000-0000-0000-000000000000/"] {
        assert_eq!(refusal(&notebook.get(&ann, path).await), (404, "not_found".into()), "{path}");
    }
    let largest = notebook.post(&ann, "/api/notes/", json!({"title": "x", "text": "\n".repeat(256 * 1024)})).await;
    assert_eq!(largest.status, StatusCode::CREATED, "a text of the largest size fits into a request");
}

#[tokio::test]
async fn lists_are_walked_by_cursor_while_notes_come() {
    let notebook = Notebook::new().await;
    let ann = notebook.person("ann").await;
    for n in 0..7 {
        let body = json!({"title": format!("n{n}"), "pinned": n == 0, "tags": ["t"], "text": "# Some *text*"});
        notebook.post(&ann, "/api/notes/", body).await;
    }
    let (mut titles, mut next) = (Vec::new(), String::new());
    loop {
        let page = notebook.get(&ann, &format!("/api/notes/?limit=3&tag=T&q=some&cursor={next}")).await.json();
        titles.extend(page["items"].as_array().expect("items").iter().map(|item| item["title"].clone()));
        notebook.post(&ann, "/api/notes/", json!({"title": "late", "tags": ["t"], "text": "some"})).await;
        match &page["next"] {
            Value::String(cursor) => next.clone_from(cursor),
            other => break assert_eq!(other, &Value::Null),
        }
    }
    assert_eq!(titles[0], "n0", "pinned");
    titles.sort_by_key(ToString::to_string);
    assert_eq!(titles, ["n0", "n1", "n2", "n3", "n4", "n5", "n6"]);

    let page = notebook.get(&ann, "/api/notes/?q=n0").await.json();
    let item = &page["items"][0];
    assert_eq!((&item["excerpt"], &item["attachment_count"]), (&json!("Some text"), &json!(0)));
    assert!(["html", "shares", "attachments"].iter().all(|member| item[member].is_null()), "{item}");
}

#[tokio::test]
async fn a_preview_shows_what_a_note_will_show() {
    let notebook = Notebook::new().await;
    let ann = notebook.person("ann").await;
    let shown = notebook.post(&ann, "/api/markdown/", json!({"text": "**a** <script>"})).await;
    assert_eq!(shown.json(), json!({"html": "<p><strong>a</strong> &lt;script&gt;</p>\n"}));
    let long = notebook.post(&ann, "/api/markdown/", json!({"text": "x".repeat(256 * 1024 + 1)})).await;
    assert_eq!(refusal(&long), (400, "validation".into()));
}

#[tokio::test]
async fn the_description_names_every_path_of_the_notebook() {
    let notebook = Notebook::new().await;
    let ann = notebook.person("ann").await;
    let api = notebook.get(&ann, "/api/openapi.json").await.json();
    for (path, methods) in [
        ("/api/notes/", &["get", "post"][..]),
        ("/api/notes/{id}/", &["get", "put", "patch", "delete"]),
        ("/api/notes/{id}/shares/{username}/", &["put", "delete"]),
        ("/api/notes/{id}/attachments/", &["post"]),
        ("/api/attachments/{id}/", &["get", "delete"]),
        ("/api/markdown/", &["post"]),
        ("/api/events/", &["get"]),
        ("/api/admin/users/", &["get"]),
        ("/api/admin/users/{id}/disable/", &["post"]),
        ("/api/admin/users/{id}/enable/", &["post"]),
    ] {
        for method in methods {
            assert!(api["paths"][path][method].is_object(), "{method} {path}");
        }
    }
    let operations = api["paths"].as_object().expect("paths").values().filter_map(Value::as_object);
    let mut ids: Vec<_> =
        operations.flat_map(|methods| methods.values()).map(|one| one["operationId"].to_string()).collect();
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all, "each operation has a name of its own: {ids:?}");
    let upload = &api["paths"]["/api/notes/{id}/attachments/"]["post"]["requestBody"]["content"];
    assert_eq!(upload["application/octet-stream"]["schema"]["type"], "string");
}
