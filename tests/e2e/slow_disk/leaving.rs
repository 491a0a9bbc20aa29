//! Clients that do not wait for the disk.

use super::Site;
use portcullis_tests::slow_disk::{Kept, Operation};

#[tokio::test]
async fn a_client_that_leaves_frees_its_connection_while_the_disk_hangs() {
    for (operation, path) in
        [(Operation::Read, "large.bin"), (Operation::Read, "small.txt"), (Operation::Lookup, "small.txt")]
    {
        let Some(site) = Site::start(Kept::NOTHING).await else { return };
        site.edge.counted("portcullis_connections_open", 0).await;
        for (name, client) in site.clients() {
            site.disk.hold(operation, path);
            let mut connection = client.connect().await;
            let call = client.get(&format!("/slow/{path}"));
            let asking = tokio::spawn(async move { call.open_watched_on(&mut connection).await?.collect().await });
            site.disk.hanging(1).await;
            site.edge.counted("portcullis_connections_open", 1).await;
            asking.abort();
            site.edge.counted("portcullis_connections_open", 0).await;
            assert_eq!(site.disk.hanging_now(), 1, "{name}: the disk has answered nobody");
            site.others_go_on(&client, None).await;
            site.disk.release();
            site.edge.counted("portcullis_connections_open", 0).await;
        }
    }
}

#[tokio::test]
async fn a_stream_that_is_reset_leaves_its_connection_alone() {
    let Some(site) = Site::start(Kept::NOTHING).await else { return };
    let client = site.edge.https().http2();
    let mut connection = client.connect().await;
    let mut shared = connection.shared();
    site.disk.hold(Operation::Read, "small.txt");
    let call = client.get("/slow/small.txt");
    let asking = tokio::spawn(async move { call.open_watched_on(&mut connection).await.map(drop) });
    site.disk.hanging(1).await;
    asking.abort();
    assert!(asking.await.expect_err("it was given up").is_cancelled());
    site.others_go_on(&client, Some(&mut shared)).await;
    assert_eq!(site.disk.hanging_now(), 1);
    site.disk.release();
    let answer = client.get("/slow/small.txt").send_on(&mut shared).await.expect_status(200);
    assert_eq!(answer.text(), "small");
}
