//! A disk that answers nobody: a bounded number of threads waits for it, for a bounded time.

use super::{FOR_EVER, Site};
use portcullis_tests::answer::Answer;
use portcullis_tests::deadline::until;
use portcullis_tests::raw::Raw;
use portcullis_tests::slow_disk::{Kept, Operation};

/// More than a worker has threads for work that blocks (512).
const MANY: usize = 600;

/// Threads that may wait for one disk: `PLACES` of the server.
const PLACES: usize = 64;

/// Over soon, so that the end of the wait is seen.
const SOON: &str = "300ms";

async fn site(disk_timeout: &str) -> Option<Site> {
    let many = (0..MANY).map(|number| (format!("many/{number}.txt"), number.to_string().into_bytes()));
    Site::start_with(Kept::NOTHING, disk_timeout, many.collect()).await
}

/// Asks for all of the many files, each on a connection of its own.
async fn ask_for_many(site: &Site) -> Vec<Raw> {
    let mut clients = Vec::with_capacity(MANY);
    for number in 0..MANY {
        let mut client = Raw::connect(site.edge.address("http")).await;
        client.send(format!("GET /slow/many/{number}.txt HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        clients.push(client);
    }
    clients
}

fn assert_stalled(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.edge_code().as_str()), (503, "disk_stalled"), "{answer:?}");
    assert_eq!(answer.header("retry-after"), Some("1"));
}

/// Found here: 512 reads of a dead disk took all threads, and files of every other disk waited behind them.
#[tokio::test]
async fn more_requests_than_threads_leave_the_other_disks_alone() {
    let Some(site) = site(FOR_EVER).await else { return };
    let looked = site.edge.metrics().await.get("portcullis_files_looks_total");
    site.disk.hold(Operation::Lookup, "many/");
    let mut clients = ask_for_many(&site).await;
    site.edge.counted("portcullis_files_looks_total", looked + MANY as u64).await;
    site.disk.hanging(PLACES).await;
    for (_, client) in site.clients() {
        let mut connection = client.connect().await;
        let shared = client.is_http2().then_some(&mut connection);
        site.others_go_on(&client, shared).await;
    }
    assert_eq!(site.disk.hanging_now(), PLACES, "and no more");
    site.disk.release();
    for (number, client) in clients.iter_mut().enumerate() {
        let head = client.read_head().await;
        assert_eq!(head.status(), 200, "{number}");
        assert_eq!(client.read_body(&head).await.content, number.to_string().into_bytes());
    }
}

#[tokio::test]
async fn nobody_waits_without_end() {
    let Some(site) = site(SOON).await else { return };
    site.disk.hold(Operation::Lookup, "many/");
    for client in &mut ask_for_many(&site).await {
        let head = client.read_head().await;
        assert_eq!((head.status(), head.field("retry-after")), (503, Some("1")));
        let body = client.read_body(&head).await.content;
        assert!(body.windows(12).any(|part| part == b"disk_stalled"), "{}", String::from_utf8_lossy(&body));
    }
    assert_eq!(site.disk.hanging_now(), PLACES, "the threads are still with the disk");
    for (_, client) in site.clients() {
        assert_stalled(&client.get("/slow/many/1.txt").send().await);
        // The limit of these files is one that no test waits for: while nobody is answered, nobody is let in.
        assert_stalled(&client.get("/download/many/2.txt").send().await);
        site.others_go_on(&client, None).await;
    }
    site.disk.release();
    until("the disk to be used again", async || {
        let answer = site.edge.http().get("/slow/many/3.txt").send().await;
        answer.status == 200 && answer.text() == "3"
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_has_begun_breaks_off() {
    let Some(site) = site(SOON).await else { return };
    site.disk.hold(Operation::Read, "large.bin");
    for (name, client) in site.clients() {
        let answer = client.get("/slow/large.bin").open().await;
        assert_eq!(answer.status(), 200);
        assert!(answer.collect().await.is_err(), "{name}: half an answer is no answer");
        site.others_go_on(&client, None).await;
    }
}

#[tokio::test]
async fn a_known_file_goes_on_as_it_was() {
    let Some(site) = site(SOON).await else { return };
    let paths = [("/slow/small.txt", "small"), ("/released/index.html", "released")];
    for (path, text) in paths {
        assert_eq!(site.edge.http().get(path).send().await.expect_status(200).text(), text);
    }
    site.disk.hold(Operation::Lookup, "");
    for (_, client) in site.clients() {
        for (path, text) in paths {
            assert_eq!(client.get(path).send().await.expect_status(200).text(), text);
        }
        site.others_go_on(&client, None).await;
    }
    site.disk.write("small.txt", "changed");
    site.disk.release();
    until("the change to be seen", async || site.edge.http().get("/slow/small.txt").send().await.text() == "changed")
        .await;
}
