//! One request hangs in each way in which a disk can hang.

use super::{Pending, Site, gzipped, large, page};
use portcullis_tests::client::Client;
use portcullis_tests::deadline::within;
use portcullis_tests::slow_disk::{Kept, Operation};

/// One way to hang, and what is answered once the disk goes on.
struct Case {
    kept: Kept,
    /// What is asked for before, so that it is known.
    before: &'static [(&'static str, Option<&'static str>)],
    /// What hangs.
    hangs: (Operation, &'static str),
    path: &'static str,
    fields: &'static [(&'static str, &'static str)],
    body: Vec<u8>,
}

impl Case {
    fn of(hangs: (Operation, &'static str), path: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { kept: Kept::NOTHING, before: &[], hangs, path, fields: &[], body: body.into() }
    }

    /// Over each protocol, on a server and a disk of its own: nothing is known of the disk but what the case says.
    async fn run(&self) {
        for index in 0..3 {
            let Some(site) = Site::start(self.kept).await else { return };
            let (name, client) = &site.clients()[index];
            self.run_on(&site, name, client).await;
        }
    }

    async fn run_on(&self, site: &Site, name: &str, client: &Client) {
        for (path, range) in self.before {
            let call = site.edge.http().get(path);
            let call = if let Some(range) = range { call.header("Range", range) } else { call };
            assert!(call.send().await.status.is_success(), "{path}");
        }
        site.disk.hold(self.hangs.0, self.hangs.1);
        let mut connection = client.connect().await;
        let mut shared = client.is_http2().then(|| connection.shared());
        let call = self.fields.iter().fold(client.get(self.path), |call, (name, value)| call.header(name, value));
        let pending: Pending = tokio::spawn(async move { call.send_on(&mut connection).await });
        site.disk.hanging(1).await;
        site.others_go_on(client, shared.as_mut()).await;
        assert!(!pending.is_finished(), "{name}: it waits for the disk");
        site.disk.release();
        let answer = within("the answer of the disk", pending).await.expect("no panic").expect_status(200);
        assert!(answer.body == self.body, "{name}: {} bytes", answer.body.len());
    }
}

#[tokio::test]
async fn reading_a_large_file() {
    Case::of((Operation::Read, "large.bin"), "/slow/large.bin", large()).run().await;
}

/// What the page cache holds may go out by the kernel; what lies behind it must not be tried in this way.
#[tokio::test]
async fn reading_a_large_file_whose_beginning_is_in_the_page_cache() {
    let case = Case::of((Operation::Read, "large.bin"), "/slow/large.bin", large());
    Case { kept: Kept::ALL, before: &[("/slow/large.bin", Some("bytes=0-99999"))], ..case }.run().await;
}

#[tokio::test]
async fn reading_a_small_file() {
    Case::of((Operation::Read, "small.txt"), "/slow/small.txt", "small").run().await;
}

#[tokio::test]
async fn looking_a_name_up() {
    Case::of((Operation::Lookup, "small.txt"), "/slow/small.txt", "small").run().await;
}

#[tokio::test]
async fn looking_a_name_up_that_is_not_there() {
    // The twin of a file that has none.
    Case::of((Operation::Lookup, "small.txt.br"), "/slow/small.txt", "small").run().await;
}

/// Found here: `RESOLVE_CACHED` is about names, and `open` itself asks the server of a network file system.
#[tokio::test]
async fn opening_a_file_whose_name_the_kernel_knows() {
    let kept = Kept { names: true, attributes: true, pages: false };
    let before = &[("/slow/small.txt", None)];
    let case = Case::of((Operation::Open, "small.txt"), "/slow/small.txt", "small");
    Case { kept, before, ..case }.run().await;
}

/// Found here: the state of a file was asked for by the worker, once its name was known.
#[tokio::test]
async fn asking_for_the_state_of_a_file_whose_name_the_kernel_knows() {
    let kept = Kept { names: true, attributes: false, pages: false };
    let before = &[("/slow/small.txt", None)];
    let case = Case::of((Operation::Attributes, "small.txt"), "/slow/small.txt", "small");
    Case { kept, before, ..case }.run().await;
}

#[tokio::test]
async fn looking_at_a_known_small_file_again() {
    let case = Case::of((Operation::Lookup, "small.txt"), "/slow/small.txt", "small");
    Case { before: &[("/slow/small.txt", None)], ..case }.run().await;
}

#[tokio::test]
async fn looking_at_a_known_large_file_again() {
    let case = Case::of((Operation::Lookup, "large.bin"), "/slow/large.bin", large());
    Case { before: &[("/slow/large.bin", None)], ..case }.run().await;
}

#[tokio::test]
async fn listing_a_directory() {
    let case = Case::of((Operation::List, "folder"), "/slow/folder/", Vec::new());
    for index in 0..3 {
        let Some(site) = Site::start(case.kept).await else { return };
        let (name, client) = &site.clients()[index];
        let body = client.get(case.path).header("Accept", "application/json").send().await.expect_status(200).body;
        assert!(body.windows(7).any(|part| part == b"one.txt"), "{body:?}");
        let fields = &[("Accept", "application/json")];
        Case { fields, body: body.to_vec(), ..Case::of(case.hangs, case.path, "") }.run_on(&site, name, client).await;
    }
}

#[tokio::test]
async fn reading_a_twin() {
    let case = Case::of((Operation::Read, "page.css.gz"), "/slow/page.css", gzipped(&page()));
    Case { fields: &[("Accept-Encoding", "gzip")], ..case }.run().await;
}

#[tokio::test]
async fn reading_a_file_that_the_application_hands_over() {
    Case::of((Operation::Read, "small.txt"), "/download/small.txt", "small").run().await;
}

#[tokio::test]
async fn looking_for_the_current_release() {
    Case::of((Operation::Lookup, "releases/"), "/released/index.html", "released").run().await;
}
