//! The store's behaviour, run against each back end: every case gets an empty database of its own.
//!
//! PostgreSQL is taken from `PORTCULLIS_TEST_POSTGRES` (a URL whose user may make databases), else started from
//! Debian's package; where neither is possible that half says SKIPPED.

mod accounts;
mod attachments;
mod notes;
mod notices;
mod pairing;
mod postgres;
mod revocations;
mod session_ends;
mod sessions;
mod signing_keys;
mod users;

use portcullis_app::config::DatabaseUrl;
use portcullis_app::store::{Database, StoreError};

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
        sessions::leeway_is_granted_to_a_token_that_has_just_expired,
        sessions::a_token_that_is_not_rotated_is_used_again_and_again,
        sessions::of_expired_links_only_the_living_ones_are_kept,
        session_ends::a_session_is_listed_until_it_ends,
        session_ends::nobody_ends_a_strangers_session,
        session_ends::one_more_session_than_allowed_ends_the_oldest,
        session_ends::a_new_session_is_never_the_oldest,
        session_ends::a_sign_in_that_comes_too_late_opens_nothing,
        session_ends::a_new_password_ends_the_other_sessions_or_changes_nothing,
        session_ends::hashes_of_other_kinds_are_found,
        signing_keys::instances_that_start_at_once_have_the_same_keys,
        signing_keys::a_key_is_next_active_retiring_and_gone,
        signing_keys::a_command_rotates_when_edges_know_the_next_key,
        signing_keys::a_stolen_key_is_gone_at_once_and_revoked,
        signing_keys::of_two_changes_one_wins,
        notes::a_note_reads_back_for_those_who_see_it,
        notes::a_user_owns_only_so_many_notes,
        notes::of_two_writers_of_one_version_one_wins,
        notes::a_share_grants_and_its_end_takes_away,
        notes::only_the_owner_shares_and_never_himself_away,
        notes::shares_have_a_limit,
        notes::a_removed_note_takes_everything_along,
        notes::a_search_finds_the_same_everywhere,
        notes::pages_stay_whole_while_notes_come,
        notes::a_page_of_long_notes_ends_early,
        attachments::an_attachment_is_seen_with_its_note,
        attachments::a_content_is_referenced_by_rows,
        attachments::attachments_have_a_limit_even_at_once,
        revocations::what_is_revoked_is_read_in_order,
        revocations::a_place_that_a_backup_has_undone_is_not_known,
        revocations::what_has_expired_is_forgotten,
        revocations::ends_of_sessions_and_accounts_are_revocations,
        revocations::tokens_that_were_given_for_longer_are_revoked_for_longer,
        revocations::who_has_read_up_to_a_sequence_has_read_all_below_it,
        users::pages_show_every_account_once,
        users::an_account_is_disabled_and_enabled,
        pairing::a_database_has_one_id_for_ever,
        pairing::a_folder_belongs_to_one_database,
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

/// SQLite's own limit stands in for a full disk: both are the same error.
#[tokio::test]
async fn a_full_disk_is_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = DatabaseUrl::Sqlite(folder.path().join("app.db"));
    let database = Database::open(&url).await.expect("a database");
    let Database::Sqlite { writer, .. } = &database else { panic!("not SQLite") };
    sqlx::query("PRAGMA max_page_count = 1").execute(writer).await.expect("a limit");
    let error = loop {
        if let Err(error) = accounts::add(&database, &uuid::Uuid::new_v4().simple().to_string()).await {
            break error;
        }
    };
    assert!(matches!(error, StoreError::Full(_)), "{error:?}");
    database.close().await;
}

#[tokio::test]
async fn postgres() {
    let Some(server) = postgres::Server::find_or_say() else { return };
    every_case(async || Database::open(&server.new_database().await).await.expect("a database")).await;
}

#[tokio::test]
async fn postgres_tells_every_instance() {
    let Some(server) = postgres::Server::find_or_say() else { return };
    let open = async || Database::open(&server.new_database().await).await.expect("a database");
    let database = open().await;
    notices::every_instance_hears_what_is_committed_in_order(&database).await;
    database.close().await;
    let database = open().await;
    notices::who_listens_is_told_that_his_connection_is_lost(&database).await;
    database.close().await;
}
