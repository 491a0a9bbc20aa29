//! What instances on one PostgreSQL database hear of each other.

use jiff::Timestamp;
use portcullis_app::domain::event::{EventKind, NoteEvent};
use portcullis_app::domain::revocation::Revocation;
use portcullis_app::domain::signing_key::Turn;
use portcullis_app::store::{Database, Ear, Notice, RevocationStore, SigningKeyStore, StoreError};
use sqlx::PgPool;
use std::time::Duration;
use uuid::Uuid;

fn pool(database: &Database) -> &PgPool {
    let Database::Postgres(pool) = database else { unreachable!("not PostgreSQL") };
    pool
}

async fn ear(database: &Database) -> Ear {
    database.listen().await.expect("a connection").expect("PostgreSQL tells")
}

async fn hear(ear: &mut Ear) -> Result<Notice, StoreError> {
    tokio::time::timeout(Duration::from_secs(20), ear.hear()).await.expect("something is told")
}

async fn told(ear: &mut Ear) -> Notice {
    hear(ear).await.expect("the connection lasts")
}

/// The end of every connection on which instances listen to this database.
pub(crate) async fn cut_ears(database: &Database) {
    const CUT: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE application_name = 'portcullis-app notices' AND datname = current_database()";
    let cut: i64 = sqlx::query_scalar(CUT).fetch_one(pool(database)).await.expect("an answer");
    assert!(cut > 0, "nobody listened");
}

pub(crate) async fn every_instance_hears_what_is_committed_in_order(database: &Database) {
    let mut ears = [ear(database).await, ear(database).await];
    let mut undone = pool(database).begin().await.expect("a transaction");
    let insert =
        "INSERT INTO revocations (sequence, mark, kind, value, until, written) VALUES (99, '', 'jti', '', 0, 0)";
    sqlx::query(insert).execute(&mut *undone).await.expect("written");
    undone.rollback().await.expect("undone");
    database.revoke(&Revocation::key("one", Timestamp::MAX)).await.expect("recorded");
    let event = NoteEvent {
        kind: EventKind::Shared,
        note_id: Uuid::new_v4(),
        version: 7,
        by: "ann".to_owned(),
        audience: vec![Uuid::new_v4(), Uuid::new_v4()],
    };
    assert!(database.announce(&event).await.expect("told"));
    let turn = database.signing_key_turn().await.expect("a number");
    let revoke = Some(Revocation::key("two", Timestamp::MAX));
    assert!(
        database.turn_signing_keys(turn, &Turn { revoke, ..Turn::default() }, Timestamp::now()).await.expect("done")
    );
    let mut numbers = Vec::new();
    for ear in &mut ears {
        assert_eq!(told(ear).await, Notice::Revoked(1));
        let Notice::Changed(announced) = told(ear).await else { unreachable!("a change comes next") };
        assert_eq!(announced.event, event);
        numbers.push(announced.id);
        let mut turned = [told(ear).await, told(ear).await];
        turned.sort_by_key(|notice| *notice == Notice::KeysTurned);
        assert_eq!(turned, [Notice::Revoked(2), Notice::KeysTurned]);
    }
    assert_eq!(numbers[0], numbers[1], "the same number everywhere");
}

pub(crate) async fn who_listens_is_told_that_his_connection_is_lost(database: &Database) {
    let mut cut = ear(database).await;
    cut_ears(database).await;
    database.revoke(&Revocation::key("unheard", Timestamp::MAX)).await.expect("recorded");
    assert!(hear(&mut cut).await.is_err());
    let mut again = ear(database).await;
    database.revoke(&Revocation::key("heard", Timestamp::MAX)).await.expect("recorded");
    assert_eq!(told(&mut again).await, Notice::Revoked(2));
}
