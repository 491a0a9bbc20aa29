//! Notes, their lists and their shares.

use super::accounts::user;
use jiff::Timestamp;
use portcullis_app::domain::note::{Changes, Content, Note};
use portcullis_app::domain::search;
use portcullis_app::domain::share::{Access, ShareRole};
use portcullis_app::store::{
    AddedShare, ContentChange, Database, NewNote, NoteListStore, NoteQuery, NoteStore, ShareStore,
};
use uuid::Uuid;

/// `milliseconds` after the start of every story.
fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(1_700_000_000_000 + milliseconds).expect("a moment")
}

fn content(title: &str, text: &str, tags: &[&str], pinned: bool) -> Content {
    Content::new(Changes {
        title: Some(title.to_owned()),
        text: Some(text.to_owned()),
        tags: Some(tags.iter().map(ToString::to_string).collect()),
        pinned: Some(pinned),
    })
    .expect("content")
}

/// Adds a note of this owner.
pub(crate) async fn note(database: &Database, owner: Uuid, milliseconds: i64, content: Content) -> Uuid {
    let id = Uuid::now_v7();
    let new = NewNote { id, owner_id: owner, content, created_at: at(milliseconds) };
    assert!(database.add_note(&new, u32::MAX).await.expect("a note"));
    id
}

/// A note with nothing special.
pub(crate) async fn plain(database: &Database, owner: Uuid) -> Uuid {
    note(database, owner, 0, content("plain", "", &[], false)).await
}

async fn seen(database: &Database, viewer: Uuid, id: Uuid) -> Option<Note> {
    database.note(viewer, id).await.expect("a look")
}

async fn found(database: &Database, viewer: Uuid, query: &NoteQuery) -> Vec<String> {
    let page = database.notes(viewer, query).await.expect("a page");
    page.notes.iter().map(|note| note.content.title().to_owned()).collect()
}

fn words(text: &str) -> NoteQuery {
    NoteQuery { words: search::words(text).expect("words"), limit: 100, ..NoteQuery::default() }
}

pub(crate) async fn a_note_reads_back_for_those_who_see_it(database: &Database) {
    let (ann, bob) = (user(database, "ann").await.id, user(database, "bob").await.id);
    let written = content("Plän", "Zeile 1\r\n\"'; DROP TABLE notes; --", &["b", "to do"], true);
    let id = note(database, ann, 5, written.clone()).await;
    let read = seen(database, ann, id).await.expect("hers");
    assert_eq!(read.content, written);
    assert_eq!((read.owner.as_str(), read.access, read.version, read.detail), ("ann", Access::Owner, 1, 0));
    assert_eq!((read.created_at, read.updated_at, read.attachment_count), (at(5), at(5), 0));
    assert_eq!(seen(database, bob, id).await, None);
    assert_eq!(seen(database, ann, Uuid::now_v7()).await, None);
}

pub(crate) async fn a_user_owns_only_so_many_notes(database: &Database) {
    let (ann, bob) = (user(database, "ann").await.id, user(database, "bob").await.id);
    for (owner, added) in [(ann, true), (ann, true), (ann, false), (bob, true)] {
        let content = content("one of two", "", &[], false);
        let new = NewNote { id: Uuid::now_v7(), owner_id: owner, content, created_at: at(0) };
        assert_eq!(database.add_note(&new, 2).await.expect("an answer"), added);
        assert_eq!(seen(database, owner, new.id).await.is_some(), added);
    }
}

pub(crate) async fn of_two_writers_of_one_version_one_wins(database: &Database) {
    let ann = user(database, "ann").await.id;
    let id = plain(database, ann).await;
    let contents: Vec<_> = (0..20).map(|n| content(&format!("writer {n}"), "", &[], false)).collect();
    let wins = futures_util::future::join_all(contents.iter().map(|content| async move {
        let change = ContentChange { id, writer: ann, seen_version: 1, content, updated_at: at(9) };
        database.replace_content(&change).await.expect("an answer")
    }))
    .await;
    assert_eq!(wins.iter().filter(|&&won| won).count(), 1);
    let winner = wins.iter().position(|&won| won).expect("one");
    let read = seen(database, ann, id).await.expect("hers");
    assert_eq!((read.version, read.updated_at, &read.content), (2, at(9), &contents[winner]));
}

