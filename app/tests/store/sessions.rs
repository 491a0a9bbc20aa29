//! Sessions: rotation of refresh tokens, reuse, ends.

use super::accounts::user;
use jiff::{SignedDuration, Timestamp};
use portcullis_app::domain::session::{Refresh, Rotation, SignIn, Standing, Use};
use portcullis_app::store::{AccountStore, Database, SessionStore};
use std::time::Duration;
use uuid::Uuid;

const GRACE: Duration = Duration::from_secs(10);
/// When the last token has expired.
const UNTIL: Timestamp = Timestamp::constant(1_700_900_000, 0);

/// `seconds` after the start of every story.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).expect("a moment")
}

fn refresh(seconds: i64) -> Refresh {
    let issued_at = at(seconds);
    Refresh { id: Uuid::new_v4(), issued_at, expires_at: issued_at + SignedDuration::from_hours(24) }
}

/// A session of a new user with its first token.
async fn session(database: &Database) -> (Uuid, Refresh) {
    let (id, first) = (Uuid::new_v4(), refresh(0));
    let ada = user(database, "ada").await;
    database.open_session(&sign_in(id, ada.id, first), UNTIL).await.expect("a session");
    (id, first)
}

/// A sign-in of a user who may have two sessions.
pub(crate) fn sign_in(session: Uuid, user: Uuid, first: Refresh) -> SignIn {
    let (user_agent, address) = ("curl/8".to_owned(), "192.0.2.1".to_owned());
    SignIn { session, user, epoch: 0, first, user_agent, address, noted: true, sessions_max: 2 }
}

fn used(session: Uuid, token: Uuid, seconds: i64) -> Use {
    Use { session, token, alive_at: at(seconds), grace: GRACE }
}

async fn rotate(database: &Database, session: Uuid, used: Refresh, successor: Refresh) -> Rotation {
    let used = Use { session, token: used.id, alive_at: successor.issued_at, grace: GRACE };
    database.rotate(&used, &successor, UNTIL).await.expect("a verdict")
}

async fn standing(database: &Database, session: Uuid, token: Uuid, seconds: i64) -> Standing {
    database.standing(session, token, at(seconds), GRACE).await.expect("a verdict")
}

pub(crate) async fn a_sign_in_is_noted(database: &Database) {
    session(database).await;
    let ada = database.user_named("ada").await.expect("a look").expect("there");
    assert_eq!(ada.last_login, Some(at(0)));
}

pub(crate) async fn each_refresh_token_has_one_successor(database: &Database) {
    let (id, first) = session(database).await;
    let (second, third) = (refresh(60), refresh(120));
    assert_eq!(rotate(database, id, first, second).await, Rotation::First);
    assert_eq!(rotate(database, id, second, third).await, Rotation::First);
    // Within the grace time the same successor is given, not the one now offered.
    assert_eq!(rotate(database, id, second, refresh(130)).await, Rotation::Repeated(third));
    assert_eq!(rotate(database, id, refresh(0), refresh(130)).await, Rotation::Unknown);
    assert_eq!(rotate(database, Uuid::new_v4(), third, refresh(130)).await, Rotation::Unknown);
    // An expired token is refused by the statement too, not only by its signature's check.
    assert_eq!(rotate(database, id, third, refresh(3 * 24 * 3600)).await, Rotation::Unknown);
}

pub(crate) async fn fifty_refreshes_at_once_get_one_successor(database: &Database) {
    let (id, first) = session(database).await;
    let attempts = futures_util::future::join_all((0..50).map(|_| async move {
        let offered = refresh(60);
        (offered, rotate(database, id, first, offered).await)
    }))
    .await;
    let firsts: Vec<_> = attempts.iter().filter(|(_, rotation)| *rotation == Rotation::First).collect();
    assert_eq!(firsts.len(), 1);
    let successor = firsts[0].0;
    for (offered, rotation) in &attempts {
        assert!(*offered == successor || *rotation == Rotation::Repeated(successor), "{rotation:?}");
    }
    assert_eq!(rotate(database, id, successor, refresh(61)).await, Rotation::First, "nobody is logged out");
}

