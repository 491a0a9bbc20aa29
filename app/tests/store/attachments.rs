//! Rows of attachments.

use super::accounts::user;
use super::notes::plain;
use jiff::Timestamp;
use portcullis_app::domain::attachment::{ATTACHMENTS_PER_NOTE_MAX, Digest};
use portcullis_app::domain::note::Attachment;
use portcullis_app::domain::share::ShareRole;
use portcullis_app::store::{AddedAttachment, AttachmentStore, Database, NoteStore, ShareStore};
use uuid::Uuid;

/// An attachment, not yet added.
pub(crate) fn attachment(note_id: Uuid, content: u8) -> Attachment {
    Attachment {
        id: Uuid::now_v7(),
        note_id,
        name: "Büro.txt".to_owned(),
        size_bytes: 5_000_000_000,
        content_type: "text/plain".to_owned(),
        digest: Digest::new([content; 32]),
        created_at: Timestamp::from_millisecond(1_700_000_000_123).expect("a moment"),
    }
}

pub(crate) async fn an_attachment_is_seen_with_its_note(database: &Database) {
    let (ann, bob) = (user(database, "ann").await.id, user(database, "bob").await.id);
    let note = plain(database, ann).await;
    let new = attachment(note, 1);
    assert_eq!(database.add_attachment(bob, &new).await.expect("an answer"), AddedAttachment::NoNote);
    assert_eq!(database.add_attachment(ann, &new).await.expect("an answer"), AddedAttachment::Added { version: 1 });
    assert_eq!(database.attachments(note).await.expect("a list"), vec![new.clone()]);
    assert_eq!(database.attachment(ann, new.id).await.expect("a look"), Some(new.clone()));
    assert_eq!(database.attachment(bob, new.id).await.expect("a look"), None);
    let seen = database.note(ann, note).await.expect("a look").expect("hers");
    assert_eq!((seen.attachment_count, seen.detail, seen.version), (1, 1, 1));

    database.add_share(ann, note, bob, ShareRole::Viewer).await.expect("shared");
    assert_eq!(database.attachment(bob, new.id).await.expect("a look"), Some(new.clone()));
    assert_eq!(database.remove_attachment(bob, &new).await.expect("an answer"), None, "a viewer");
    assert_eq!(database.remove_attachment(ann, &new).await.expect("an answer"), Some(1));
    assert_eq!(database.remove_attachment(ann, &new).await.expect("an answer"), None);
}

pub(crate) async fn a_content_is_referenced_by_rows(database: &Database) {
    let ann = user(database, "ann").await.id;
    let (first, second) = (plain(database, ann).await, plain(database, ann).await);
    let digest = attachment(first, 7).digest;
    let referenced = async || database.is_referenced(digest).await.expect("a look");
    assert!(!referenced().await);
    for note in [first, first, second] {
        database.add_attachment(ann, &attachment(note, 7)).await.expect("added");
    }
    let removed = database.remove_note(ann, first, 1).await.expect("an answer").expect("removed");
    assert_eq!(removed.digests, [digest, digest]);
    assert!(referenced().await);
    database.remove_note(ann, second, 1).await.expect("an answer").expect("removed");
    assert!(!referenced().await);
}

pub(crate) async fn attachments_have_a_limit_even_at_once(database: &Database) {
    let ann = user(database, "ann").await.id;
    let note = plain(database, ann).await;
    let all = (0..ATTACHMENTS_PER_NOTE_MAX + 10)
        .map(|_| async { database.add_attachment(ann, &attachment(note, 1)).await.expect("an answer") });
    let added = futures_util::future::join_all(all).await;
    assert_eq!(added.iter().filter(|&&added| added == AddedAttachment::Full).count(), 10);
    let seen = database.note(ann, note).await.expect("a look").expect("hers");
    assert_eq!(usize::try_from(seen.attachment_count), Ok(ATTACHMENTS_PER_NOTE_MAX));
}