pub(crate) async fn a_share_grants_and_its_end_takes_away(database: &Database) {
    let (ann, bob) = (user(database, "ann").await.id, user(database, "Bob").await.id);
    let id = plain(database, ann).await;
    let new = content("new", "", &[], false);
    let write = async |seen_version| {
        let change = ContentChange { id, writer: bob, seen_version, content: &new, updated_at: at(1) };
        database.replace_content(&change).await.expect("an answer")
    };
    assert!(!write(1).await, "a stranger");
    for (role, access, may_write) in
        [(ShareRole::Viewer, Access::Viewer, false), (ShareRole::Editor, Access::Editor, true)]
    {
        let added = database.add_share(ann, id, bob, role).await.expect("an answer");
        assert_eq!(added, AddedShare::Added { version: 1 });
        assert_eq!(seen(database, bob, id).await.expect("shared").access, access);
        assert_eq!(write(1).await, may_write, "{role}");
        let shares = database.shares(id).await.expect("a list");
        assert_eq!(shares.len(), 1);
        assert_eq!((shares[0].username.as_str(), shares[0].role), ("Bob", role));
    }
    let mut audience = database.audience(id).await.expect("a list");
    audience.sort();
    assert_eq!(audience, [ann, bob]);
    assert_eq!(seen(database, ann, id).await.expect("hers").detail, 2);

    assert_eq!(database.remove_share(id, bob).await.expect("an answer"), Some(2));
    assert_eq!(database.remove_share(id, bob).await.expect("an answer"), None);
    assert_eq!(database.remove_share(id, ann).await.expect("an answer"), None, "the owner stays");
    assert_eq!(seen(database, bob, id).await, None);
    assert!(!write(2).await, "no longer");
    assert!(found(database, bob, &words("")).await.is_empty());
}

pub(crate) async fn only_the_owner_shares_and_never_himself_away(database: &Database) {
    let (ann, bob) = (user(database, "ann").await.id, user(database, "bob").await.id);
    let id = plain(database, ann).await;
    let add = async |owner, user| database.add_share(owner, id, user, ShareRole::Viewer).await.expect("an answer");
    assert_eq!(add(bob, bob).await, AddedShare::NoNote);
    assert_eq!(add(ann, ann).await, AddedShare::Added { version: 1 });
    assert_eq!(seen(database, ann, id).await.expect("hers").access, Access::Owner);
}

pub(crate) async fn shares_have_a_limit(database: &Database) {
    let ann = user(database, "ann").await.id;
    let id = plain(database, ann).await;
    let mut last = ann;
    for n in 0..=100 {
        last = user(database, &format!("user{n}")).await.id;
        let added = database.add_share(ann, id, last, ShareRole::Viewer).await.expect("an answer");
        assert_eq!(added == AddedShare::Full, n == 100, "{n}");
    }
    assert_eq!(seen(database, last, id).await, None);
    // A role can still be changed.
    let shares = database.shares(id).await.expect("a list");
    let member = portcullis_app::store::AccountStore::user_named(database, &shares[0].username).await.expect("a look");
    let added = database.add_share(ann, id, member.expect("there").id, ShareRole::Editor).await.expect("an answer");
    assert_eq!(added, AddedShare::Added { version: 1 });
}

pub(crate) async fn a_removed_note_takes_everything_along(database: &Database) {
    let (ann, bob) = (user(database, "ann").await.id, user(database, "bob").await.id);
    let id = plain(database, ann).await;
    database.add_share(ann, id, bob, ShareRole::Editor).await.expect("shared");
    assert_eq!(database.remove_note(bob, id, 1).await.expect("an answer"), None, "not his");
    assert_eq!(database.remove_note(ann, id, 2).await.expect("an answer"), None, "another version");
    let mut removed = database.remove_note(ann, id, 1).await.expect("an answer").expect("removed");
    removed.audience.sort();
    assert_eq!(removed.audience, [ann, bob]);
    assert_eq!(seen(database, ann, id).await, None);
    assert_eq!(database.remove_note(ann, id, 1).await.expect("an answer"), None);
    assert!(database.audience(id).await.expect("a list").is_empty());
}

