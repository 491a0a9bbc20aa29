//! Signing keys: several instances on one database have the same, and of two changes one wins.

use jiff::{SignedDuration, Timestamp};
use portcullis_app::domain::revocation::Revocation;
use portcullis_app::domain::signing_key::{Phase, StoredKey, Turn};
use portcullis_app::keys::{KeyKeeper, KeysError};
use portcullis_app::store::{Database, RevocationStore, SigningKeyStore};
use portcullis_app::tokens::{KeyRing, Seal};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// `hours` after the start of every story.
fn at(hours: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000).expect("a moment") + SignedDuration::from_hours(hours)
}

/// An instance whose keys sign for ten hours, are announced one, and whose tokens live for five.
fn instance(database: &Database, secret: u8) -> KeyKeeper {
    let seal = Seal::new(&[secret; 32]).expect("a seal");
    KeyKeeper::new(database.clone(), seal, (10 * HOUR, HOUR), 5 * HOUR, "/nonexistent".into())
}

fn published(ring: &KeyRing) -> Vec<String> {
    let keys = ring.jwks()["keys"].as_array().expect("keys");
    keys.iter().map(|key| key["kid"].as_str().expect("a name").to_owned()).collect()
}

async fn phases(keeper: &KeyKeeper) -> Vec<Phase> {
    let mut phases: Vec<_> = keeper.list().await.expect("a list").iter().map(StoredKey::phase).collect();
    phases.sort_unstable_by_key(|phase| phase.as_str());
    phases
}

pub(crate) async fn instances_that_start_at_once_have_the_same_keys(database: &Database) {
    let instances: Vec<_> = (0..5).map(|_| instance(database, 1)).collect();
    let loaded = futures_util::future::join_all(instances.iter().map(|instance| instance.load(at(0)))).await;
    let rings: Vec<_> = loaded.into_iter().map(|keys| published(&keys.expect("keys").ring)).collect();
    assert_eq!(rings[0].len(), 2, "one that signs and the next one");
    assert!(rings.iter().all(|ring| *ring == rings[0]), "{rings:?}");
    let another = instance(database, 2).load(at(0)).await;
    assert!(matches!(another, Err(KeysError::Sealed { .. })), "{another:?}");
}

pub(crate) async fn a_key_is_next_active_retiring_and_gone(database: &Database) {
    let (one, two) = (instance(database, 1), instance(database, 1));
    let start = one.load(at(0)).await.expect("keys");
    let first = published(&start.ring);
    assert_eq!(phases(&one).await, [Phase::Active, Phase::Next]);
    assert!(one.tick(start.turn, at(9)).await.expect("a look").is_none(), "not yet");
    let turned = one.tick(start.turn, at(10)).await.expect("a look").expect("a change");
    let second = published(&turned.ring);
    assert_eq!(second[0], first[1], "the next one signs");
    assert!(second.contains(&first[0]) && second.len() == 3, "the old one is still published");
    // The other instance sees it, and does not rotate again.
    let seen = two.tick(start.turn, at(10)).await.expect("a look").expect("a change");
    assert_eq!((seen.turn, published(&seen.ring)), (turned.turn, second.clone()));
    assert!(two.tick(seen.turn, at(14)).await.expect("a look").is_none());
    // The last token of the first key has expired.
    let gone = two.tick(seen.turn, at(15)).await.expect("a look").expect("a change");
    assert_eq!(published(&gone.ring).len(), 2);
    assert!(!published(&gone.ring).contains(&first[0]));
}

pub(crate) async fn a_command_rotates_when_edges_know_the_next_key(database: &Database) {
    let keeper = instance(database, 1);
    let first = published(&keeper.load(at(0)).await.expect("keys").ring);
    assert!(matches!(keeper.rotate(false, at(0)).await, Err(KeysError::TooEarly { .. })));
    assert_eq!(keeper.rotate(false, at(1)).await.expect("rotated"), first[1]);
    assert!(matches!(keeper.rotate(false, at(1)).await, Err(KeysError::TooEarly { .. })));
    let forced = keeper.rotate(true, at(1)).await.expect("rotated");
    assert!(!first.contains(&forced));
    assert_eq!(phases(&keeper).await.iter().filter(|phase| **phase == Phase::Retiring).count(), 2);
}

pub(crate) async fn a_stolen_key_is_gone_at_once_and_revoked(database: &Database) {
    let keeper = instance(database, 1);
    let first = published(&keeper.load(at(0)).await.expect("keys").ring);
    assert!(matches!(keeper.revoke("nobody", at(1), at(6)).await, Err(KeysError::Unknown { .. })));
    keeper.revoke(&first[0], at(1), at(6)).await.expect("revoked");
    let left = published(&keeper.load(at(1)).await.expect("keys").ring);
    assert_eq!((left.len(), &left[0]), (2, &first[1]), "the next one signs");
    let page = database.revocations_after(0, at(1), 10).await.expect("a page");
    let revoked: Vec<_> = page.entries.into_iter().map(|entry| entry.revocation).collect();
    assert_eq!(revoked, [Revocation::key(&first[0], at(6))]);
}

pub(crate) async fn of_two_changes_one_wins(database: &Database) {
    let keeper = instance(database, 1);
    let turn = keeper.load(at(0)).await.expect("keys").turn;
    let change = Turn { remove: vec!["nobody".to_owned()], ..Turn::default() };
    let changes = (0..5).map(|_| database.turn_signing_keys(turn, &change, at(1)));
    let won = futures_util::future::join_all(changes).await;
    assert_eq!(won.into_iter().filter(|won| matches!(won, Ok(true))).count(), 1);
}
