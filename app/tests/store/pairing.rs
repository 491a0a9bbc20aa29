//! Which database a folder of attachments belongs to.

use super::accounts::user;
use super::attachments::attachment;
use super::notes::plain;
use portcullis_app::config::DatabaseUrl;
use portcullis_app::store::{AttachmentStore, Database, Files, PairError, pair};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

pub(crate) async fn a_database_has_one_id_for_ever(database: &Database) {
    let ids = futures_util::future::join_all((0..8).map(|_| async { database.id().await.expect("an id") })).await;
    assert!(ids.iter().all(|&id| id == ids[0]), "{ids:?}");
}

pub(crate) async fn a_folder_belongs_to_one_database(database: &Database) {
    let state = tempfile::tempdir().expect("a folder");
    let other = Database::open(&DatabaseUrl::Sqlite(state.path().join("other.db"))).await.expect("a database");
    let root = state.path().join("attachments");
    let files = Files::open(root.clone()).await.expect("files");
    let mark = root.join(".database");

    // An empty folder is whoever's comes first.
    pair(&files, database).await.expect("its folder now");
    let mode = std::fs::metadata(&mark).expect("the mark").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    pair(&files, database).await.expect("its folder still");
    let refused = pair(&files, &other).await.expect_err("not its folder");
    assert!(matches!(refused, PairError::Foreign { .. }), "{refused}");
    for part in [root.display().to_string(), other.to_string()] {
        assert!(refused.to_string().contains(&part), "{refused}");
    }

    // A folder of an older version says nothing, but has what the database knows.
    std::fs::remove_file(&mark).expect("no mark");
    let ann = user(database, "ann").await.id;
    let known = attachment(plain(database, ann).await, 1);
    database.add_attachment(ann, &known).await.expect("added");
    file(&root.join(known.digest.path()));
    let refused = pair(&files, &other).await.expect_err("knows nothing");
    assert!(matches!(refused, PairError::Unknown { .. }), "{refused}");
    assert!(!mark.exists());
    pair(&files, database).await.expect("knows one of them");

    std::fs::write(&mark, "half").expect("damaged");
    assert!(matches!(pair(&files, database).await, Err(PairError::Folder(_))));
    other.close().await;
}

fn file(path: &Path) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, "abc").expect("a file");
}
