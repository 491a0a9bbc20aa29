//! Fifty refreshes of one token at once, two hundred times: one successor each, and nobody is logged out.

use crate::app::App;
use http::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const ROUNDS: usize = 200;
const AT_ONCE: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_parallel_refreshes_two_hundred_times_have_one_successor_each() {
    let app = App::new().await;
    let mut token = app.sign_in("ada").await["refresh"].clone();
    for round in 0..ROUNDS {
        let refreshes = (0..AT_ONCE).map(|_| app.post("/api/token/refresh/", json!({ "refresh": token })));
        let answers = futures_util::future::join_all(refreshes).await;
        assert!(answers.iter().all(|answer| answer.status == StatusCode::OK), "round {round}: {answers:?}");
        let successors: BTreeSet<String> = answers.iter().map(|answer| answer.string("refresh")).collect();
        assert_eq!(successors.len(), 1, "round {round}");
        // The next round goes on from it: nobody is logged out.
        token = successors.into_iter().next().map(Value::String).expect("a successor");
    }
    assert!(app.revoked_sessions().await.is_empty());
}
