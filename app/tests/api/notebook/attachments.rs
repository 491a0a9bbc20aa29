//! Attachments: rows and files together.

use super::{Notebook, refusal};
use axum::body::{Body, Bytes};
use http::{Method, StatusCode};
use portcullis_app::config::DatabaseUrl;
use portcullis_app::service;
use portcullis_app::store::{AccountStore, Database};
use serde_json::json;
use serve::BodyError;

/// SHA-256 of "abc" (FIPS 180-2 appendix B.1).
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

#[tokio::test]
async fn an_upload_is_named_for_the_edge_to_serve() {
    let notebook = Notebook::new().await;
    let (ann, bob) = (notebook.person("ann").await, notebook.person("bob").await);
    let note = notebook.note(&ann, "files").await;
    let made = notebook.upload(&ann, &note, "..%2FB%C3%BCro%20%221%22.txt", "abc").await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let attachment = made.json();
    for (member, value) in [
        ("name", json!("Büro \"1\".txt")),
        ("size", json!(3)),
        ("content_type", json!("text/plain")),
        ("digest", json!(ABC)),
    ] {
        assert_eq!(attachment[member], value, "{member}");
    }
    assert_eq!(notebook.get(&ann, &note.path).await.json()["attachments"][0], attachment);

    let path = format!("/api/attachments/{}/", made.string("id"));
    let download = notebook.get(&ann, &path).await;
    assert_eq!((download.status, download.text.as_str()), (StatusCode::OK, ""));
    for (name, value) in [
        ("x-accel-redirect", format!("/ba/78/{ABC}")),
        ("content-type", "text/plain".into()),
        (
            "content-disposition",
            "attachment; filename=\"B_ro _1_.txt\"; filename*=UTF-8''B%C3%BCro%20%221%22.txt".into(),
        ),
        ("etag", format!("\"{ABC}\"")),
        ("cache-control", "private, no-cache".into()),
        ("x-content-type-options", "nosniff".into()),
        ("content-security-policy", "sandbox".into()),
    ] {
        assert_eq!(download.headers[name], value, "{name}");
    }
    let file = notebook.attachments.join(&download.headers["x-accel-redirect"].to_str().expect("text")[1..]);
    assert_eq!(std::fs::read(file).expect("the file"), b"abc");

    assert_eq!(refusal(&notebook.get(&bob, &path).await), (404, "not_found".into()));
    notebook.share(&ann, &note, &bob, "viewer").await;
    assert_eq!(notebook.get(&bob, &path).await.status, StatusCode::OK);
    assert_eq!(refusal(&notebook.delete(&bob, &path).await), (403, "forbidden".into()));
    assert_eq!(notebook.delete(&ann, &path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(refusal(&notebook.get(&ann, &path).await), (404, "not_found".into()));
    assert!(notebook.files().is_empty());
}

#[tokio::test]
async fn the_same_content_is_kept_once_until_its_last_attachment_goes() {
    let notebook = Notebook::new().await;
    let (ann, bob) = (notebook.person("ann").await, notebook.person("bob").await);
    let (hers, his) = (notebook.note(&ann, "hers").await, notebook.note(&bob, "his").await);
    let first = notebook.upload(&ann, &hers, "a", "abc").await.string("id");
    notebook.upload(&ann, &hers, "b", "abc").await;
    notebook.upload(&bob, &his, "c", "abc").await;
    assert_eq!(notebook.files(), [ABC]);
    notebook.delete(&ann, &format!("/api/attachments/{first}/")).await;
    assert_eq!(notebook.files(), [ABC]);
    notebook.delete(&ann, &hers.path).await;
    assert_eq!(notebook.files(), [ABC]);
    notebook.delete(&bob, &his.path).await;
    assert!(notebook.files().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_and_the_removal_of_the_same_content_do_not_lose_it() {
    let notebook = Notebook::new().await;
    let ann = notebook.person("ann").await;
    let note = notebook.note(&ann, "busy").await;
    let turns = (0..8).map(|_| async {
        for _ in 0..5 {
            let made = notebook.upload(&ann, &note, "a", "abc").await;
            assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
            // As long as there is a row, there is its file.
            assert_eq!(notebook.files().iter().filter(|name| *name == ABC).count(), 1);
            let path = format!("/api/attachments/{}/", made.string("id"));
            assert_eq!(notebook.delete(&ann, &path).await.status, StatusCode::NO_CONTENT);
        }
    });
    futures_util::future::join_all(turns).await;
    assert!(notebook.files().is_empty());
}

#[tokio::test]
async fn too_much_is_refused_and_leaves_nothing() {
    let notebook = Notebook::with(|config| config.attachment_bytes_max = 10).await;
    let ann = notebook.person("ann").await;
    let note = notebook.note(&ann, "small").await;
    assert_eq!(notebook.upload(&ann, &note, "fits", "0123456789").await.status, StatusCode::CREATED);
    let before = notebook.files();

    let announced = notebook.request(&ann, Method::POST, &format!("{}attachments/?name=a", note.path));
    // A body that must not be read: nobody waits for it when its length says enough.
    let never = Body::from_stream(futures_util::stream::pending::<Result<Bytes, BodyError>>());
    let announced = announced.header("content-length", "11").body(never).expect("a request");
    assert_eq!(refusal(&notebook.app.send(announced).await), (413, "too_large".into()));

    let pieces = (0..3).map(|_| Ok::<_, BodyError>(Bytes::from_static(b"01234")));
    let streamed = Body::from_stream(futures_util::stream::iter(pieces));
    assert_eq!(refusal(&notebook.upload(&ann, &note, "b", streamed).await), (413, "too_large".into()));
    assert_eq!(notebook.files(), before);
    assert_eq!(notebook.get(&ann, &note.path).await.json()["attachments"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_broken_upload_leaves_nothing() {
    let notebook = Notebook::new().await;
    let ann = notebook.person("ann").await;
    let note = notebook.note(&ann, "broken").await;
    for (error, status, code) in [
        (BodyError::Disconnected, 400, "bad_request"),
        (BodyError::TooSlow, 408, "body_too_slow"),
        (BodyError::TooLarge { limit_bytes: 5 }, 413, "too_large"),
    ] {
        let pieces = [Ok(Bytes::from_static(b"half")), Err(error)];
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        assert_eq!(refusal(&notebook.upload(&ann, &note, "a", body).await), (status, code.into()));
        assert!(notebook.files().is_empty());
    }
}

#[tokio::test]
async fn a_file_that_a_killed_process_left_is_swept_out() {
    let notebook = Notebook::new().await;
    let ann = notebook.person("ann").await;
    let note = notebook.note(&ann, "kept").await;
    notebook.upload(&ann, &note, "a", "abc").await;
    let orphan = notebook.attachments.join("00/00").join("0".repeat(64));
    std::fs::create_dir_all(orphan.parent().expect("a folder")).expect("a folder");
    std::fs::write(&orphan, "left").expect("a file");
    notebook.app.application.sweep_attachments().await;
    assert_eq!(notebook.files(), [ABC]);
}

#[tokio::test]
async fn a_start_with_another_database_is_refused_and_removes_nothing() {
    let mut started = None;
    let notebook = Notebook::with(|config| started = Some(config.clone())).await;
    let ann = notebook.person("ann").await;
    let note = notebook.note(&ann, "kept").await;
    notebook.upload(&ann, &note, "a", "abc").await;

    let mut config = started.expect("a configuration");
    let empty = config.state.join("empty.db");
    config.database = DatabaseUrl::Sqlite(empty.clone());
    let refused = service::build(config.clone()).await.expect_err("another database");
    let said = refused.to_string();
    for path in [&empty, &notebook.attachments] {
        assert!(said.contains(&path.display().to_string()), "{said}");
    }
    assert_eq!(notebook.files(), [ABC]);
    let unused = Database::open(&config.database).await.expect("a database");
    assert!(!unused.has_users().await.expect("a look"), "a failed start made a user whose password nobody saw");

    config.database = DatabaseUrl::Sqlite(config.state.join("app.db"));
    let again = service::build(config).await.expect("the right database");
    again.sweep_attachments().await;
    assert_eq!(notebook.files(), [ABC]);
}

#[tokio::test]
async fn uploads_that_make_no_sense() {
    let notebook = Notebook::new().await;
    let ann = notebook.person("ann").await;
    let note = notebook.note(&ann, "odd").await;
    for (query, content_type) in [("", "text/plain"), ("?name=", "text/plain"), ("?name=a", "text"), ("?name=a", "é/x")]
    {
        let path = format!("{}attachments/{query}", note.path);
        let request = notebook.request(&ann, Method::POST, &path).header("content-type", content_type);
        let answer = notebook.app.send(request.body("abc".into()).expect("a request")).await;
        assert_eq!(refusal(&answer), (400, "validation".into()), "{query} {content_type}");
    }
    assert!(notebook.files().is_empty());
    // No type and no bytes are fine.
    let request = notebook.request(&ann, Method::POST, &format!("{}attachments/?name=a", note.path));
    let empty = notebook.app.send(request.body(Body::empty()).expect("a request")).await;
    assert_eq!(
        (empty.status, empty.string("content_type").as_str()),
        (StatusCode::CREATED, "application/octet-stream")
    );
}