pub(crate) async fn a_search_finds_the_same_everywhere(database: &Database) {
    let (ann, bob) = (user(database, "ann").await.id, user(database, "bob").await.id);
    for (n, (title, text, tags)) in [
        ("Groceries", "Milk and BREAD", &["home"][..]),
        ("Ärger im Büro", "50% off_now \\o/", &["work", "to do"]),
        ("ΟΔΟΣ", "straße", &["home office"]),
        ("Quote's", "don''t; --", &["a%b"]),
    ]
    .into_iter()
    .enumerate()
    {
        note(database, ann, i64::try_from(n).expect("small"), content(title, text, tags, false)).await;
    }
    note(database, bob, 0, content("Milk of Bob", "", &["home"], false)).await;
    for (asked, titles) in [
        ("milk", &["Groceries"][..]),
        ("MILK bread", &["Groceries"]),
        ("milk home", &["Groceries"]),
        ("milk office", &[]),
        ("ärger", &["Ärger im Büro"]),
        ("ÄRGER BÜRO", &["Ärger im Büro"]),
        ("οδοσ", &["ΟΔΟΣ"]),
        ("οδος", &["ΟΔΟΣ"]),
        ("STRAßE", &["ΟΔΟΣ"]),
        ("50%", &["Ärger im Büro"]),
        ("0% off", &["Ärger im Büro"]),
        ("%", &["Quote's", "Ärger im Büro"]),
        ("off_now", &["Ärger im Büro"]),
        ("f_w", &[]),
        ("\\o/", &["Ärger im Büro"]),
        ("\\", &["Ärger im Büro"]),
        ("'", &["Quote's"]),
        ("''t; --", &["Quote's"]),
        ("home", &["ΟΔΟΣ", "Groceries"]),
        ("groceriesmilk", &[]),
        ("", &["Quote's", "ΟΔΟΣ", "Ärger im Büro", "Groceries"]),
    ] {
        assert_eq!(found(database, ann, &words(asked)).await, titles, "{asked:?}");
    }
    for (tag, titles) in [
        ("home", &["Groceries"][..]),
        ("home office", &["ΟΔΟΣ"]),
        ("hom", &[]),
        ("to do", &["Ärger im Büro"]),
        ("a%b", &["Quote's"]),
        ("%", &[]),
    ] {
        let query = NoteQuery { tag: Some(tag.to_owned()), limit: 100, ..NoteQuery::default() };
        assert_eq!(found(database, ann, &query).await, titles, "{tag:?}");
    }
    let both = NoteQuery { tag: Some("home".into()), ..words("straße") };
    assert!(found(database, ann, &both).await.is_empty());
}

pub(crate) async fn pages_stay_whole_while_notes_come(database: &Database) {
    let ann = user(database, "ann").await.id;
    // Four notes share each moment, so that the ids decide too.
    for n in 0..12 {
        note(database, ann, n / 4, content(&format!("n{n}"), "", &[], n % 3 == 0)).await;
    }
    let whole = found(database, ann, &words("")).await;
    assert_eq!(whole.len(), 12);
    assert!(whole[..4].iter().all(|title| ["n0", "n3", "n6", "n9"].contains(&title.as_str())), "{whole:?}");

    let mut walked = Vec::new();
    let mut after = None;
    loop {
        let query = NoteQuery { after, limit: 5, ..NoteQuery::default() };
        let page = database.notes(ann, &query).await.expect("a page");
        walked.extend(page.notes.iter().map(|note| note.content.title().to_owned()));
        // A newer one comes in between, on top of both groups.
        note(database, ann, 100, content("late", "", &[], true)).await;
        note(database, ann, 100, content("late", "", &[], false)).await;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    walked.retain(|title| title != "late");
    assert_eq!(walked, whole);
}

pub(crate) async fn a_page_of_long_notes_ends_early(database: &Database) {
    let ann = user(database, "ann").await.id;
    for n in 0..6 {
        note(database, ann, n, content(&format!("n{n}"), &"x".repeat(256 * 1024), &[], false)).await;
    }
    let first = database.notes(ann, &words("")).await.expect("a page");
    assert_eq!(first.notes.len(), 4);
    let second = database.notes(ann, &NoteQuery { after: first.next, ..words("") }).await.expect("a page");
    assert_eq!((second.notes.len(), second.next), (2, None));
}
