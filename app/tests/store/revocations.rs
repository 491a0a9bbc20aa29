//! Revocations: a log without holes, in the transaction of what it tells of.

use super::accounts::user;
use super::sessions::sign_in;
use jiff::{SignedDuration, Timestamp};
use portcullis_app::domain::revocation::Revocation;
use portcullis_app::domain::session::{Refresh, Rotation, Sessions, SignIn, Use};
use portcullis_app::store::{
    Database, LogPlace, Recorded, RevocationStore, SessionListStore, SessionStore, UserListStore,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use uuid::Uuid;

/// `seconds` after the start of every story.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).expect("a moment")
}

async fn after(database: &Database, sequence: i64, seconds: i64) -> Vec<Recorded> {
    let page = database.revocations_after(sequence, at(seconds), 1000).await.expect("a page");
    assert!(!page.more);
    page.entries
}

async fn revoked(database: &Database, seconds: i64) -> Vec<Revocation> {
    after(database, 0, seconds).await.into_iter().map(|recorded| recorded.revocation).collect()
}

pub(crate) async fn what_is_revoked_is_read_in_order(database: &Database) {
    assert_eq!(database.log_end().await.expect("an end"), LogPlace::default());
    assert!(database.knows(&LogPlace::default()).await.expect("a look"));
    let revocations = [
        Revocation::token(Uuid::from_u128(1), at(10)),
        Revocation::session(Uuid::from_u128(2), at(20)),
        Revocation::user_up_to(Uuid::from_u128(3), at(0), at(30)),
        Revocation::key("kid/with \"quotes\"", at(40)),
    ];
    for revocation in &revocations {
        database.revoke(revocation).await.expect("recorded");
    }
    let recorded = after(database, 0, 0).await;
    assert_eq!(recorded.iter().map(|entry| entry.place.sequence).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(recorded.iter().map(|entry| entry.revocation.clone()).collect::<Vec<_>>(), revocations);
    assert_eq!(after(database, 2, 0).await, recorded[2..]);
    assert_eq!(database.log_end().await.expect("an end"), recorded[3].place);
    let page = database.revocations_after(1, at(0), 2).await.expect("a page");
    assert_eq!((page.entries.as_slice(), page.more), (&recorded[1..3], true));
    let page = database.revocations_after(2, at(0), 2).await.expect("a page");
    assert_eq!((page.entries.as_slice(), page.more), (&recorded[2..], false));
    for entry in recorded {
        assert!(database.knows(&entry.place).await.expect("a look"));
    }
}

pub(crate) async fn a_place_that_a_backup_has_undone_is_not_known(database: &Database) {
    database.revoke(&Revocation::key("k", at(10))).await.expect("recorded");
    let end = database.log_end().await.expect("an end");
    assert!(database.knows(&end).await.expect("a look"));
    let undone = LogPlace { mark: "0123456789abcdef".to_owned(), ..end.clone() };
    assert!(!database.knows(&undone).await.expect("a look"));
    assert!(!database.knows(&LogPlace { sequence: 2, ..end }).await.expect("a look"));
    assert!(!database.knows(&LogPlace::default()).await.expect("a look"), "something has happened since");
}

pub(crate) async fn what_has_expired_is_forgotten(database: &Database) {
    for (kid, until) in [("a", 10), ("b", 20), ("c", 15)] {
        database.revoke(&Revocation::key(kid, at(until))).await.expect("recorded");
    }
    let values = |revocations: Vec<Revocation>| revocations.into_iter().map(|revocation| revocation.value);
    assert_eq!(values(revoked(database, 10).await).collect::<Vec<_>>(), ["b", "c"], "not told any more");
    assert_eq!(database.forget_expired_revocations(at(15)).await.expect("looked"), 2);
    assert_eq!(values(revoked(database, 0).await).collect::<Vec<_>>(), ["b"]);
    assert_eq!(database.forget_expired_revocations(at(20)).await.expect("looked"), 1);
    let end = database.log_end().await.expect("an end");
    assert_eq!(end.sequence, 3);
    assert!(database.knows(&end).await.expect("a look"), "who has read all goes on");
}

pub(crate) async fn ends_of_sessions_and_accounts_are_revocations(database: &Database) {
    let ada = user(database, "ada").await;
    let refresh = |seconds| Refresh { id: Uuid::new_v4(), issued_at: at(seconds), expires_at: at(seconds + 3600) };
    let open = async || {
        let (id, first) = (Uuid::new_v4(), refresh(0));
        database.open_session(&sign_in(id, ada.id, first), at(300)).await.expect("a session");
        (id, first)
    };
    let ((ended, _), (reused, first)) = (open().await, open().await);
    assert!(database.revoke_session(ended, at(1), at(301)).await.expect("an answer"));
    assert!(!database.revoke_session(ended, at(2), at(302)).await.expect("an answer"), "once is enough");
    let used =
        |seconds| Use { session: reused, token: first.id, alive_at: at(seconds), grace: Duration::from_secs(10) };
    for (seconds, expected) in [(5, Rotation::First), (60, Rotation::Reused), (61, Rotation::Revoked)] {
        let rotation = database.rotate(&used(seconds), &refresh(seconds), at(seconds + 300)).await;
        assert_eq!(rotation.expect("a verdict"), expected);
    }
    let (left, _) = open().await;
    database.disable(ada.id, at(70), at(370)).await.expect("an answer");
    database.disable(Uuid::now_v7(), at(70), at(370)).await.expect("an answer");
    database.enable(ada.id).await.expect("an answer");
    assert_eq!(
        revoked(database, 0).await,
        [Revocation::session(ended, at(301)), Revocation::session(reused, at(360)), Revocation::session(left, at(370)),]
    );
}

/// The settings were changed: a token from before lives on, and so must its revocation.
pub(crate) async fn tokens_that_were_given_for_longer_are_revoked_for_longer(database: &Database) {
    let ada = user(database, "ada").await;
    let open = async |until| {
        let first = Refresh { id: Uuid::new_v4(), issued_at: at(0), expires_at: at(90_000) };
        let id = Uuid::new_v4();
        let sign_in = SignIn { sessions_max: 10, ..sign_in(id, ada.id, first) };
        database.open_session(&sign_in, at(until)).await.expect("a session");
        (id, first.id)
    };
    let used = |(session, token)| Use { session, token, alive_at: at(60), grace: Duration::ZERO };
    let next = |seconds| Refresh { id: Uuid::new_v4(), issued_at: at(seconds), expires_at: at(90_000) };
    let (ended, other, rotated, renewed) = (open(80_000).await, open(80_001).await, open(600).await, open(600).await);
    database.rotate(&used(rotated), &next(60), at(80_002)).await.expect("a verdict");
    database.renew(&used(renewed), None, at(60), at(80_003)).await.expect("an answer");
    // From here on tokens live for ten minutes.
    database.renew(&used(renewed), None, at(61), at(661)).await.expect("an answer");
    database.rotate(&used(rotated), &next(62), at(662)).await.expect("a verdict");
    database.revoke_session(ended.0, at(63), at(663)).await.expect("an answer");
    for (session, _) in [other, renewed] {
        database.end_sessions(ada.id, Sessions::One(session), at(64), at(664)).await.expect("an answer");
    }
    assert_eq!(
        revoked(database, 0).await,
        [(rotated, 80_002), (ended, 80_000), (other, 80_001), (renewed, 80_003)]
            .map(|((session, _), until)| Revocation::session(session, at(until)))
    );
}

/// Writers at once, and a reader that goes on from the last sequence it saw. Were sequences given without a lock that
/// lasts until the commit, the reader would miss those that become visible late.
pub(crate) async fn who_has_read_up_to_a_sequence_has_read_all_below_it(database: &Database) {
    const WRITERS: u32 = 8;
    const EACH: u32 = 25;
    let done = Arc::new(AtomicBool::new(false));
    let reader = {
        let (database, done) = (database.clone(), Arc::clone(&done));
        async move {
            let (mut seen, mut last) = (Vec::new(), 0);
            loop {
                // Looked at before reading: what is committed by then is read.
                let is_last = done.load(Relaxed);
                for entry in after(&database, last, 0).await {
                    last = entry.place.sequence;
                    seen.push(entry.revocation.value);
                }
                if is_last {
                    return seen;
                }
                tokio::task::yield_now().await;
            }
        }
    };
    let writers = async {
        futures_util::future::join_all((0..WRITERS).map(|writer| async move {
            for n in 0..EACH {
                let until = at(0) + SignedDuration::from_secs(100);
                database.revoke(&Revocation::key(&format!("{writer}-{n}"), until)).await.expect("recorded");
            }
        }))
        .await;
        done.store(true, Relaxed);
    };
    let (mut seen, ()) = tokio::join!(reader, writers);
    seen.sort();
    seen.dedup();
    assert_eq!(u32::try_from(seen.len()), Ok(WRITERS * EACH));
}
