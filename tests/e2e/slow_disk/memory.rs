//! What needs no disk, because the kernel has it in memory.

use super::{Site, large};
use portcullis_tests::slow_disk::{Kept, Operation};

#[tokio::test]
async fn what_the_page_cache_holds_is_served_while_the_disk_hangs() {
    let Some(site) = Site::start(Kept::ALL).await else { return };
    let first = site.edge.http().get("/slow/large.bin").send().await.expect_status(200);
    assert!(first.body == large());
    let asked = site.disk.asked(Operation::Read, "large.bin");
    assert!(asked > 0);
    site.disk.hold(Operation::Read, "");
    for (name, client) in site.clients() {
        let answer = client.get("/slow/large.bin").send().await.expect_status(200);
        assert!(answer.body == large(), "{name}");
    }
    assert_eq!((site.disk.hanging_now(), site.disk.asked(Operation::Read, "large.bin")), (0, asked));
}

/// Found here: the worker asked for the state of a file that it holds open, and a file system that others write to as
/// well asks its server then.
#[tokio::test]
async fn the_state_of_a_file_that_is_held_open_is_not_asked_of_the_disk() {
    let Some(site) = Site::start(Kept { names: true, attributes: false, pages: true }).await else { return };
    let first = site.edge.http().get("/kept/large.bin").send().await.expect_status(200);
    assert!(first.body == large());
    for operation in [Operation::Lookup, Operation::Attributes, Operation::Open, Operation::Read] {
        site.disk.hold(operation, "");
    }
    for (name, client) in site.clients() {
        let answer = client.get("/kept/large.bin").send().await.expect_status(200);
        assert!(answer.body == large(), "{name}");
    }
    assert_eq!(site.disk.hanging_now(), 0);
}
