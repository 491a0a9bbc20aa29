//! The list of sessions and the ways in which their owner ends them: each with its revocation, or not at all.

use super::accounts::user;
use super::sessions::sign_in;
use jiff::{SignedDuration, Timestamp};
use portcullis_app::domain::session::{Refresh, Sessions, SignIn, Standing};
use portcullis_app::store::{AccountStore, Database, RevocationStore, SessionListStore, SessionStore, UserListStore};
use std::time::Duration;
use uuid::Uuid;

/// When the last token has expired.
const UNTIL: Timestamp = Timestamp::constant(1_700_100_000, 0);

/// `seconds` after the start of every story.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).expect("a moment")
}

async fn open(database: &Database, user: Uuid, seconds: i64) -> Uuid {
    let issued_at = at(seconds);
    let first = Refresh { id: Uuid::new_v4(), issued_at, expires_at: issued_at + SignedDuration::from_hours(24) };
    let id = Uuid::new_v4();
    database.open_session(&sign_in(id, user, first), UNTIL).await.expect("a session");
    id
}

async fn ids(database: &Database, user: Uuid, seconds: i64) -> Vec<Uuid> {
    let sessions = database.sessions(user, at(seconds)).await.expect("a list");
    sessions.iter().map(|session| session.id).collect()
}

/// The sessions whose end edges are told of, in order.
async fn revoked(database: &Database) -> Vec<Uuid> {
    let page = database.revocations_after(0, at(0), 1000).await.expect("a page");
    page.entries.iter().map(|entry| entry.revocation.value.parse().expect("an id")).collect()
}

pub(crate) async fn a_session_is_listed_until_it_ends(database: &Database) {
    let (ada, bob) = (user(database, "ada").await, user(database, "bob").await);
    let (first, second) = (open(database, ada.id, 0).await, open(database, ada.id, 60).await);
    open(database, bob.id, 0).await;
    let sessions = database.sessions(ada.id, at(60)).await.expect("a list");
    assert_eq!(sessions.iter().map(|session| session.id).collect::<Vec<_>>(), [second, first]);
    let listed = &sessions[1];
    assert_eq!((listed.created_at, listed.last_used_at), (at(0), at(0)));
    assert_eq!((listed.user_agent.as_str(), listed.address.as_str()), ("curl/8", "192.0.2.1"));
    assert_eq!(ids(database, ada.id, 24 * 3600).await, [second], "what is over by time is not listed");
    let end = |which| database.end_sessions(ada.id, which, at(70), UNTIL);
    assert_eq!(end(Sessions::One(second)).await.expect("ended"), 1);
    assert_eq!(end(Sessions::One(second)).await.expect("ended"), 0, "once");
    assert_eq!(ids(database, ada.id, 70).await, [first]);
    assert_eq!(revoked(database).await, [second]);
}

pub(crate) async fn nobody_ends_a_strangers_session(database: &Database) {
    let (ada, bob) = (user(database, "ada").await, user(database, "bob").await);
    let session = open(database, ada.id, 0).await;
    for which in [Sessions::One(session), Sessions::All, Sessions::AllBut(Uuid::nil())] {
        assert_eq!(database.end_sessions(bob.id, which, at(1), UNTIL).await.expect("an answer"), 0);
    }
    assert_eq!(ids(database, ada.id, 1).await, [session]);
    assert!(revoked(database).await.is_empty());
}

pub(crate) async fn one_more_session_than_allowed_ends_the_oldest(database: &Database) {
    let ada = user(database, "ada").await;
    let mut opened = Vec::new();
    for seconds in 0..4 {
        opened.push(open(database, ada.id, seconds).await);
    }
    assert_eq!(ids(database, ada.id, 5).await, [opened[3], opened[2]]);
    assert_eq!(revoked(database).await, opened[..2]);
}

/// Two instances, one with a clock that is ahead.
pub(crate) async fn a_new_session_is_never_the_oldest(database: &Database) {
    let ada = user(database, "ada").await;
    let (oldest, ahead) = (open(database, ada.id, 60).await, open(database, ada.id, 61).await);
    let new = open(database, ada.id, 0).await;
    assert_eq!(ids(database, ada.id, 61).await, [ahead, new]);
    assert_eq!(revoked(database).await, [oldest]);
}

/// The password was checked, which takes a while, and then was another one, or the account was disabled.
pub(crate) async fn a_sign_in_that_comes_too_late_opens_nothing(database: &Database) {
    let ada = user(database, "ada").await;
    let epoch = async || database.credentials("ada").await.expect("a look").expect("there").epoch;
    let opened = async |epoch| {
        let issued_at = at(0);
        let first = Refresh { id: Uuid::new_v4(), issued_at, expires_at: issued_at + SignedDuration::from_hours(24) };
        let sign_in = SignIn { epoch, ..sign_in(Uuid::new_v4(), ada.id, first) };
        database.open_session(&sign_in, UNTIL).await.expect("an answer").is_some()
    };
    let change = async |seen: &str, new: &str, ends| {
        assert!(database.change_password(ada.id, (seen, new), ends, at(1), UNTIL).await.expect("an answer"));
    };
    let checked = epoch().await;
    change("$argon2id$...", "renewed", None).await;
    assert!(opened(checked).await, "the same password in a hash of another kind");
    change("renewed", "new", Some(Sessions::All)).await;
    assert!(!opened(checked).await, "the password is another one");
    let checked = epoch().await;
    assert!(opened(checked).await);
    database.disable(ada.id, at(2), UNTIL).await.expect("an answer");
    assert!(!opened(checked).await, "the account was disabled");
    assert!(ids(database, ada.id, 3).await.is_empty());
    database.enable(ada.id).await.expect("an answer");
    assert!(!opened(checked).await && opened(epoch().await).await, "only a new sign-in counts");
}

pub(crate) async fn a_new_password_ends_the_other_sessions_or_changes_nothing(database: &Database) {
    let ada = user(database, "ada").await;
    let (own, other) = (open(database, ada.id, 0).await, open(database, ada.id, 1).await);
    let change = async |seen: &str, ends| {
        database.change_password(ada.id, (seen, "new"), ends, at(2), UNTIL).await.expect("an answer")
    };
    let hash = async || database.credentials_of(ada.id).await.expect("a look").expect("there").password_hash;
    assert!(!change("another", Some(Sessions::AllBut(own))).await, "somebody else was faster");
    assert_eq!((hash().await.as_str(), revoked(database).await), ("$argon2id$...", vec![]));
    assert!(change("$argon2id$...", Some(Sessions::AllBut(own))).await);
    assert_eq!((hash().await.as_str(), revoked(database).await), ("new", vec![other]));
    assert!(change("new", None).await, "and without ends");
    let standing = database.standing(own, Uuid::nil(), at(3), Duration::ZERO).await.expect("a verdict");
    assert_eq!(standing, Standing::Valid);
}

pub(crate) async fn hashes_of_other_kinds_are_found(database: &Database) {
    user(database, "ada").await;
    let bob = user(database, "bob").await;
    let stored = "pbkdf2_sha256$1000$salt$digest";
    database.change_password(bob.id, ("$argon2id$...", stored), None, at(0), UNTIL).await.expect("changed");
    let unlike = async |patterns: [&str; 2]| {
        let patterns = [patterns[0], patterns[1], "", "", ""].map(str::to_owned);
        database.hash_unlike(&patterns).await.expect("a look")
    };
    assert_eq!(unlike(["%$argon2id$%", ""]).await.as_deref(), Some(stored));
    assert_eq!(unlike(["%$argon2id$%", "pbkdf2_sha256$1000$%"]).await, None);
}
