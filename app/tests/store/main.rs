//! The store's behaviour, run against each back end: every case gets an empty database of its own.
//!
//! PostgreSQL is taken from `PORTCULLIS_TEST_POSTGRES` (a URL whose user may make databases), else started from
//! Debian's package; where neither is possible that half says SKIPPED.

mod accounts;
mod postgres;
mod sessions;

use portcullis_app::config::DatabaseUrl;
use portcullis_app::store::Database;

/// Runs every case, each on a database of its own from `open`.
async fn every_case(open: impl AsyncFn() -> Database) {
    macro_rules! run {
        ($($case:path),* $(,)?) => {
            $(
                let database = open().await;
                $case(&database).await;
                database.close().await;
            )*
        };
    }
    run!(
        accounts::an_account_is_found_by_id_and_by_name_in_any_case,
        accounts::a_name_is_taken_in_any_case,
        sessions::a_sign_in_is_noted,
        sessions::each_refresh_token_has_one_successor,
        sessions::fifty_refreshes_at_once_get_one_successor,
        sessions::a_late_reuse_ends_the_session,
        sessions::an_older_link_of_the_chain_is_judged_by_its_own_use,
        sessions::a_revoked_session_refreshes_no_more,
        sessions::what_has_expired_is_forgotten,
    );
}

#[tokio::test]
async fn sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let number = std::sync::atomic::AtomicU32::new(0);
    every_case(async || {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let url = DatabaseUrl::Sqlite(folder.path().join(format!("{number}.db")));
        Database::open(&url).await.expect("a database")
    })
    .await;
}

#[tokio::test]
async fn postgres() {
    let Some(server) = postgres::Server::find() else {
        println!("SKIPPED: no PostgreSQL (set PORTCULLIS_TEST_POSTGRES or install Debian's postgresql)");
        return;
    };
    every_case(async || Database::open(&server.new_database().await).await.expect("a database")).await;
}
