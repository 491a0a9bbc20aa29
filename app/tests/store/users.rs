//! What administrators see and change.

use super::accounts::user;
use jiff::Timestamp;
use portcullis_app::domain::account::User;
use portcullis_app::store::{AccountStore, Database, StoreError, UserListStore};
use uuid::Uuid;

pub(crate) async fn pages_show_every_account_once(database: &Database) {
    let mut expected = Vec::new();
    for n in 0..7 {
        expected.push(user(database, &format!("user{n}")).await.id);
    }
    expected.sort();
    expected.reverse();
    let mut walked = Vec::new();
    let mut after = None;
    loop {
        let page = database.users(after.as_ref(), 3).await.expect("a page");
        assert!(page.users.len() <= 3);
        walked.extend(page.users.into_iter().map(|user| user.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(walked, expected);
}

async fn set_active(database: &Database, id: Uuid, active: bool) -> Result<Option<User>, StoreError> {
    if active { database.enable(id).await } else { database.disable(id, Timestamp::UNIX_EPOCH, Timestamp::MAX).await }
}

pub(crate) async fn an_account_is_disabled_and_enabled(database: &Database) {
    let ann = user(database, "ann").await;
    for active in [false, false, true] {
        let changed = set_active(database, ann.id, active).await.expect("an answer").expect("there");
        assert_eq!((changed.id, changed.active), (ann.id, active));
        assert_eq!(database.user(ann.id).await.expect("a look"), Some(changed));
    }
    assert_eq!(set_active(database, Uuid::now_v7(), false).await.expect("an answer"), None);
}