pub(crate) async fn a_late_reuse_ends_the_session(database: &Database) {
    let (id, first) = session(database).await;
    let second = refresh(60);
    rotate(database, id, first, second).await;
    assert_eq!(standing(database, id, first.id, 65).await, Standing::Valid);
    assert_eq!(standing(database, id, first.id, 75).await, Standing::Revoked);
    assert_eq!(standing(database, id, second.id, 75).await, Standing::Valid);
    assert_eq!(rotate(database, id, first, refresh(75)).await, Rotation::Reused);
    assert_eq!(rotate(database, id, second, refresh(76)).await, Rotation::Revoked, "the honest holder signs in again");
    assert_eq!(standing(database, id, second.id, 76).await, Standing::Revoked);
}

/// A slow tab that still holds the first token while another tab has already used the second one.
pub(crate) async fn an_older_link_of_the_chain_is_judged_by_its_own_use(database: &Database) {
    let (id, first) = session(database).await;
    let second = refresh(60);
    rotate(database, id, first, second).await;
    rotate(database, id, second, refresh(62)).await;
    assert_eq!(rotate(database, id, first, refresh(64)).await, Rotation::Repeated(second));
}

pub(crate) async fn a_revoked_session_refreshes_no_more(database: &Database) {
    let (id, first) = session(database).await;
    assert_eq!(standing(database, id, Uuid::new_v4(), 1).await, Standing::Valid, "an access token of the session");
    assert!(database.revoke_session(id, at(1), UNTIL).await.expect("revoked"));
    assert!(!database.revoke_session(id, at(2), UNTIL).await.expect("revoked before"));
    assert!(!database.revoke_session(Uuid::new_v4(), at(2), UNTIL).await.expect("unknown"));
    assert_eq!(rotate(database, id, first, refresh(3)).await, Rotation::Revoked);
    assert_eq!(standing(database, id, Uuid::new_v4(), 3).await, Standing::Revoked);
    assert_eq!(standing(database, Uuid::new_v4(), first.id, 3).await, Standing::Unknown);
}

pub(crate) async fn what_has_expired_is_forgotten(database: &Database) {
    let (id, first) = session(database).await;
    let day = 24 * 3600;
    rotate(database, id, first, refresh(day / 2)).await;
    assert_eq!(database.forget_expired_sessions(at(day)).await.expect("looked"), 0, "prolonged by its refresh");
    assert_eq!(database.forget_expired_sessions(at(day / 2 * 3)).await.expect("looked"), 1);
    assert_eq!(standing(database, id, first.id, day * 2).await, Standing::Unknown);
}

pub(crate) async fn leeway_is_granted_to_a_token_that_has_just_expired(database: &Database) {
    let (id, first) = session(database).await;
    let day = 24 * 3600;
    let late = refresh(day + 5);
    let rotate =
        async |alive_at| database.rotate(&used(id, first.id, alive_at), &late, UNTIL).await.expect("a verdict");
    assert_eq!(rotate(day + 5).await, Rotation::Unknown);
    assert_eq!(rotate(day - 5).await, Rotation::First);
}

pub(crate) async fn a_token_that_is_not_rotated_is_used_again_and_again(database: &Database) {
    let (id, first) = session(database).await;
    let renew = async |token, seconds| {
        database.renew(&used(id, token, seconds), None, at(seconds), UNTIL).await.expect("an answer")
    };
    assert!(renew(first.id, 60).await && renew(first.id, 120).await);
    assert!(!renew(first.id, 24 * 3600).await, "until it expires");
    assert!(!renew(Uuid::new_v4(), 60).await, "one of ours");
    let next = refresh(130);
    assert!(database.renew(&used(id, first.id, 130), Some(&next), at(130), UNTIL).await.expect("an answer"));
    assert!(renew(first.id, 140).await && renew(next.id, 24 * 3600 + 100).await, "both, each to its end");
    assert!(database.revoke_session(id, at(150), UNTIL).await.expect("revoked"));
    assert!(!renew(next.id, 160).await);
}

pub(crate) async fn of_expired_links_only_the_living_ones_are_kept(database: &Database) {
    let (id, first) = session(database).await;
    let second = refresh(3600);
    rotate(database, id, first, second).await;
    assert_eq!(database.forget_expired_sessions(at(24 * 3600)).await.expect("looked"), 0);
    // The first link's row is gone, the second one's is not.
    let day_after = refresh(24 * 3600 + 60);
    assert_eq!(rotate(database, id, first, day_after).await, Rotation::Unknown);
    assert_eq!(rotate(database, id, second, day_after).await, Rotation::First);
}
