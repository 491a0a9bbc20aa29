//! Live events: who hears what, and what happens to those who were away.

use super::{Notebook, refusal};
use axum::body::Body;
use http::{Method, StatusCode};
use serde_json::json;
use serve::contract::identity::Assertion;

#[tokio::test]
async fn everybody_hears_what_he_may_see() {
    let notebook = Notebook::new().await;
    let (ann, bob) = (notebook.person("ann").await, notebook.person("bob").await);
    let (mut to_ann, mut to_bob) = (notebook.listen(&ann, None).await, notebook.listen(&bob, None).await);
    let note = notebook.note(&ann, "live").await;
    notebook.patch(&ann, &note.path, "*", json!({"text": "unseen by bob"})).await;
    notebook.share(&ann, &note, &bob, "editor").await;
    notebook.patch(&bob, &note.path, "*", json!({"text": "by bob"})).await;
    notebook.upload(&bob, &note, "a", "abc").await;
    notebook.delete(&ann, &format!("{}shares/bob/", note.path)).await;
    notebook.patch(&ann, &note.path, "*", json!({"text": "unseen again"})).await;
    notebook.share(&ann, &note, &bob, "viewer").await;
    notebook.delete(&ann, &note.path).await;

    let heard = [
        ("created", 1, "ann"),
        ("updated", 2, "ann"),
        ("updated", 2, "ann"), // the list of shares
        ("updated", 3, "bob"),
        ("updated", 3, "bob"), // the attachment
        ("updated", 3, "ann"), // the list of shares
        ("updated", 4, "ann"),
        ("updated", 4, "ann"), // the list of shares
        ("deleted", 5, "ann"),
    ];
    let mut ids = Vec::new();
    for (kind, version, by) in heard {
        let event = to_ann.expect().await;
        let data = json!({"kind": kind, "note_id": note.note["id"], "version": version, "by": by});
        assert_eq!((event.name.as_str(), &event.data), ("note", &data));
        ids.push(event.id.parse::<u64>().expect("a number"));
    }
    assert!(ids.is_sorted_by(|left, right| left < right), "{ids:?}");

    let heard = [
        ("shared", 2),
        ("updated", 2),
        ("updated", 3),
        ("updated", 3),
        ("unshared", 3),
        ("shared", 4),
        ("updated", 4),
        ("deleted", 5),
    ];
    for (kind, version) in heard {
        let event = to_bob.expect().await;
        assert_eq!((event.kind(), &event.data["version"]), (kind, &json!(version)));
    }
}

#[tokio::test]
async fn who_was_away_hears_what_he_missed_or_that_he_missed_too_much() {
    let notebook = Notebook::new().await;
    let (ann, bob) = (notebook.person("ann").await, notebook.person("bob").await);
    let mut stream = notebook.listen(&ann, None).await;
    let note = notebook.note(&ann, "one").await;
    let seen = stream.expect().await.id;
    drop(stream);
    notebook.note(&bob, "not hers").await;
    notebook.patch(&ann, &note.path, "*", json!({"text": "missed"})).await;
    let mut again = notebook.listen(&ann, Some(&seen)).await;
    notebook.delete(&ann, &note.path).await;
    for kind in ["updated", "deleted"] {
        assert_eq!(again.expect().await.kind(), kind);
    }
    for unknown in ["0", "1", "18446744073709551615", "not a number", ""] {
        let mut stream = notebook.listen(&ann, Some(unknown)).await;
        let event = stream.expect().await;
        assert_eq!(event.name, "resync", "{unknown}");
        // With the id of a resync a client goes on without another one.
        let mut resumed = notebook.listen(&ann, Some(&event.id)).await;
        notebook.note(&ann, "next").await;
        assert_eq!(resumed.expect().await.kind(), "created");
    }
}

#[tokio::test]
async fn a_stream_ends_with_the_drain() {
    let notebook = Notebook::new().await;
    let ann = notebook.person("ann").await;
    let mut stream = notebook.listen(&ann, None).await;
    notebook.note(&ann, "last").await;
    assert_eq!(stream.expect().await.kind(), "created");
    notebook.app.application.begin_drain(false);
    assert!(stream.next().await.is_none());
    let request = notebook.request(&ann, Method::GET, "/api/events/").body(Body::empty()).expect("a request");
    assert_eq!(refusal(&notebook.app.send(request).await), (503, "draining".into()));
    assert_eq!(notebook.get(&ann, "/api/notes/").await.status, StatusCode::OK, "what ends by itself is still served");
}

#[tokio::test]
async fn a_stream_does_not_outlive_its_token() {
    let lifetime = std::time::Duration::from_secs(1);
    let notebook = Notebook::with(|config| config.tokens.access_lifetime = lifetime).await;
    let ann = notebook.person("ann").await;
    assert!(notebook.listen(&ann, None).await.next().await.is_none());
}

#[tokio::test]
async fn a_stream_ends_with_its_own_token_however_young_others_may_be() {
    let notebook = Notebook::new().await;
    let ann = notebook.person("ann").await;
    let expired = |assertion: &mut Assertion| {
        let identity = assertion.identity.as_mut().expect("an identity");
        identity.expires_at = assertion.iat;
    };
    // The whole body comes, because the stream ends.
    let ended = notebook.app.get_as("/api/events/", &ann.id, expired).await;
    assert_eq!(ended.status, StatusCode::OK);
    assert!(ended.text.starts_with(": listening"), "{}", ended.text);
}

#[tokio::test]
async fn a_stream_ends_when_a_new_sign_in_ends_its_session() {
    let notebook = Notebook::with(|config| config.tokens.sessions_max = 1).await;
    let ann = notebook.person("ann").await;
    let sign_in = || notebook.app.post("/api/token/", json!({"username": "ann", "password": super::PASSWORD}));
    sign_in().await;
    let mut stream = notebook.listen(&ann, None).await;
    sign_in().await;
    notebook.note(&ann, "unheard").await;
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn streams_leave_room_for_other_requests() {
    let notebook = Notebook::with(|config| config.in_flight_max = 5).await;
    let (ann, bob) = (notebook.person("ann").await, notebook.person("bob").await);
    let _first = notebook.listen(&ann, None).await;
    let second = notebook.listen(&ann, None).await;
    let request = || notebook.request(&bob, Method::GET, "/api/events/").body(Body::empty()).expect("a request");
    let refused = notebook.app.send(request()).await;
    assert_eq!(refusal(&refused), (503, "too_many_streams".into()));
    assert!(refused.headers.contains_key("retry-after"));
    drop(second);
    notebook.listen(&bob, None).await;
}

#[tokio::test]
async fn one_user_has_only_so_many_streams() {
    let notebook = Notebook::new().await;
    let (ann, bob) = (notebook.person("ann").await, notebook.person("bob").await);
    let mut streams = Vec::new();
    for _ in 0..16 {
        streams.push(notebook.listen(&ann, None).await);
    }
    let request = notebook.request(&ann, Method::GET, "/api/events/").body(Body::empty()).expect("a request");
    let refused = notebook.app.send(request).await;
    assert_eq!(refusal(&refused), (StatusCode::TOO_MANY_REQUESTS.as_u16(), "too_many_streams".into()));
    assert!(refused.headers.contains_key("retry-after"));
    notebook.listen(&bob, None).await;
    drop(streams.pop());
    notebook.listen(&ann, None).await;
}
